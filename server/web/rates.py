"""How many REST calls each caller may make: a token bucket for each caller and kind of call."""

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Literal

from server import clock
from server.config import HttpConfig
from server.errors import Problem

Kind = Literal["read", "write", "upload", "image", "failure"]

FAILURES_PER_MINUTE = 60  # where nothing was configured
CALLERS_KEPT = 10_000  # the one not heard of longest is forgotten first


def per_minute(http: HttpConfig) -> Mapping[Kind, int]:
    """How many calls of each kind the configuration allows."""
    return {"read": http.reads_per_minute, "write": http.writes_per_minute, "upload": http.uploads_per_minute}


PER_MINUTE = per_minute(HttpConfig())  # type: ignore[call-arg]  # where nothing was configured


class Rates:
    """Buckets that hold a minute's calls and fill evenly."""

    def __init__(
        self, per_minute: Mapping[Kind, int] = PER_MINUTE, monotonic: Callable[[], float] = clock.monotonic
    ) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._buckets: OrderedDict[tuple[str, Kind], tuple[float, float]] = OrderedDict()

    def exhausted(self, caller: str, kind: Kind) -> dict[str, str] | None:
        """Where no call is left, the headers that say so. Counts nothing."""
        limit = self._per_minute[kind]
        level = self._level(caller, kind, limit, self._monotonic())
        return None if level >= 1 else _headers(limit, level)

    def take(self, caller: str, kind: Kind, limit: int | None = None) -> tuple[dict[str, str], bool]:
        """Counts a call: the headers that say how things stand, and whether it may go on. `limit`: the caller's own."""
        limit, now = limit or self._per_minute[kind], self._monotonic()
        level = self._level(caller, kind, limit, now)
        allowed = level >= 1
        if allowed:
            level -= 1
        self._keep((caller, kind), (level, now))
        return _headers(limit, level), allowed

    def _level(self, caller: str, kind: Kind, limit: int, now: float) -> float:
        level, then = self._buckets.get((caller, kind), (float(limit), now))
        return min(limit, level + (now - then) * limit / 60)

    def _keep(self, key: tuple[str, Kind], bucket: tuple[float, float]) -> None:
        self._buckets[key] = bucket
        self._buckets.move_to_end(key)
        if len(self._buckets) > CALLERS_KEPT:
            self._buckets.popitem(last=False)


def _headers(limit: int, level: float) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(int(level)),
        "X-RateLimit-Retry-After": str(0 if level >= 1 else math.ceil((1 - level) * 60 / limit)),
    }


def refusal(headers: Mapping[str, str]) -> Problem:
    return Problem("too-many-requests", headers={"Retry-After": headers["X-RateLimit-Retry-After"]})
