"""One picture in, the pictures of all renditions out. Runs in children only: it imports av.

One filter graph for all: a scaler made anew for every picture costs as much again as the scaling.
"""

from collections.abc import Sequence
from fractions import Fraction

from av.filter import Graph
from av.filter.context import FilterContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from server.media.ladder import Rung

Shape = tuple[int, int, str]


def shape_of(frame: VideoFrame) -> Shape:
    return frame.width, frame.height, frame.format.name


class Scaler:
    """For pictures of one shape."""

    def __init__(self, shape: Shape, rungs: Sequence[Rung], pixel_format: str, timescale: int) -> None:
        self.shape = shape
        self.rungs = tuple(rungs)
        self._graph = Graph()  # to be kept: its filters do not keep it alive
        width, height, source_format = shape
        time_base = Fraction(1, timescale)
        source = self._graph.add_buffer(
            width=width, height=height, format=VideoFormat(source_format), time_base=time_base
        )
        split = self._graph.add("split", str(len(rungs)))
        source.link_to(split)
        self._source = source
        self._sinks = [self._branch(split, index, rung, pixel_format) for index, rung in enumerate(rungs)]
        self._graph.configure()

    def _branch(self, split: FilterContext, index: int, rung: Rung, pixel_format: str) -> FilterContext:
        scale = self._graph.add("scale", f"{rung.width}:{rung.height}:flags=bicubic")
        pixels = self._graph.add("format", pixel_format)
        sink = self._graph.add("buffersink")
        split.link_to(scale, index, 0)
        scale.link_to(pixels)
        pixels.link_to(sink)
        return sink

    def scale(self, frame: VideoFrame) -> list[VideoFrame]:
        """A picture for each rung, in their order. Raises FFmpegError."""
        self._source.push(frame)
        return [self._pull(sink) for sink in self._sinks]

    def _pull(self, sink: FilterContext) -> VideoFrame:
        scaled = sink.pull()
        assert isinstance(scaled, VideoFrame)
        return scaled
