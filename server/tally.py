"""What parts count of themselves: how often, and how long. Plain numbers, named by the composition root for /metrics.

Labels come from what happens, so how many there may be is bounded: once there are enough, the last one is `other`.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

MOST = 64  # label sets of one tally
OTHER = "other"

Labels = tuple[str, ...]


class Counts:
    """How often something happened, by labels."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._counts: dict[Labels, float] = {}

    def add(self, *labels: str, by: float = 1) -> None:
        key = bounded(labels, self._counts, self._most)
        self._counts[key] = self._counts.get(key, 0) + by

    def read(self) -> dict[Labels, float]:
        return dict(self._counts)


@dataclass(slots=True)
class Spread:
    """How long things took that have the same labels: `counts` by bucket, the last one for what is beyond all."""

    counts: list[int]
    sum_s: float = 0.0


@dataclass(slots=True)
class Times:
    """How long something took, by labels. `bounds_s` are the upper ends of the buckets, in order."""

    bounds_s: Sequence[float]
    most: int = MOST
    _spreads: dict[Labels, Spread] = field(default_factory=dict)

    def add(self, seconds: float, *labels: str) -> None:
        key = bounded(labels, self._spreads, self.most)
        spread = self._spreads.get(key)
        if spread is None:
            spread = self._spreads[key] = Spread([0] * (len(self.bounds_s) + 1))
        spread.counts[bisect_left(self.bounds_s, seconds)] += 1
        spread.sum_s += seconds

    def read(self) -> dict[Labels, Spread]:
        return {labels: Spread(list(each.counts), each.sum_s) for labels, each in self._spreads.items()}


def bounded(labels: Labels, known: Collection[Labels], most: int) -> Labels:
    """The labels, or those that stand for all that are too many."""
    if labels in known or len(known) < most or not labels:
        return labels
    return (*labels[:-1], OTHER)
