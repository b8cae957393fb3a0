"""How long to wait before a peer that failed is called again."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds; each wait is twice the one before, moved by a fifth at random so that many callers spread."""

    first_s: float = 1.0
    longest_s: float = 30.0
    lasting_s: float = 60.0
    """After a failure that will hardly pass by itself, such as a wrong key."""
    steady_s: float = 20.0
    """A connection that held for so long was a good one: the next failure begins anew."""


class Backoff:
    """`held_s` is how long the last connection was of use."""

    JITTER = 0.2

    def __init__(self, pace: Pace, chance: random.Random | None = None) -> None:
        self._pace = pace
        self._next_s = pace.first_s
        self._chance = chance or random.Random()

    def wait_s(self, held_s: float, *, lasting: bool) -> float:
        pace = self._pace
        if held_s >= pace.steady_s:
            self._next_s = pace.first_s
        if lasting:
            return self._moved(pace.lasting_s)
        wait_s, self._next_s = self._next_s, min(2 * self._next_s, pace.longest_s)
        return self._moved(wait_s)

    def _moved(self, wait_s: float) -> float:
        return wait_s * (1 + self._chance.uniform(-self.JITTER, self.JITTER))
