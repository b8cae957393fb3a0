"""One picture in, the pictures of all renditions out. Runs in children only: it imports av.

    without fields ─► cropped ─► turned ─► over black ─┬─► scaled ─► a rendition
                                                       └─► …
    with a stage:  … ─► scaled to the largest rendition ─► toned down ─► watermark ─┬─► …

One filter graph for all. High dynamic range and watermarks are dealt with once, in as few pixels as are wanted.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from av.error import BlockingIOError, EOFError
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from server.media import tone, watermarks
from server.media.ladder import Rung
from server.media.orders import TIMESCALE, Treatment
from server.media.scaling import Shape

Step = tuple[str, str]

WITH_ALPHA = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya")
WITHOUT_MATRIX = ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "mono", "x2")
FULL_RANGE = "yuvj"
TURNS: dict[int, tuple[Step, ...]] = {
    90: (("transpose", "clock"),),
    180: (("transpose", "clock"), ("transpose", "clock")),
    270: (("transpose", "cclock"),),
}
TIME_BASE = Fraction(1, TIMESCALE)
# Of what is made of RGB, and of what is toned down
BT709 = "colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
TO_LIGHT: tuple[Step, ...] = (("scale", "in_color_matrix=bt2020:flags=bicubic"), ("format", "gbrp10"))
FROM_LIGHT: tuple[Step, ...] = (
    ("scale", "out_color_matrix=bt709:out_range=tv"), ("format", "yuv420p"), ("setparams", BT709),
)  # fmt: skip


def steps(treatment: Treatment, shape: Shape) -> tuple[Step, ...]:
    """Filters before the split, by libav's names: fields become pictures while their lines are where they were."""
    found: list[Step] = []
    pixel_format = shape[2]
    if treatment.interlaced:
        found.append(("bwdif", "mode=send_frame:deint=interlaced"))
    if treatment.crop is not None:
        x, y, width, height = cropped(treatment, shape[:2])
        found.append(("crop", f"{width}:{height}:{x}:{y}:exact=1"))
    found += TURNS.get(treatment.rotation % 360, ())
    if pixel_format.startswith(WITH_ALPHA):  # what can be seen through shows black
        found += [("premultiply", "inplace=1")]
    if pixel_format.startswith(WITHOUT_MATRIX):
        found += FROM_LIGHT
    elif pixel_format.startswith(FULL_RANGE):
        found += [("scale", "out_range=tv"), ("format", "yuv420p")]
    return tuple(found)


