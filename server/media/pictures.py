"""Decoding single pictures and making JPEGs of them. Runs in children only: it imports av."""

from collections.abc import Iterator, Mapping
from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from server.formats.aac import asc_of
from server.formats.fmp4.box import find
from server.formats.sample import TrackConfig, VideoConfig
from server.media import units
from server.media.fitting import Box, Filter, Size, scaled, trimmed

# The longer side of a poster, pixels: it fills a player; larger ones cost more than the first segment.
MAX_SIDE = 1280
# Of a watermark: it fills a picture of 4K, and as a PNG at its worst still fits into the file that a child may write.
MAX_MARK_SIDE = 3840
JPEG_QUALITY = "4"  # quantiser, 2 (best) to 31
# Luma is judged on a picture this small, 0 to 255.
JUDGED_WIDTH, JUDGED_HEIGHT = 64, 36
# Sharpness is seen only in more of it.
SHARP_WIDTH, SHARP_HEIGHT = 320, 180
# output -> encoder, pixel format, options
STILL_FORMATS: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "jpg": ("mjpeg", "yuvj420p", {"qmin": JPEG_QUALITY, "qmax": JPEG_QUALITY}),
    "webp": ("libwebp", "yuv420p", {"quality": "80", "compression_level": "2"}),
    "png": ("png", "rgba", {}),
}
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
        context.decode(units.packet(sample))
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
        frames = [*context.decode(units.packet(unit)), *context.decode(None)]
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


def sharpness(frame: VideoFrame) -> float:
    """Mean difference of neighbouring points' luma, 0 (flat or blurred) to 255."""
    small = frame.reformat(SHARP_WIDTH, SHARP_HEIGHT, "gray", interpolation="BILINEAR")
    values = _rows(small)
    return sum(map(abs, map(int.__sub__, values[1:], values))) / (len(values) - 1)


def jpeg(frame: VideoFrame, rotation: int = 0, sar: tuple[int, int] = (1, 1), max_side: int = MAX_SIDE) -> bytes:
    """The picture as it is to be shown: turned `rotation` degrees clockwise, in square pixels."""
    return coded(fitted(frame, Box(max_side, max_side), rotation, sar), "jpg")


def coded(picture: VideoFrame, output: str) -> bytes:
    """A fitted picture as a `jpg` or `webp` file. Raises FFmpegError."""
    encoder, pixels, options = STILL_FORMATS[output]
    context = VideoCodecContext.create(encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = picture.width, picture.height, pixels
    context.time_base = Fraction(1, 25)
    context.options = dict(options)
    if picture.format.name != pixels:
        picture = picture.reformat(format=pixels, src_color_range="JPEG", dst_color_range="MPEG")
    picture.pts, picture.time_base = 0, context.time_base
    picture.pict_type = av.video.frame.PictureType.NONE
    return b"".join(bytes(packet) for packet in (*context.encode(picture), *context.encode(None)))


def transparent(frame: VideoFrame) -> VideoFrame:
    """The picture with what can be seen through, no side longer than MAX_MARK_SIDE. Raises FFmpegError."""
    factor = min(1.0, MAX_MARK_SIDE / max(frame.width, frame.height))
    width, height = (max(1, round(side * factor)) for side in (frame.width, frame.height))
    return frame.reformat(width, height, "rgba", interpolation="AREA")


def fitted(frame: VideoFrame, box: Box, rotation: int = 0, sar: tuple[int, int] = (1, 1)) -> VideoFrame:
    """The picture upright, in square pixels and in the wanted size, with a JPEG's colours. Raises FFmpegError."""
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    graph = av.filter.Graph()  # has to outlive its nodes: they do not keep it alive
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    shaping = steps(frame.width, frame.height, rotation, sar, box)
    graph.link_nodes(source, *(graph.add(name, given) for name, given in shaping), graph.add("buffersink"))
    graph.configure()
    graph.push(frame)
    shown = graph.pull()
    assert isinstance(shown, VideoFrame)
    return shown


def steps(
    width: int,
    height: int,
    rotation: int,
    sar: tuple[int, int],
    box: Box,
    colours: str = "full",
    pixels: str = "yuvj420p",
) -> Iterator[Filter]:
    """The filters between the decoded picture and the wanted one; `colours` are their range, full or tv."""
    shown = turned((max(1, round(width * sar[0] / sar[1])), height), rotation)
    across, down = turned(scaled(shown, box), rotation)
    yield "scale", f"{across}:{down}:out_range={colours}:out_color_matrix=bt601"
    yield "format", pixels
    yield from (("transpose", f"dir={turn}") for turn in upright(rotation))
    yield from trimmed(shown, box)
    yield "setsar", "1"


def turned(size: Size, rotation: int) -> Size:
    """Width and height of a picture that is turned."""
    return (size[1], size[0]) if rotation in (90, 270) else size


def upright(rotation: int) -> tuple[str, ...]:
    """The turns that `rotation` degrees clockwise are made of."""
    return TURNS.get(rotation, ())
