"""One picture in, the pictures of all renditions out: turned, cropped, without fields, scaled to square pixels.

One filter graph for all. Runs in children only: it imports av.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from av.error import BlockingIOError, EOFError
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from server.media.ladder import Rung
from server.media.orders import TIMESCALE, Treatment
from server.media.scaling import Shape

Step = tuple[str, str]

WITH_ALPHA = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya")
TURNS: dict[int, tuple[Step, ...]] = {
    90: (("transpose", "clock"),),
    180: (("transpose", "clock"), ("transpose", "clock")),
    270: (("transpose", "cclock"),),
}


def steps(treatment: Treatment, alpha: bool) -> tuple[Step, ...]:
    """Filters before the split, by libav's names: fields become pictures while their lines are where they were."""
    found: list[Step] = []
    if treatment.interlaced:
        found.append(("bwdif", "mode=send_frame:deint=interlaced"))
    if treatment.crop is not None:
        x, y, width, height = treatment.crop
        found.append(("crop", f"{width}:{height}:{x}:{y}:exact=1"))
    found += TURNS.get(treatment.rotation % 360, ())
    if alpha:  # what can be seen through shows black
        found += [("premultiply", "inplace=1")]
    return tuple(found)


class Treater:
    """For pictures of one shape."""

    def __init__(self, shape: Shape, rungs: Sequence[Rung], treatment: Treatment, pixel_format: str) -> None:
        self.shape = shape
        self._graph = Graph()  # to be kept: its filters do not keep it alive
        width, height, source_format = shape
        source = self._graph.add_buffer(
            width=width, height=height, format=VideoFormat(source_format), time_base=Fraction(1, TIMESCALE)
        )
        last: FilterContext = source
        for name, arguments in steps(treatment, source_format.startswith(WITH_ALPHA)):
            following = self._graph.add(name, arguments)
            last.link_to(following)
            last = following
        split = self._graph.add("split", str(len(rungs)))
        last.link_to(split)
        self._source = source
        self._sinks = [self._branch(split, number, rung, pixel_format) for number, rung in enumerate(rungs)]
        self._graph.configure()

    def treat(self, frame: VideoFrame | None) -> Iterator[list[VideoFrame]]:
        """Pictures for all rungs, in their order; None: what was held back. Raises FFmpegError."""
        self._source.push(frame)
        while True:
            try:
                yield [_pulled(sink) for sink in self._sinks]
            except (BlockingIOError, EOFError):
                return

    def _branch(self, split: FilterContext, number: int, rung: Rung, pixel_format: str) -> FilterContext:
        last: FilterContext = split
        port = number
        for name, arguments in (
            ("scale", f"{rung.width}:{rung.height}:flags=bicubic"),
            ("setsar", "1" if rung.sar == (1, 1) else f"{rung.sar[0]}/{rung.sar[1]}"),
            ("format", pixel_format),
            ("buffersink", ""),
        ):
            following = self._graph.add(name, arguments) if arguments else self._graph.add(name)
            last.link_to(following, port, 0)
            last, port = following, 0
        return last


def _pulled(sink: FilterContext) -> VideoFrame:
    frame = sink.pull()
    if not isinstance(frame, VideoFrame):
        raise TypeError("a picture's filter gives no picture")
    return frame
