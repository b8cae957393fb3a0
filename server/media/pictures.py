"""Decoding single pictures and making JPEGs of them. Runs in children only: it imports av."""

from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from server.formats.aac import asc_of
from server.formats.fmp4.box import find
from server.formats.sample import TrackConfig, VideoConfig

# The longer side of a poster, pixels: it fills a player; larger ones cost more than the first segment.
MAX_SIDE = 1280
JPEG_QUALITY = "4"  # quantiser, 2 (best) to 31
# Luma is judged on a picture this small, 0 to 255.
JUDGED_WIDTH, JUDGED_HEIGHT = 64, 36
# Sample entries' fixed fields, and their box header.
VISUAL_ENTRY_BYTES = 86

TURNS = {90: ("clock",), 180: ("clock", "clock"), 270: ("cclock",)}


class DecodeError(ValueError):
    """The decoder does not take the bytes."""


def prove(config: TrackConfig, sample: bytes) -> None:
    """Raise DecodeError unless a decoder makes something of the track's first key frame, or frame of sound."""
    if isinstance(config, VideoConfig):
        if decode_one(decoder(config), sample) is None:
            raise DecodeError("no picture comes out of the decoder")
        return
    context = AudioCodecContext.create("aac", "r")
    context.extradata = asc_of(config.sample_entry)
    try:
        context.decode(av.Packet(sample))
    except FFmpegError as error:
        raise DecodeError(error.strerror) from error


def decoder(config: VideoConfig) -> VideoCodecContext:
    """An H.264 decoder that takes length-prefixed access units of this track."""
    found = find(config.sample_entry, b"avcC", start=VISUAL_ENTRY_BYTES)
    if found is None:
        raise ValueError("sample entry without avcC")
    context = VideoCodecContext.create("h264", "r")
    context.extradata = config.sample_entry[found.start : found.end]
    context.thread_type = "SLICE"  # frame threads would hold the only picture back
    return context


def decode_one(context: VideoCodecContext, unit: bytes) -> VideoFrame | None:
    """The picture of one key frame's access unit, or None. Raises DecodeError."""
    try:
        frames = [*context.decode(av.Packet(unit)), *context.decode(None)]
    except FFmpegError as error:
        raise DecodeError(error.strerror) from error
    finally:
        context.flush_buffers()
    return frames[0] if frames else None


def contrast(frame: VideoFrame) -> float:
    """Standard deviation of the luma, 0 (flat: black, white, a single colour) to about 127."""
    small = frame.reformat(JUDGED_WIDTH, JUDGED_HEIGHT, "gray", interpolation="AREA")
    values = _rows(small)
    mean = sum(values) / len(values)
    return float((sum(value * value for value in values) / len(values) - mean * mean) ** 0.5)


def _rows(frame: VideoFrame) -> bytes:
    """The luma of a gray picture without the padding at the end of its rows."""
    plane = frame.planes[0]
    data = bytes(plane)
    return b"".join(data[row * plane.line_size :][: frame.width] for row in range(frame.height))


def jpeg(frame: VideoFrame, rotation: int = 0, sar: tuple[int, int] = (1, 1), max_side: int = MAX_SIDE) -> bytes:
    """The picture as it is to be shown: turned `rotation` degrees clockwise, in square pixels."""
    shown = _shown(frame, rotation, sar, max_side)
    context = VideoCodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = shown.width, shown.height, "yuvj420p"
    context.time_base = Fraction(1, 25)
    context.options = {"qmin": JPEG_QUALITY, "qmax": JPEG_QUALITY}
    shown.pts, shown.time_base = 0, context.time_base
    shown.pict_type = av.video.frame.PictureType.NONE
    return b"".join(bytes(packet) for packet in (*context.encode(shown), *context.encode(None)))


def _shown(frame: VideoFrame, rotation: int, sar: tuple[int, int], max_side: int) -> VideoFrame:
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    graph = av.filter.Graph()  # has to outlive its nodes: they do not keep it alive
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    steps = _steps(frame.width, frame.height, rotation, sar, max_side)
    graph.link_nodes(source, *(graph.add(name, arguments) for name, arguments in steps), graph.add("buffersink"))
    graph.configure()
    graph.push(frame)
    shown = graph.pull()
    assert isinstance(shown, VideoFrame)
    return shown


def _steps(width: int, height: int, rotation: int, sar: tuple[int, int], max_side: int) -> Iterator[tuple[str, str]]:
    """The filters between the decoded picture and the shown one, as (name, arguments)."""
    wide = width * sar[0] / sar[1]
    scale = min(1.0, max_side / max(wide, height))
    # Chroma has half the samples each way: sides are even.
    sides = (max(2, round(side * scale / 2) * 2) for side in (wide, height))
    yield "scale", "{}:{}:out_range=full".format(*sides)
    yield "format", "yuvj420p"
    yield from (("transpose", f"dir={turn}") for turn in TURNS.get(rotation, ()))
