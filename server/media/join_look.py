"""The child that looks at files that are to be joined: what they are coded as, when they begin and how long they are.

    arguments  {"sources": [fd, …]}
    events     {"event": "part", …}     in the order of the sources: the fields of joins.PartFacts
               {"event": "problem", "code", "detail", "part"}     of the first that can't be read

All packets are passed by, and none is decoded.
"""

import hashlib
from fractions import Fraction
from typing import Any

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from server.formats.avc import AvcDecoderConfiguration, AvcError
from server.formats.avc_sets import LENGTH_SIZE, set_ids
from server.media import guard
from server.media.edit_streams import codec_of, configuration, fits_mp4, media_of, opened_file, origin_of, words_of
from server.media.orders import TIMESCALE
from server.media.problems import Unreadable

PLAIN = "yuv420p"


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    number = 0
    try:
        for source in arguments["sources"]:
            with opened_file(source) as opened:
                say({"event": "part", **_looked(opened)})
            number += 1
    except Unreadable as error:
        say({"event": "problem", "code": error.code, "detail": error.detail, "part": number})
    except FFmpegError as error:
        detail = f"it can't be read ({error.strerror})"
        say({"event": "problem", "code": "invalid", "detail": detail, "part": number})


def _looked(opened: InputContainer) -> dict[str, Any]:
    """Raises Unreadable, FFmpegError."""
    media = media_of(opened)
    if not media:
        raise Unreadable("no-tracks", "there is nothing to see or hear in it")
    origin = origin_of(opened)
    pictures = next((stream for stream in media if isinstance(stream, VideoStream)), None)
    end, hides = _passed(opened, media)
    return {
        "pictures": _stream(pictures) if pictures else None,
        "sounds": [_stream(stream) for stream in media if isinstance(stream, AudioStream)],
        "start_s": float(origin),
        "length": max(1, round((end - origin) * TIMESCALE)),
        "hides": hides,
        "fits_mp4": fits_mp4(opened),
        "sets": _sets(pictures) if pictures else None,
    }


def _stream(stream: VideoStream | AudioStream) -> dict[str, str]:
    return {"words": words_of(stream), "configuration": hashlib.sha256(configuration(stream)).hexdigest()}


def _sets(stream: VideoStream) -> list[int] | None:
    """Ids of its parameter sets, where others could share its track."""
    if codec_of(stream) != "h264" or stream.pix_fmt != PLAIN:
        return None
    try:
        record = configuration(stream)
        if AvcDecoderConfiguration.parse(record).length_size != LENGTH_SIZE:
            return None
        return sorted(set_ids(record))
    except AvcError:
        return None


def _passed(opened: InputContainer, media: list[VideoStream | AudioStream]) -> tuple[Fraction, bool]:
    """When the last of what is shown ends, and whether something is not to be shown: pictures that only others need."""
    end, hides = Fraction(0), False
    last: dict[int, tuple[Fraction, Fraction]] = {}  # by stream: when its last packet is shown, and the one before
    for packet in opened.demux(media):
        if packet.pts is None:
            continue
        if packet.is_discard:
            hides = hides or packet.stream.type == "video"
            continue
        index, shown = packet.stream.index, packet.pts * packet.time_base
        known = last.get(index)
        usual = shown - known[0] if known else Fraction(0)
        if known is None or shown > known[0]:
            last[index] = shown, usual
        lasts = packet.duration * packet.time_base if packet.duration else max(usual, Fraction(0))
        end = max(end, shown + lasts)
    return end, hides


if __name__ == "__main__":
    guard.run(work)
