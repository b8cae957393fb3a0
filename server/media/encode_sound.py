"""The child that encodes a whole track of sound as AAC, cut with the pictures.

    arguments  {"source": fd, "order": SoundOrder, "output": fd}
    events     {"event": "described", …}  {"event": "segment", …}  {"event": "result"}  {"event": "problem", …}
               as of `encode`

The encoder's run-up is left out, so that the first frame is heard at 0. Holes are filled with silence and overlaps cut,
which keeps sound in step with pictures; a drift below JUMP_S is left as it is, as players have it too.
"""

import base64
import os
from bisect import bisect_left
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.logging
from av.audio.codeccontext import AudioCodecContext
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from server.formats.aac import audio_config
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import audio_part
from server.media import guard, joined
from server.media.containers import Container
from server.media.demux import open_container
from server.media.downmix import Downmix
from server.media.orders import RATES, TIMESCALE, SoundOrder

FRAME = 1024
JUMP_S = Fraction(6, 100)
SILENCE_SAMPLES = 48_000  # that are made at a time
MAX_HOLE_S = 6 * 3600  # of silence in a row: timestamps beyond are damage
STEP_S = 2  # between cuts after the last picture
LAYOUTS = {1: "mono", 2: "stereo"}
STEREO = 2


class NoSound(Exception):
    """Nothing of the track could be decoded."""


class Output:
    """AAC frames, a segment at a time."""

    def __init__(self, order: SoundOrder, fd: int, rate: int, say: guard.Say) -> None:
        self._order = order
        self._fd = fd
        self._say = say
        self._cuts = [_frame_at(cut, rate) for cut in order.cuts[1:]]
        self._step = rate * STEP_S // FRAME
        self._frames: list[bytes] = []
        self._begun = 0  # frames before the open segment
        self._number = 0

    def take(self, data: bytes) -> None:
        self._frames.append(data)
        if self._begun + len(self._frames) >= self._end:
            self.finish()

    @property
    def _end(self) -> int:
        """The frame that the open segment ends before; the last cut is where pictures end, and sound may go on."""
        following = bisect_left(self._cuts, self._begun + 1)
        if following >= len(self._cuts) - 1:
            last = self._cuts[-1] if self._cuts else 0
            return max(last, self._begun) + self._step
        return self._cuts[following]

    def finish(self) -> None:
        if not self._frames:
            return
        frames, self._frames = self._frames, []
        if self._number >= self._order.first:
            data = audio_part(self._number + 1, self._begun * FRAME, FRAME, frames)
            left = memoryview(data)
            while left:
                left = left[os.write(self._fd, left) :]
            self._say(
                {
                    "event": "segment",
                    "rendition": self._order.rendition,
                    "number": self._number,
                    "start": self._begun * FRAME,
                    "duration": len(frames) * FRAME,
                    "size": len(data),
                }
            )
        self._begun += len(frames)
        self._number += 1


