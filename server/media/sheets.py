"""Storyboards: small pictures of a whole video on one sheet, which players show over the time line.

Runs in children only: it imports av.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from av.error import FFmpegError
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

from server.media.fitting import Box, Size, scaled
from server.media.pictures import DecodeError, turned, upright
from server.media.stills import Stills

TILE = 192  # pixels of a tile's longer side
COLUMNS = 10
GREY = b"\x80"


class _Tiles:
    """Pictures scaled to tiles, by one filter graph as long as they have one shape."""

    def __init__(self, size: Size, rotation: int) -> None:
        self._size = size
        self._rotation = rotation
        self._graph: Graph | None = None
        self._ends: tuple[FilterContext, FilterContext] | None = None
        self._shape: object = None

    def tile(self, frame: VideoFrame) -> VideoFrame:
        shape = frame.width, frame.height, frame.format.name
        if self._graph is None or self._ends is None or shape != self._shape:
            self._graph, self._ends, self._shape = *self._built(frame), shape
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        self._ends[0].push(frame)
        made = self._ends[1].pull()
        assert isinstance(made, VideoFrame)
        return made

    def _built(self, frame: VideoFrame) -> tuple[Graph, tuple[FilterContext, FilterContext]]:
        graph = Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
        )
        sink = graph.add("buffersink")
        width, height = turned(self._size, self._rotation)
        scale = graph.add("scale", f"{width}:{height}:flags=fast_bilinear:out_range=full:out_color_matrix=bt601")
        turns = [graph.add("transpose", f"dir={turn}") for turn in upright(self._rotation)]
        graph.link_nodes(source, scale, graph.add("format", "yuvj420p"), *turns, sink)
        graph.configure()
        return graph, (source, sink)


def sheet(source: Stills, times: Sequence[float]) -> tuple[VideoFrame, dict[str, Any]]:
    """The sheet, and what is on it: tiles in rows, as many as `times`. Raises DecodeError, FFmpegError.

    A picture that can't be had is the one before it.
    """
    tiles: _Tiles | None = None
    size: Size = (0, 0)
    found: list[VideoFrame | None] = []
    for at_s in times:
        try:
            frame = source.key(at_s).frame
        except (DecodeError, FFmpegError):
            found.append(found[-1] if found else None)
            continue
        if tiles is None:
            shown = turned((round(frame.width * source.sar[0] / source.sar[1]), frame.height), source.rotation)
            size = scaled(shown, Box(TILE, TILE))
            tiles = _Tiles(size, source.rotation)
        found.append(tiles.tile(frame))
    if tiles is None:
        raise DecodeError("none of its key frames can be decoded")
    columns = min(COLUMNS, len(times))
    told = {"tile_width": size[0], "tile_height": size[1], "columns": columns, "tiles": len(times)}
    return _laid(found, size, columns), told


def _laid(tiles: Sequence[VideoFrame | None], size: Size, columns: int) -> VideoFrame:
    """The tiles row by row, on grey."""
    width, height = size
    rows = -(-len(tiles) // columns)
    laid = VideoFrame(width * columns, height * rows, "yuvj420p")
    for number, plane in enumerate(laid.planes):
        half = 2 if number else 1
        across, down, stride = width // half, height // half, plane.line_size
        canvas = bytearray(GREY * (stride * plane.height))
        for place, tile in enumerate(tiles):
            if tile is None:
                continue
            row, column = divmod(place, columns)
            data, step = bytes(tile.planes[number]), tile.planes[number].line_size
            for line in range(down):
                at = (row * down + line) * stride + column * across
                canvas[at : at + across] = data[line * step : line * step + across]
        plane.update(bytes(canvas[: plane.buffer_size]).ljust(plane.buffer_size, GREY))
    return laid
