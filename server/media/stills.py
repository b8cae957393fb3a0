"""Single pictures out of a video, wherever it lies. Runs in children only: it imports av.

    Indexed     an upload by its saved index: only the bytes of the wanted pictures are read
    Demuxed     an upload without one, by libav
    Segmented   segments of our own making, some of a recording
    Still       one picture file

Times are seconds from the presentation's start, as a player counts them.
"""

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from server.formats.fmp4.box import find
from server.formats.fmp4.index import MAX_REORDER, MovieIndex
from server.formats.fmp4.read import read_samples
from server.formats.sample import VideoConfig
from server.media.containers import HEAD_BYTES, container_of
from server.media.decoding import BOUNDED, Decoder
from server.media.demux import open_as, open_container
from server.media.pictures import DecodeError

MAX_INDEX_BYTES = 512 << 20
MAX_SEGMENT_BYTES = 256 << 20
# Pixels of a picture that is decoded: 8K and a little; a bomb of a few bytes claims 20,000 by 20,000.
MAX_PIXELS = 8192 * 4608
PICTURES = "png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,gif"
STSD = b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"
STSD_FIELDS = 8  # version, flags and the count of entries


class Shot(NamedTuple):
    at_s: float
    frame: VideoFrame


class Stills(Protocol):
    """Every method raises DecodeError or FFmpegError when there is no picture to be had."""

    rotation: int  # degrees clockwise that the pictures are to be turned
    sar: tuple[int, int]

    def key(self, at_s: float) -> Shot:
        """The key frame nearest to a time; of a file without an index the one before it."""
        ...

    def exact(self, at_s: float) -> Shot:
        """The picture shown at a time; the last one beyond the end."""
        ...

    def between(self, start_s: float, end_s: float) -> Iterator[Shot]:
        """All pictures shown in this time, in their order."""
        ...


def opened(where: dict[str, Any]) -> Stills:
    """By what calls.images says of the source. Raises DecodeError, FFmpegError."""
    kind = where["kind"]
    if kind == "indexed":
        return Indexed(where["source"], where["index"])
    if kind == "segments":
        return Segmented(where["inits"], where["segments"])
    return Still(where["source"]) if kind == "picture" else Demuxed(where["source"])


def image(descriptor: int | None) -> VideoFrame | None:
    """The picture of a file. Raises DecodeError."""
    if descriptor is None:
        return None
    try:
        return Still(descriptor).key(0.0).frame
    except FFmpegError as error:
        raise DecodeError("it is no picture") from error


