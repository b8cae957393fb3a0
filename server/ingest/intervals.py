"""Which parts of a broadcast are recorded: intervals of whole segments, by media sequence number."""

from collections.abc import Sequence
from typing import Any

from server import clock
from server.packager.live import LivePackager
from server.packager.presentation import Span
from server.storage.segments import SegmentStore

FOREVER = 1 << 40  # the last segment of an interval that goes on

Interval = dict[str, Any]  # as the row keeps it: {"first", "last", "startedAt", "stoppedAt", "videoId"}


def new(first: int) -> Interval:
    """An interval that begins now."""
    return {"first": first, "last": None, "startedAt": _now(), "stoppedAt": None, "videoId": None}


def running(intervals: Sequence[Interval]) -> bool:
    return bool(intervals) and intervals[-1]["last"] is None


def whole(intervals: Sequence[Interval]) -> bool:
    """Whether one video shows all of the broadcast."""
    return len(intervals) == 1 and intervals[0]["first"] == 0 and intervals[0]["last"] is None


def span_of(interval: Interval, newest: int) -> Span | None:
    """What the interval's video shows; None: the whole broadcast."""
    last = interval["last"]
    if last is None:
        return None if interval["first"] == 0 else Span(interval["first"], newest)
    return Span(interval["first"], last)


def spare(store: SegmentStore, broadcast_id: str, intervals: Sequence[Interval]) -> None:
    """At the beginning of a broadcast in this process: what is recorded stays on disk."""
    for interval in intervals:
        store.spare(broadcast_id, interval["first"], FOREVER if interval["last"] is None else interval["last"])


def stopped(interval: Interval, last: int) -> Interval:
    """The interval, with its last segment."""
    return {**interval, "last": last, "stoppedAt": _now()}


def open_msn(packager: LivePackager) -> int:
    """Media sequence number of the segment that is open, or comes next."""
    return max((rendition.window.next_msn for rendition in packager.renditions.values()), default=0)


def _now() -> str:
    return clock.now().replace(microsecond=0).isoformat()