class Track:
    """Decoded frames in, AAC out."""

    def __init__(self, order: SoundOrder, output: int, rate: int, say: guard.Say) -> None:
        self._rate = rate
        self._layout = LAYOUTS[order.channels]
        self._fifo = AudioFifo()
        self._resampler: AudioResampler | Downmix | None = None
        self._shape: tuple[Any, ...] = ()
        self._heard = Fraction(0)  # samples of the output that have been given in
        self._context = AudioCodecContext.create("aac", "w")
        self._context.sample_rate, self._context.layout, self._context.format = rate, self._layout, "fltp"
        self._context.bit_rate, self._context.time_base = order.bitrate, Fraction(1, rate)
        self._context.flags |= 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER
        self._context.open()
        self._output = Output(order, output, rate, say)
        self._coded = 0
        config = audio_config(bytes(self._context.extradata or b""))
        say(
            {
                "event": "described",
                "rendition": order.rendition,
                "init": base64.b64encode(init_segment(config)).decode(),
                "codec": config.codec,
                "timescale": rate,
                "channels": order.channels,
            }
        )

    def take(self, frame: AudioFrame, at_s: Fraction | None) -> None:
        """`at_s`: when it is heard, None: right after the one before."""
        if at_s is not None:
            missing = at_s - self._heard / self._rate
            heard_before = -missing * frame.sample_rate >= frame.samples
            if heard_before and (missing < -JUMP_S or not self._heard):
                return
            if missing > JUMP_S or (missing > 0 and not self._heard):
                self._rest(min(missing, Fraction(MAX_HOLE_S)))
        frame.pts = None
        self._heard += Fraction(frame.samples * self._rate, frame.sample_rate)
        for made in self._resampled(frame):
            self._fifo.write(made)
        self._encode(partial=False)

    @property
    def heard(self) -> int:
        """Samples, at the output's rate."""
        return round(self._heard)

    def reach(self, at_s: Fraction) -> None:
        """Silence up to there."""
        if (missing := at_s - self._heard / self._rate) > 0:
            self._rest(missing)

    def finish(self) -> None:
        if not self._heard:
            raise NoSound
        self._end_resampling()
        self._encode(partial=True)
        self._code(None)
        self._output.finish()

    def _resampled(self, frame: AudioFrame) -> list[AudioFrame]:
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape != self._shape:
            self._end_resampling()
            many = frame.layout.nb_channels > STEREO and self._layout == LAYOUTS[STEREO]
            made = Downmix(frame, self._layout, self._rate) if many else None
            self._shape, self._resampler = shape, made or AudioResampler("fltp", self._layout, self._rate)
        return self._timeless(self._resampler.resample(frame)) if self._resampler else []

    def _end_resampling(self) -> None:
        if self._resampler is not None:
            for made in self._timeless(self._resampler.resample(None)):
                self._fifo.write(made)
            self._resampler, self._shape = None, ()

    def _timeless(self, frames: list[AudioFrame]) -> list[AudioFrame]:
        """The queue counts samples by itself; it takes no frames of another time base, which those have that need no
        resampling."""
        for frame in frames:
            frame.pts, frame.time_base = None, Fraction(1, self._rate)
        return frames

    def _rest(self, seconds: Fraction) -> None:
        """Silence."""
        self._end_resampling()
        samples = round(seconds * self._rate)
        self._heard += samples
        while samples:
            count = min(samples, SILENCE_SAMPLES)
            frame = AudioFrame("fltp", self._layout, count)
            frame.sample_rate, frame.pts = self._rate, None
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            self._fifo.write(frame)
            self._encode(partial=False)
            samples -= count

    def _encode(self, partial: bool) -> None:
        while (frame := self._fifo.read(FRAME, partial)) is not None:
            frame.pts, frame.time_base = self._coded, Fraction(1, self._rate)
            self._coded += frame.samples
            self._code(frame)

    def _code(self, frame: AudioFrame | None) -> None:
        for packet in self._context.encode(frame):
            if packet.pts is not None and packet.pts >= 0:  # else the encoder's run-up
                self._output.take(bytes(packet))


def _frame_at(cut: int, rate: int) -> int:
    """The frame whose beginning is nearest."""
    return round(Fraction(cut * rate, TIMESCALE * FRAME))


def decoded(source: int, order: SoundOrder) -> Iterator[tuple[AudioFrame, Fraction | None]]:
    """Frames, and when they are heard. What is damaged is left out."""
    reading = order.reading
    start_s = Fraction(reading.start_s).limit_denominator(10**9)
    with open_container(source, Container(reading.demuxer, reading.demuxer)) as opened:
        stream = opened.streams[reading.stream]
        if not isinstance(stream, AudioStream):
            return
        packets: Iterator[Packet[Any]] = opened.demux(stream)
        if reading.mended:
            packets, start_s = joined.packets(opened, reading.stream, reading.start_s), Fraction(0)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, FFmpegError):
                return
            try:
                frames = stream.codec_context.decode(packet if packet.size else None)
            except FFmpegError:
                continue
            for frame in frames:
                base = frame.time_base or stream.time_base
                at_s = None if frame.pts is None or base is None else frame.pts * base - start_s
                if frame.samples:
                    yield frame, at_s


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    av.logging.set_level(None)
    order = SoundOrder.of_json(arguments["order"])
    track: Track | None = None
    try:
        for frame, at_s in decoded(arguments["source"], order):
            if track is None:
                rate = frame.sample_rate if frame.sample_rate in RATES else RATES[0]
                track = Track(order, arguments["output"], rate, say)
            track.take(frame, at_s)
        if track is None:
            raise NoSound
        track.finish()
    except NoSound:
        say({"event": "problem", "code": "invalid", "detail": "nothing of the sound could be decoded"})
    except (FFmpegError, ValueError) as error:
        say({"event": "problem", "code": "invalid", "detail": f"the sound could not be read ({error})"})
    else:
        say({"event": "result"})


if __name__ == "__main__":
    guard.run(work)