class Indexed:
    def __init__(self, source: int, index: int) -> None:
        track = MovieIndex.from_bytes(os.pread(index, MAX_INDEX_BYTES, 0)).video
        if track is None or not isinstance(track.config, VideoConfig):
            raise DecodeError("it has none")
        _bounded(track.config.width, track.config.height)
        self.rotation, self.sar = track.config.rotation, track.config.sar
        self._source, self._track, self._config = source, track, track.config
        # key frames that the edit list hides are passed over, unless there are no others
        self._keys = [key for key in track.keys if track.shown(key) >= 0] or list(track.keys)[-1:]
        if not self._keys:
            raise DecodeError("it has no key frame")
        self._alone: Decoder | None = None

    def key(self, at_s: float) -> Shot:
        track, keys = self._track, self._keys
        wanted = round(at_s * self._config.timescale)
        after = min(bisect_left(keys, wanted, key=track.shown), len(keys) - 1)
        key = min(keys[max(0, after - 1) : after + 1], key=lambda one: abs(track.shown(one) - wanted))
        if self._alone is None:
            self._alone = self._decoder()
        frame = self._alone.alone(self._read(key))
        if frame is None:
            raise DecodeError("the key frame can't be decoded")
        return Shot(track.shown(key) / self._config.timescale, frame)

    def exact(self, at_s: float) -> Shot:
        wanted = round(at_s * self._config.timescale)
        first = self._key_before(wanted)
        samples = self._near(first, wanted)
        target = max(samples, key=self._track.shown)
        decoder, frame = self._decoder(many=True), None
        for each in self._decode(decoder, range(first, target + 1), only=target):
            frame = each  # the last one out is the wanted one, or the best there is of a damaged file
            if each.pts == self._track.shown(target):
                break
        if frame is None or frame.pts is None:
            raise DecodeError("no picture comes out of the decoder")
        return Shot(frame.pts / self._config.timescale, frame)

    def between(self, start_s: float, end_s: float) -> Iterator[Shot]:
        track, scale = self._track, self._config.timescale
        start, end = round(start_s * scale), round(end_s * scale)
        first = self._key_before(start)
        last = max(self._near(self._key_before(end), end))
        for frame in self._decode(self._decoder(many=True), range(first, last + 1)):
            if frame.pts is not None and start <= frame.pts < min(end, track.last_shown):
                yield Shot(frame.pts / scale, frame)

    def _key_before(self, wanted: int) -> int:
        return self._keys[max(0, bisect_right(self._keys, wanted, key=self._track.shown) - 1)]

    def _near(self, first: int, wanted: int) -> list[int]:
        """The samples from a key frame on that are shown until `wanted`; the key frame alone if none is."""
        after = bisect_right(self._keys, first)
        end = self._keys[after] + MAX_REORDER if after < len(self._keys) else len(self._track.samples)
        shown = self._track.shown
        return [n for n in range(first, min(end, len(self._track.samples))) if shown(n) <= wanted] or [first]

    def _decode(self, decoder: Decoder, samples: range, only: int | None = None) -> Iterator[VideoFrame]:
        for number in samples:
            if only is not None:
                decoder.skip_unreferenced(number != only)
            pts, dts = self._track.shown(number), self._track.samples.dts[number] + self._track.shift
            yield from decoder.decode(pts, dts, self._read(number))
        yield from decoder.finish()

    def _decoder(self, many: bool = False) -> Decoder:
        return Decoder(self._config.sample_entry, self._config.timescale, many)

    def _read(self, number: int) -> bytes:
        ranges = self._track.samples.ranges(number, number + 1)
        return b"".join(os.pread(self._source, size, at) for at, size in ranges)


class Demuxed:
    sar = (1, 1)
    rotation = 0

    def __init__(self, source: int) -> None:
        container = container_of(os.pread(source, HEAD_BYTES, 0))
        if container is None:
            raise DecodeError("it is no media")
        self._opened = open_container(source, container)
        streams = [s for s in self._opened.streams.video if not s.disposition & s.disposition.attached_pic]
        if not streams:
            raise DecodeError("it has none")
        self._stream: VideoStream = streams[0]
        self._stream.codec_context.options = dict(BOUNDED)
        _bounded(self._stream.width, self._stream.height)
        ratio = self._stream.sample_aspect_ratio or 1
        self.sar = ratio.as_integer_ratio()
        self._start_s = (self._opened.start_time or 0) / 1_000_000

    def key(self, at_s: float) -> Shot:
        self._stream.codec_context.skip_frame = "NONKEY"
        for shot in self._from(at_s):
            return shot
        raise DecodeError("nothing comes out of the decoder")

    def exact(self, at_s: float) -> Shot:
        self._stream.codec_context.skip_frame = "DEFAULT"
        found: Shot | None = None
        for shot in self._from(at_s):
            if found is not None and shot.at_s > at_s:
                break
            found = shot
        if found is None:
            raise DecodeError("nothing comes out of the decoder")
        return found

    def between(self, start_s: float, end_s: float) -> Iterator[Shot]:
        self._stream.codec_context.skip_frame = "DEFAULT"
        for shot in self._from(start_s):
            if shot.at_s >= end_s:
                return
            if shot.at_s >= start_s:
                yield shot

    def _from(self, at_s: float) -> Iterator[Shot]:
        """Pictures from the key frame before a time on; from the beginning where the file can't be sought in."""
        base = self._stream.time_base
        if base is not None:
            try:
                self._opened.seek(int((at_s + self._start_s) / base), stream=self._stream)
            except FFmpegError:
                self._opened.seek(0, any_frame=True)
        for frame in self._opened.decode(self._stream):
            self.rotation = -frame.rotation % 360 if hasattr(frame, "rotation") else 0
            yield Shot((frame.time or 0.0) - self._start_s, frame)


