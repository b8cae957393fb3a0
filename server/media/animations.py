"""A few seconds of a video as GIF, WebP or MP4 without sound. Runs in children only: it imports av."""

import io
from collections.abc import Iterator, Mapping
from fractions import Fraction

import av
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from server.media.fitting import Box
from server.media.pictures import DecodeError, steps
from server.media.stills import Stills

# output -> container, encoder, pixel format, options
FORMATS: Mapping[str, tuple[str, str, str, dict[str, str]]] = {
    "gif": ("gif", "gif", "pal8", {}),
    "webp": ("webp", "libwebp_anim", "yuv420p", {"quality": "60", "compression_level": "2"}),
    "mp4": ("mp4", "libx264", "yuv420p", {"preset": "veryfast", "crf": "26"}),
}
MUXING: Mapping[str, dict[str, str]] = {"gif": {"loop": "0"}, "webp": {"loop": "0"}, "mp4": {}}


def made(source: Stills, start_s: float, end_s: float, box: Box, fps: int, output: str) -> tuple[bytes, int]:
    """The file, and how many pictures it has. Raises DecodeError, FFmpegError."""
    container, encoder, pixels, options = FORMATS[output]
    out, count, base = io.BytesIO(), 0, Fraction(1, fps)
    with av.open(out, "w", format=container, options=MUXING[output]) as target:
        stream = target.add_stream(encoder, rate=fps)
        assert isinstance(stream, VideoStream)
        stream.options, stream.pix_fmt, stream.codec_context.time_base = {**options}, pixels, base
        for frame in _filtered(_steady(source, start_s, end_s, fps), source, box, output):
            if not count:
                stream.width, stream.height = frame.width, frame.height
            frame.pts, frame.time_base, frame.pict_type = count, base, PictureType.NONE
            target.mux(stream.encode(frame))
            count += 1
        if not count:
            raise DecodeError("no picture is shown in this time")
        target.mux(stream.encode(None))
    return out.getvalue(), count


def _steady(source: Stills, start_s: float, end_s: float, fps: int) -> Iterator[VideoFrame]:
    """The pictures at `fps` a second: some left out, some shown again."""
    number, held = 0, None
    for at_s, frame in source.between(start_s, end_s):
        while held is not None and at_s > start_s + number / fps:
            yield held
            number += 1
        held = frame
    while held is not None and start_s + number / fps < end_s:
        yield held
        number += 1


def _filtered(frames: Iterator[VideoFrame], source: Stills, box: Box, output: str) -> Iterator[VideoFrame]:
    graph: Graph | None = None
    for number, frame in enumerate(frames):
        if graph is None:
            graph = _graph(frame, source, box, output)
        frame.pts, frame.time_base = number, Fraction(1, 1000)
        graph.push(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _graph(frame: VideoFrame, source: Stills, box: Box, output: str) -> Graph:
    graph = Graph()
    first = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
    )
    shaping = list(steps(frame.width, frame.height, source.rotation, source.sar, box, "tv", "yuv420p"))
    nodes = [graph.add(name, given) for name, given in shaping]
    sink = graph.add("buffersink")
    if output != "gif":
        graph.link_nodes(first, *nodes, sink)
    else:  # one palette for all of it
        split, palette, use = graph.add("split", "2"), graph.add("palettegen"), graph.add("paletteuse", "dither=bayer")
        graph.link_nodes(first, *nodes, split)
        split.link_to(use, 0, 0)
        split.link_to(palette, 1, 0)
        palette.link_to(use, 0, 1)
        use.link_to(sink)
    graph.configure()
    return graph


def _pulled(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if isinstance(frame, VideoFrame):
            yield frame
