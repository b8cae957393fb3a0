"""The child that makes a slate: a picture or a short clip as a few seconds of H.264 that can be shown in a loop.

    arguments  {"media": fd, "slate": fd, "width", "height"}   the slate is an MP4 of one picture track
    events     {"event": "slate", "pictures"}                  it is written
               {"event": "problem", "code", "detail"}          nothing can be made of the file
"""

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from server.media import guard
from server.media.demux import open_as

FRAME_RATE = 30
STILL_S = 2  # a picture is shown so long before it comes again
MOST_S = 10  # of a clip
KEY_INTERVAL_S = 2
MAX_SIDE = 8192  # pixels of what comes
# Nothing that opens other files, and nothing rare.
FORMATS = "png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,gif,mov,mp4,matroska,webm,mpegts"
TIME_BASE = Fraction(1, FRAME_RATE)


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    try:
        pictures = _make(arguments["media"], arguments["slate"], arguments["width"], arguments["height"])
    except (FFmpegError, ValueError) as error:
        reason = error.strerror if isinstance(error, FFmpegError) else str(error)
        say({"event": "problem", "code": "invalid", "detail": f"no slate can be made of the file ({reason})"})
        return
    say({"event": "slate", "pictures": pictures})


def _make(media: int, slate: int, width: int, height: int) -> int:
    with (
        open_as(media, None, FORMATS) as source,
        open(slate, "wb", closefd=False) as out,
        av.open(out, "w", format="mp4") as target,
    ):
        stream = _encoder(target, width, height)
        count = 0
        for frame in _shown(source, width, height):
            frame.pts, frame.time_base, frame.pict_type = count, TIME_BASE, PictureType.NONE
            target.mux(stream.encode(frame))
            count += 1
        target.mux(stream.encode(None))
    if not count:
        raise ValueError("it holds no picture")
    os.fsync(slate)
    return count


def _encoder(target: OutputContainer, width: int, height: int) -> VideoStream:
    stream = target.add_stream("libx264", rate=FRAME_RATE)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    keys = str(KEY_INTERVAL_S * FRAME_RATE)
    stream.options = {"preset": "veryfast", "crf": "23", "g": keys, "keyint_min": keys, "sc_threshold": "0", "bf": "0"}
    return stream


def _shown(source: av.container.InputContainer, width: int, height: int) -> Iterator[VideoFrame]:
    """The pictures of the slate; a single one for STILL_S."""
    if not source.streams.video:
        raise ValueError("it holds no picture")
    stream = source.streams.video[0]
    if max(stream.width, stream.height) > MAX_SIDE:
        raise ValueError(f"its sides are longer than {MAX_SIDE} pixels")
    fitted: list[VideoFrame] = []
    for frame in _fitted(source, stream, width, height):
        fitted.append(frame)
        if len(fitted) >= MOST_S * FRAME_RATE:
            break
    yield from fitted if len(fitted) > FRAME_RATE // 2 else fitted[:1] * (STILL_S * FRAME_RATE)


def _fitted(
    source: av.container.InputContainer, stream: VideoStream, width: int, height: int
) -> Iterator[VideoFrame]:
    """In the size of the slate, with bars where the shape differs, at its frame rate."""
    graph: Graph | None = None
    for number, frame in enumerate(source.decode(stream)):
        if frame.pts is None:
            frame.pts, frame.time_base = number, TIME_BASE
        if graph is None:
            graph = _graph(frame, width, height)
        graph.push(frame)
        yield from _pull(graph)
    if graph is not None:
        graph.push(None)
        yield from _pull(graph)


def _graph(frame: VideoFrame, width: int, height: int) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    steps = [
        ("scale", f"{width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2"),
        ("pad", f"{width}:{height}:-1:-1"),
        ("setsar", "1"),
        ("fps", str(FRAME_RATE)),
        ("format", "yuv420p"),
    ]
    graph.link_nodes(source, *(graph.add(name, given) for name, given in steps), graph.add("buffersink"))
    graph.configure()
    return graph


def _pull(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if isinstance(frame, VideoFrame):
            yield frame


if __name__ == "__main__":
    guard.run(work)