def cropped(treatment: Treatment, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The area that is shown of pictures of this size: streams may change theirs, and show the same part of it."""
    if treatment.crop is None:
        return 0, 0, *size
    if treatment.coded is None or treatment.coded == size:
        return treatment.crop
    factors = [mine / told for mine, told in zip(size, treatment.coded, strict=True)] * 2
    x, y, width, height = (2 * int(value * factor / 2) for value, factor in zip(treatment.crop, factors, strict=True))
    return x, y, max(2, width), max(2, height)


class Treater:
    """For pictures of one shape. Raises FFmpegError, LengthError."""

    def __init__(
        self,
        shape: Shape,
        rungs: Sequence[Rung],
        treatment: Treatment,
        pixel_format: str,
        watermark: VideoFrame | None = None,
        stage: tuple[int, int] | None = None,
    ) -> None:
        """`stage`: width and height of what is done once; None: of the largest rendition."""
        self.shape = shape
        largest = max(rungs, key=lambda rung: rung.width * rung.height)
        self._inside = treatment.inside
        self._stage_size = treatment.inside or stage or (largest.width, largest.height)
        self._graph = Graph()  # to be kept: its filters do not keep it alive
        self._still: list[tuple[FilterContext, VideoFrame]] = []
        width, height, source_format = shape
        source = self._graph.add_buffer(
            width=width, height=height, format=VideoFormat(source_format), time_base=TIME_BASE
        )
        last = self._chain(source, steps(treatment, shape))
        if treatment.hdr or (treatment.watermark and watermark is not None):
            last = self._stage(last, treatment, watermark)
        split = self._graph.add("split", str(len(rungs)))
        last.link_to(split)
        self._source = source
        self._sinks = [self._branch(split, number, rung, pixel_format) for number, rung in enumerate(rungs)]
        self._graph.configure()
        for buffer, frame in self._still:
            buffer.push(frame)
            buffer.push(None)

    def treat(self, frame: VideoFrame | None) -> Iterator[list[VideoFrame]]:
        """Pictures for all rungs, in their order; None: what was held back. Raises FFmpegError."""
        self._source.push(frame)
        while True:
            try:
                yield [_pulled(sink) for sink in self._sinks]
            except (BlockingIOError, EOFError):
                return

    def _stage(self, last: FilterContext, treatment: Treatment, image: VideoFrame | None) -> FilterContext:
        """What is done once for all renditions."""
        width, height = self._stage_size
        last = self._chain(last, [("scale", f"{width}:{height}:flags=bicubic")])
        if treatment.hdr:
            last = self._join(self._chain(last, TO_LIGHT), "haldclut", "clut=first", _clut(treatment.hdr))
            last = self._chain(last, FROM_LIGHT)
        if treatment.watermark is not None and image is not None:
            last = self._marked(last, treatment, treatment.watermark, image)
        return last

    def _marked(
        self, last: FilterContext, treatment: Treatment, mark: watermarks.Watermark, image: VideoFrame
    ) -> FilterContext:
        scale = self._stage_size[1] / _lines(self.shape, treatment)
        at = watermarks.place(mark, self._stage_size, (image.width, image.height), scale)
        shaping = (
            ("scale", f"{at.width}:{at.height}:flags=bicubic"),
            ("format", "yuva420p"),
            ("colorchannelmixer", f"aa={mark.opacity:.3f}"),
        )
        return self._join(last, "overlay", f"{at.x}:{at.y}:format=auto", image, shaping)

    def _join(
        self, main: FilterContext, name: str, arguments: str, still: VideoFrame, shaping: Sequence[Step] = ()
    ) -> FilterContext:
        """A filter of two inputs whose second is one picture for good."""
        still.pts, still.time_base = 0, TIME_BASE
        buffer = self._graph.add_buffer(
            width=still.width, height=still.height, format=still.format, time_base=TIME_BASE
        )
        self._still.append((buffer, still))
        joined = self._graph.add(name, arguments)
        main.link_to(joined, 0, 0)
        self._chain(buffer, shaping).link_to(joined, 0, 1)
        return joined

    def _chain(self, last: FilterContext, chain: Sequence[Step], port: int = 0) -> FilterContext:
        for name, arguments in chain:
            following = self._graph.add(name, arguments) if arguments else self._graph.add(name)
            last.link_to(following, port, 0)
            last, port = following, 0
        return last

    def _branch(self, split: FilterContext, number: int, rung: Rung, pixel_format: str) -> FilterContext:
        width, height = self._inside or (rung.width, rung.height)
        bars = [("pad", f"{rung.width}:{rung.height}:(ow-iw)/2:(oh-ih)/2")] if self._inside else []
        chain = (
            ("scale", f"{width}:{height}:flags=bicubic"),
            *bars,
            ("setsar", "1" if rung.sar == (1, 1) else f"{rung.sar[0]}/{rung.sar[1]}"),
            ("format", pixel_format),
            ("buffersink", ""),
        )
        return self._chain(split, chain, number)


def _lines(shape: Shape, treatment: Treatment) -> int:
    """Of the source as it is shown."""
    width, height = cropped(treatment, shape[:2])[2:]
    return treatment.lines or (width if treatment.rotation % 180 else height)


def _clut(transfer: tone.Transfer) -> VideoFrame:
    pixels = tone.table(transfer)
    frame = VideoFrame(tone.SIDE, tone.SIDE, "rgb48le")
    plane, row = frame.planes[0], tone.SIDE * 6
    data = pixels.tobytes()
    lines = (data[at : at + row].ljust(plane.line_size, b"\0") for at in range(0, len(data), row))
    plane.update(b"".join(lines))
    return frame


def _pulled(sink: FilterContext) -> VideoFrame:
    frame = sink.pull()
    if not isinstance(frame, VideoFrame):
        raise TypeError("a picture's filter gives no picture")
    return frame
