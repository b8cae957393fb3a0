"""Encoding as the server asks for it: an order, open descriptors, and news of each segment that is whole."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.media.child import Children, Limits
from server.media.orders import TIMESCALE, Described, PictureOrder, Segment, SoundOrder
from server.media.problems import MediaProblem

PICTURES = "server.media.encode"  # the child
GIB = 1 << 30
NICE = 10  # live streams and requests come first
URGENT_NICE = 2  # of what a viewer waits for
# Address space, not memory: pictures of 8K in the hands of a decoder and six encoders, and the maps of libav.
MEMORY_BYTES = 12 * GIB
IDLE_S = 30.0  # of a child that gets the least of a busy machine, and goes on anyhow
LEAST_S = 60.0  # for the start of a child and its first pictures
# Of a second of media on one core that is shared with everything else: 8K at 60 pictures a second takes some 150 s.
SLOWEST = 300.0
SLOWEST_SOUND = 5.0
MAX_BYTES_PER_S = 40_000_000  # that a rendition's file may grow by a second: three times the heaviest there is
LINES_BESIDE = 100
LINES_A_S = 2  # of sound that goes on behind the last cut

OnDescribed = Callable[[Described], None]
OnSegment = Callable[[Segment], None]


@dataclass(frozen=True, slots=True)
class Encoded:
    """What it took: pictures shown and those that could not be decoded, or why there are none."""

    pictures: int = 0
    damaged: int = 0
    skipped: int = 0  # decoded to come to the first one
    cpu_s: float = 0.0
    problem: MediaProblem | None = None


class Listener:
    """The news of a child, as values."""

    def __init__(self, on_described: OnDescribed, on_segment: OnSegment) -> None:
        self.result: dict[str, Any] = {}
        self.problem: MediaProblem | None = None
        self._on_described = on_described
        self._on_segment = on_segment

    def line(self, event: dict[str, Any]) -> None:
        kind = event.pop("event")
        if kind == "segment":
            self._on_segment(Segment(**event))
        elif kind == "described":
            look = tuple(event.get("look", ()))
            self._on_described(Described(**{**event, "init": base64.b64decode(event["init"]), "look": look}))
        elif kind == "problem":
            self.problem = MediaProblem(event["code"], event["detail"])
        elif kind == "result":
            self.result = event


async def encode_pictures(
    children: Children,
    source: int,
    index: int | None,
    order: PictureOrder,
    outputs: Mapping[str, int],
    on_described: OnDescribed,
    on_segment: OnSegment,
    watermark: int | None = None,
    urgent: bool = False,
) -> Encoded:
    """Appends the segments of each rendition to its output. The callbacks come on the loop, in the children's order;
    those of one rendition in the order of its segments. `watermark` is the image of the order's; somebody
    waits for what is `urgent`, which a child of `soon` may do. Raises ChildFailed."""
    length_s = (order.cuts[-1] - order.cuts[0]) / TIMESCALE
    listener = Listener(on_described, on_segment)
    fds = [source, *(each for each in (index, watermark) if each is not None), *outputs.values()]
    result = await children.run(
        PICTURES,
        {
            "source": source,
            "index": index,
            "order": order.to_json(),
            "outputs": dict(outputs),
            "watermark": watermark,
        },
        fds,
        limits=_limits(length_s, SLOWEST, len(fds), URGENT_NICE if urgent else NICE),
        timeout_s=LEAST_S + length_s * SLOWEST,
        on_line=listener.line,
        idle_s=IDLE_S,
        max_lines=LINES_BESIDE + len(order.cuts) * (len(order.rungs) + 1),
        spare=0 if urgent else None,
    )
    said = listener.result
    pictures, damaged, skipped = (said.get(name, 0) for name in ("pictures", "damaged", "skipped"))
    return Encoded(pictures, damaged, skipped, result.cpu_s, listener.problem)


def soon(children: Children) -> None:
    """Something urgent is to be encoded in a moment: a child for it is started now."""
    children.prepare(PICTURES, 1)


async def encode_sound(
    children: Children,
    source: int,
    index: int | None,
    order: SoundOrder,
    output: int,
    on_described: OnDescribed,
    on_segment: OnSegment,
) -> Encoded:
    """As `encode_pictures`, of one track of sound. Raises ChildFailed."""
    length_s = max(order.cuts[-1] / TIMESCALE, order.length_s)
    listener = Listener(on_described, on_segment)
    fds = [source, *([index] if index is not None else []), output]
    result = await children.run(
        "server.media.encode_sound",
        {"source": source, "index": index, "order": order.to_json(), "output": output},
        fds,
        limits=_limits(length_s, SLOWEST_SOUND, len(fds)),
        timeout_s=LEAST_S + length_s * SLOWEST_SOUND,
        on_line=listener.line,
        idle_s=IDLE_S,
        max_lines=LINES_BESIDE + len(order.cuts) + round(length_s * LINES_A_S),
    )
    return Encoded(cpu_s=result.cpu_s, problem=listener.problem)


def _limits(length_s: float, slowest: float, files: int, nice: int = NICE) -> Limits:
    seconds = LEAST_S + length_s
    return Limits(
        memory_bytes=MEMORY_BYTES,
        cpu_s=int(LEAST_S + length_s * slowest),
        file_bytes=int(seconds * MAX_BYTES_PER_S),
        files=64 + files,
        nice=nice,
    )
