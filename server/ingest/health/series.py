"""The last hour, in buckets of ten seconds."""

from collections import deque
from dataclasses import dataclass

from server.ingest.health.gauge import Measures

BUCKET_S = 10
BUCKETS = 360  # an hour; some 60 KiB a live stream


@dataclass(frozen=True, slots=True)
class Point:
    """How it stood at the end of a bucket; None: nobody was there."""

    at_ms: int  # the bucket's beginning, wall clock
    bitrate: int | None = None  # of the last NOW_S, as the frame rate
    frame_rate: float | None = None
    key_interval_s: float | None = None
    skew_ms: int | None = None
    rtt_ms: float | None = None
    loss_percent: float | None = None
    dropped: int | None = None  # samples of the last minute
    playlists: int = 0


class Series:
    """Of one live stream; a bucket is replaced until its time is over."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=BUCKETS)

    @property
    def points(self) -> list[Point]:
        """Oldest first."""
        return list(self._points)

    def add(self, wall_ms: int, measures: Measures | None, playlists: int) -> None:
        """Once a second; `measures` None while nobody publishes."""
        at_ms = wall_ms - wall_ms % (BUCKET_S * 1000)
        if self._points and self._points[-1].at_ms == at_ms:
            self._points.pop()
        self._points.append(_point(at_ms, measures, playlists))


def _point(at_ms: int, measures: Measures | None, playlists: int) -> Point:
    if measures is None:
        return Point(at_ms, playlists=playlists)
    link = measures.latest.link
    return Point(
        at_ms,
        round(measures.bitrate) if measures.bitrate is not None else None,
        measures.frame_rate,
        measures.key_interval_s,
        measures.skew_ms,
        link.rtt_ms if link else None,
        measures.loss_percent,
        measures.dropped + measures.late_audio,
        playlists,
    )
