"""Stretches of files as a new file, copied by a child: server.media.splicer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from server.media.child import Children, Limits
from server.media.problems import MediaProblem

GIB = 1 << 30
NICE = 5
CPU_S, CPU_S_A_GIB = 60, 60
TIMEOUT_S, TIMEOUT_S_A_GIB = 120.0, 600.0
OUTPUT_BYTES = 64 << 20  # headers beside the payload
DIFFERENT = "different"  # pieces that are not coded alike


@dataclass(frozen=True, slots=True)
class Stretch:
    """Of the file behind `source`, in seconds of what it shows; only the first of several may not be a whole file."""

    source: int
    size: int
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there is no file, and because of which stretch."""

    problem: MediaProblem
    stretch: int


@dataclass(frozen=True, slots=True)
class Spliced:
    """A new file. One that is not exact to the picture begins with the key frame before, `lead_s` too early."""

    exact: bool
    starts_s: tuple[float, ...] = (0.0,)  # when each stretch begins
    lead_s: float = 0.0


async def splice(
    children: Children,
    stretches: Sequence[Stretch],
    output: int,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Spliced | Refused:
    """Raises ChildFailed."""
    said: dict[str, dict[str, Any]] = {}
    size = sum(stretch.size for stretch in stretches)

    def on_line(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            on_progress(event["share"])
        else:
            said[event["event"]] = event

    pieces = [{"source": each.source, "start_s": each.start_s, "end_s": each.end_s} for each in stretches]
    await children.run(
        "server.media.splicer",
        {"pieces": pieces, "output": output},
        [*(each.source for each in stretches), output],
        limits=Limits(
            cpu_s=CPU_S + round(CPU_S_A_GIB * size / GIB),
            file_bytes=size + size // 4 + OUTPUT_BYTES,
            files=64 + len(stretches),
            nice=NICE,
        ),
        timeout_s=TIMEOUT_S + TIMEOUT_S_A_GIB * size / GIB,
        on_line=on_line,
    )
    if "spliced" in said:
        told = said["spliced"]
        return Spliced(told["exact"], tuple(told["starts"]), told["lead_s"])
    told = said.get("problem", {"code": "failed", "detail": "nothing was made", "piece": 0})
    return Refused(MediaProblem(told["code"], told["detail"]), told["piece"])
