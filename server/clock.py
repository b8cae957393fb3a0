"""The only place that reads a clock; everything else is given the time."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The wall clock, aware, UTC."""
    return datetime.now(UTC)


def wall_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Seconds that never go back; only differences mean anything."""
    return time.monotonic()
