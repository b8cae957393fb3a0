"""How many bits a title deserves: some seconds of it are encoded small and by quality alone, and tell what it needs.

A lecture is as good with a third of the bits of a football match. Encoding by quality takes fewer of them by itself;
the ceiling that follows from the samples keeps its peaks low too, and lets playlists promise what is true. A title that
needs little is made finer: faults of what hardly moves are easily seen, and it takes few bits to have less of them.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Self

from server.media.calls import memory_file
from server.media.child import ChildFailed, Children
from server.media.encoding import encode_pictures
from server.media.ladder import MAX_BITRATE, MIN_BITRATE, Rung
from server.media.orders import TIMESCALE, PictureOrder, Segment

SAMPLES = 4  # at most, spread over the title; each costs a child, and the way from the key frame before
SAMPLE_S = 2
EACH_S = 6  # of a title, that one sample stands for: more of them cost about as much as they save
SHORTEST_S = 2 * EACH_S
PRESET = "superfast"
# Bits grow with pixels to this power at the same quality: what is larger is smoother.
GROWTH = 0.75
# H.264's quantiser doubles with so many steps of quality, and the bits halve.
DOUBLING = 6
# The hardest sample times this: there is something harder than what was looked at, and x264 gives no picture more than
# half of what its buffer holds, of which a page of text in one key frame takes more.
HEADROOM = 2
WHOLE = Fraction(1)
LEAST = 0.5  # of a rendition's usual ceiling, for what came after a quiet beginning
SPENT = 0.4  # of it, up to which a title may be made finer
MORE = 9  # steps at most, with which bits are not quite tripled


@dataclass(frozen=True, slots=True)
class Measured:
    """Bits a second of a rendition at its quality, of each sample; empty where nothing could be told."""

    rung: Rung
    rates: tuple[int, ...]
    cpu_s: float

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        rung = Rung(**{**told["rung"], "sar": tuple(told["rung"]["sar"])})
        return cls(rung, tuple(told["rates"]), told["cpu_s"])


def moments(end: int) -> tuple[int, ...]:
    """When samples begin, ticks: in the middle of equal shares of the title. None of a short one."""
    if end < SHORTEST_S * TIMESCALE:
        return ()
    count, length = min(SAMPLES, end // (EACH_S * TIMESCALE)), SAMPLE_S * TIMESCALE
    return tuple((2 * number + 1) * end // (2 * count) - length // 2 for number in range(count))


def fitted(rungs: Sequence[Rung], measured: Measured, bits: Fraction = WHOLE) -> tuple[Rung, ...]:
    """With the ceilings and the qualities that the title deserves, never above the usual ceilings, nor coarser than
    usual; `bits` of H.264's are what its codec takes."""
    if not max(measured.rates, default=0):
        return tuple(rungs)
    return tuple(_fitted(rung, measured, bits) for rung in rungs)


def _fitted(rung: Rung, measured: Measured, bits: Fraction) -> Rung:
    larger = math.pow(rung.cost / measured.rung.cost, GROWTH)
    needed = max(measured.rates) * larger * math.pow(2, (rung.finer - measured.rung.finer) / DOUBLING) * bits
    more = max(0, min(MORE, math.floor(DOUBLING * math.log2(rung.bitrate * SPENT / needed))))
    wanted = needed * math.pow(2, more / DOUBLING) * HEADROOM
    ceiling = max(MIN_BITRATE, min(rung.bitrate, max(round(wanted), round(rung.bitrate * LEAST))))
    return replace(rung, bitrate=ceiling, finer=rung.finer + more)


async def measure(children: Children, source: int, index: int | None, order: PictureOrder, end: int) -> Measured:
    """Samples of a title that ends at `end`, as the smallest rendition of `order`, whose cuts do not matter.

    A sample that can't be read is left out: whoever encodes it will say why. Raises nothing of its own.
    """
    smallest = min(order.rungs, key=lambda rung: rung.cost)
    found: list[int] = []
    cpu_s = 0.0
    for start in moments(end):
        cuts = start, start + SAMPLE_S * TIMESCALE
        sample = replace(
            order, rungs=(replace(smallest, bitrate=MAX_BITRATE),), cuts=cuts, first=0, preset=PRESET,
            treatment=replace(order.treatment, watermark=None),
        )  # fmt: skip
        segments, spent = await _sampled(children, source, index, sample)
        cpu_s += spent
        found += [each.size * 8 * TIMESCALE // each.duration for each in segments if each.duration > 0]
    return Measured(smallest, tuple(found), cpu_s)


async def _sampled(
    children: Children, source: int, index: int | None, sample: PictureOrder
) -> tuple[list[Segment], float]:
    segments: list[Segment] = []
    with ExitStack() as stack:
        outputs = {rung.name: stack.enter_context(memory_file(rung.name)) for rung in sample.rungs}
        try:
            made = await encode_pictures(
                children, source, index, sample, outputs, lambda described: None, segments.append
            )
        except ChildFailed:
            return [], 0.0
    return segments, made.cpu_s
