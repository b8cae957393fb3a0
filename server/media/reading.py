"""The pictures of a source from a moment on, however it is read. Runs in children only: it imports av.

Times that come out are ticks of orders.TIMESCALE from the presentation's start.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from server.formats.fmp4.index import MAX_REORDER, MovieIndex, Track
from server.media import joined
from server.media.containers import Container
from server.media.decoding import BOUNDED, Decoder
from server.media.demux import open_container
from server.media.orders import TIMESCALE, Reading

# How far before a moment is sought, one after the other, until a picture comes out that is not after it: where there
# is no index a seek lands somewhere near.
MARGINS_S = (0.0, 2.0, 10.0, 60.0)
TIME_BASE = Fraction(1, TIMESCALE)


class Picture(NamedTuple):
    pts: int
    frame: VideoFrame


class Damage:
    """What could not be decoded."""

    def __init__(self) -> None:
        self.pictures = 0


class Source:
    """Opened once, read from as many moments as are asked for. Raises FFmpegError, DecoderError."""

    def __init__(self, source: int, index: int | None, reading: Reading, damage: Damage) -> None:
        self._source = source
        self._reading = reading
        self._damage = damage
        self._track = MovieIndex.from_bytes(_whole(index)).video if reading.indexed and index is not None else None
        self._keys = [self._track.samples.pts(key) for key in self._track.keys] if self._track else []

    def since(self, since: int) -> Iterator[Picture]:
        """In the order they are shown, from the one that is on show at `since` or before."""
        if self._track is not None:
            return self._indexed(self._track, since)
        read = _mended if self._reading.mended else _sought
        return read(self._source, self._reading, since, self._damage)

    def _indexed(self, track: Track, since: int) -> Iterator[Picture]:
        samples, timescale, offset = track.samples, track.config.timescale, self._reading.offset
        # The last of its ticks that is `since` at most in ours: one less, and a key frame at the very cut is missed
        wanted = ((since + 1) * timescale - 1) // TIMESCALE - offset
        first = track.keys[max(0, bisect_right(self._keys, wanted) - 1)]
        decoder = Decoder(track.config.sample_entry, timescale, in_frames=True)

        def placed(frames: list[VideoFrame]) -> Iterator[Picture]:
            for frame in frames:
                if frame.pts is not None:
                    yield Picture((frame.pts + offset) * TIMESCALE // timescale, frame)

        try:
            for sample in range(first, len(samples)):
                if track.end is not None and samples.dts[sample] + track.shift > track.end + MAX_REORDER * timescale:
                    break  # the rest is not shown
                data = b"".join(os.pread(self._source, size, at) for at, size in samples.ranges(sample, sample + 1))
                yield from placed(decoder.decode(samples.pts(sample), samples.dts[sample], data))
            yield from placed(decoder.finish())
        finally:
            self._damage.pictures += decoder.damaged


def pictures(source: int, index: int | None, reading: Reading, since: int, damage: Damage) -> Iterator[Picture]:
    """In the order they are shown, from the one that is on show at `since` or before. Raises FFmpegError."""
    return Source(source, index, reading, damage).since(since)


def _whole(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _mended(source: int, reading: Reading, since: int, damage: Damage) -> Iterator[Picture]:
    with open_container(source, Container(reading.demuxer, reading.demuxer)) as opened:
        stream = opened.streams[reading.stream]
        if not isinstance(stream, VideoStream):
            return
        stream.thread_type = "AUTO"
        stream.codec_context.options = dict(BOUNDED)
        for packet in joined.since(joined.packets(opened, reading.stream, reading.start_s), since):
            try:
                frames = stream.codec_context.decode(packet if packet.size else None)
            except FFmpegError:
                damage.pictures += 1
                continue
            yield from (Picture(frame.pts, frame) for frame in frames if frame.pts is not None)


def _sought(source: int, reading: Reading, since: int, damage: Damage) -> Iterator[Picture]:
    for margin_s in MARGINS_S:
        with open_container(source, Container(reading.demuxer, reading.demuxer)) as opened:
            moment_s = since / TIMESCALE - margin_s
            if moment_s > 0 and not _seek(opened, reading, moment_s):
                moment_s = 0
            found = _decoded(opened, reading, damage)
            first = next(found, None)
            if first is None or (first.pts > since and moment_s > 0):
                continue
            yield first
            yield from found
            return
    with open_container(source, Container(reading.demuxer, reading.demuxer)) as opened:
        yield from _decoded(opened, reading, damage)


def _seek(opened: InputContainer, reading: Reading, moment_s: float) -> bool:
    stream = opened.streams[reading.stream]
    try:
        opened.seek(round((moment_s + reading.start_s) / (stream.time_base or 1)), stream=stream)
    except FFmpegError:
        return False
    return True


def _decoded(opened: InputContainer, reading: Reading, damage: Damage) -> Iterator[Picture]:
    stream = opened.streams[reading.stream]
    if not isinstance(stream, VideoStream) or stream.time_base is None:
        return
    stream.thread_type = "AUTO"
    stream.codec_context.options = dict(BOUNDED)
    place = _placing(stream.time_base, reading.start_s)
    packets = opened.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except FFmpegError:  # the file is cut short: what came until here is shown
            damage.pictures += 1
            return
        try:
            frames = packet.decode()
        except FFmpegError:
            damage.pictures += 1
            continue
        for frame in frames:
            pts = frame.pts if frame.pts is not None else packet.pts
            if pts is not None:
                yield Picture(place(pts), frame)


def _placing(time_base: Fraction, start_s: float) -> Callable[[int], int]:
    """From libav's ticks."""
    scale, start = time_base * TIMESCALE, round(start_s * TIMESCALE)
    return lambda pts: round(pts * scale) - start