class Segmented:
    rotation = 0

    def __init__(self, inits: Sequence[int], segments: Sequence[tuple[int, int, float]]) -> None:
        """`segments` are (descriptor, which of `inits`, when it is shown in seconds), in order."""
        if not segments:
            raise DecodeError("it has none")
        self._inits = [_Init(os.pread(init, MAX_SEGMENT_BYTES, 0)) for init in inits]
        self._segments = segments
        self.sar = self._inits[segments[0][1]].sar

    def key(self, at_s: float) -> Shot:
        descriptor, which, start_s = self._at(at_s)
        samples = read_samples(os.pread(descriptor, MAX_SEGMENT_BYTES, 0))
        if not samples:
            raise DecodeError("the segment is empty")
        frame = self._inits[which].decoder().alone(samples[0].data)
        if frame is None:
            raise DecodeError("the key frame can't be decoded")
        return Shot(start_s, frame)

    def exact(self, at_s: float) -> Shot:
        found: Shot | None = None
        for shot in self._decoded(self._at(at_s)):
            if found is not None and shot.at_s > at_s:
                break
            found = shot
        if found is None:
            raise DecodeError("nothing comes out of the decoder")
        return found

    def between(self, start_s: float, end_s: float) -> Iterator[Shot]:
        for segment in self._segments:
            for shot in self._decoded(segment):
                if start_s <= shot.at_s < end_s:
                    yield shot

    def _at(self, at_s: float) -> tuple[int, int, float]:
        return self._segments[max(0, bisect_right(self._segments, at_s, key=lambda one: one[2]) - 1)]

    def _decoded(self, segment: tuple[int, int, float]) -> Iterator[Shot]:
        descriptor, which, start_s = segment
        init = self._inits[which]
        samples = read_samples(os.pread(descriptor, MAX_SEGMENT_BYTES, 0))
        first, decoder = min((sample.pts for sample in samples), default=0), init.decoder()
        for sample in samples:
            for frame in decoder.decode(sample.pts, sample.dts, sample.data):
                yield Shot(start_s + ((frame.pts or 0) - first) / init.timescale, frame)
        for frame in decoder.finish():
            yield Shot(start_s + ((frame.pts or 0) - first) / init.timescale, frame)


class _Init:
    """An init segment of our own."""

    def __init__(self, data: bytes) -> None:
        stsd, mdhd = find(data, *STSD), find(data, b"moov", b"trak", b"mdia", b"mdhd")
        if stsd is None or mdhd is None:
            raise DecodeError("there is no init segment")
        self.sample_entry = data[stsd.start + STSD_FIELDS : stsd.end]
        self.timescale = int.from_bytes(data[mdhd.start + 12 : mdhd.start + 16], "big") or 1
        pasp = find(self.sample_entry, b"pasp", start=86)
        values = self.sample_entry[pasp.start : pasp.end] if pasp else b"\0\0\0\1\0\0\0\1"
        self.sar = int.from_bytes(values[:4], "big") or 1, int.from_bytes(values[4:8], "big") or 1

    def decoder(self) -> Decoder:
        return Decoder(self.sample_entry, self.timescale)


class Still:
    sar = (1, 1)
    rotation = 0

    def __init__(self, source: int) -> None:
        self._opened = open_as(source, None, PICTURES)
        if not self._opened.streams.video:
            raise DecodeError("it is no picture")
        stream = self._opened.streams.video[0]
        _bounded(stream.width, stream.height)

    def key(self, at_s: float) -> Shot:
        for frame in self._opened.decode(video=0):
            return Shot(0.0, frame)
        raise DecodeError("it is no picture")

    exact = key

    def between(self, start_s: float, end_s: float) -> Iterator[Shot]:
        yield self.key(0.0)


def _bounded(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DecodeError(f"{width} x {height} pixels are more than are taken")
