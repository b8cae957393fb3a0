"""Coded pictures of real files, as samples of a stream."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from server.formats.fmp4.movie import read_index
from server.formats.sample import VideoConfig
from server.media.wire import Unit


@dataclass(frozen=True, slots=True)
class Coded:
    config: VideoConfig
    units: Sequence[Unit]

    @property
    def keys(self) -> list[int]:
        """Presentation times of key frames."""
        return [unit.pts for unit in self.units if unit.key]


def coded(path: Path, timescale: int = 90_000) -> Coded:
    """The pictures of an MP4, shown from 0 on; times in `timescale`."""
    data = path.read_bytes()
    index = read_index(lambda offset, length: data[offset : offset + length], len(data))
    track = next(track for track in index.tracks if isinstance(track.config, VideoConfig))
    samples, config = track.samples, track.config
    assert isinstance(config, VideoConfig)
    first, keys, units = samples.pts(0), set(track.keys), []
    for number in range(len(samples)):
        ((offset, size),) = samples.ranges(number, number + 1)
        times = samples.pts(number), samples.dts[number]
        pts, dts = ((time - first) * timescale // config.timescale for time in times)
        units.append(Unit(0, pts, dts, number in keys, data[offset : offset + size]))
    return Coded(replace(config, timescale=timescale), units)


def decoded(record: bytes, units: Iterable[Unit]) -> list[VideoFrame]:
    """What a decoder makes of a rendition's pictures; it raises where one is damaged."""
    context = CodecContext.create("h264", "r")
    assert isinstance(context, VideoCodecContext)
    context.extradata = record
    frames: list[VideoFrame] = []
    for unit in units:
        packet = av.Packet(bytes(unit.data))
        packet.pts, packet.dts = unit.pts, unit.dts
        frames += context.decode(packet)
    return [*frames, *context.decode(None)]
