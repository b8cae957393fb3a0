"""The child that encodes the sound of several files, one after the other, as one track of AAC.

    arguments  {"parts": [fields of joins.SoundPart], "rate", "channels", "output": fd}
    events     {"event": "described", …}  {"event": "segment", …}  {"event": "result"}  {"event": "problem", …}
               as of `encode`

It is one sound to the encoder, so that no run-up is heard at a seam. Every part is heard from its start to its end,
exactly: what is missing is silence, what is over is cut.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av.logging
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.error import FFmpegError

from server.media import guard
from server.media.encode_sound import NoSound, Track, decoded
from server.media.joins import SoundPart
from server.media.orders import TIMESCALE, Reading, SoundOrder

SOUND = "sound"
BITRATE = 192_000  # of stereo: it may be encoded once more


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    av.logging.set_level(None)
    order = SoundOrder(Reading(), (0,), SOUND, channels=arguments["channels"], bitrate=BITRATE)
    rate = arguments["rate"]
    try:
        track = Track(order, arguments["output"], rate, say)
        for part in map(_part, arguments["parts"]):
            _take(track, part, order, rate)
        track.finish()
    except NoSound:
        say({"event": "problem", "code": "invalid", "detail": "nothing of the sound could be decoded"})
    except (FFmpegError, ValueError) as error:
        say({"event": "problem", "code": "invalid", "detail": f"the sound could not be read ({error})"})
    else:
        say({"event": "result"})


def _part(told: dict[str, Any]) -> SoundPart:
    reading = told["reading"]
    return SoundPart(**{**told, "reading": Reading(**reading) if reading else None})


def _take(track: Track, part: SoundPart, order: SoundOrder, rate: int) -> None:
    start_s, end_s = (Fraction(ticks, TIMESCALE) for ticks in (part.start, part.start + part.length))
    track.reach(start_s)
    for frame, at_s in _heard(part, order):
        left = round(end_s * rate) - track.heard
        most = left * frame.sample_rate // rate
        if most <= 0:
            break
        early = 0 if at_s is None else round(-at_s * frame.sample_rate)
        kept = _cut(frame, max(0, early), most)
        if kept is not None:
            track.take(kept, None if at_s is None else start_s + max(Fraction(0), at_s))
    track.reach(end_s)


def _heard(part: SoundPart, order: SoundOrder) -> Iterator[tuple[AudioFrame, Fraction | None]]:
    if part.source is None or part.reading is None:
        return
    told = SoundOrder(part.reading, order.cuts, order.rendition)
    yield from decoded(part.source, told)


def _cut(frame: AudioFrame, early: int, most: int) -> AudioFrame | None:
    """Without its first samples, and no more than `most`; None where nothing is left."""
    if not early and frame.samples <= most:
        return frame
    if early >= frame.samples:
        return None
    queue = AudioFifo()
    frame.pts = None
    queue.write(frame)
    if early:
        queue.read(early)
    return queue.read(min(most, frame.samples - early))


if __name__ == "__main__":
    guard.run(work)
