"""From readings to measures: rates and sums over the last seconds and the last minute."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from server.ingest.health.reading import Link, Reading

NOW_S = 5.0  # "now" is so long: shorter, and the key frames' size shows
MINUTE_S = 60.0
KEPT = 64  # readings, one a second: a minute and its beginning
LONG_S = 600.0  # reconnections are counted over


@dataclass(frozen=True, slots=True)
class Measures:
    """How it goes with a publisher. None: not known yet, or there is none of it."""

    latest: Reading
    frame_rate: float | None = None
    bitrate: float | None = None  # bits a second, now
    bitrate_minute: float | None = None
    key_interval_s: float | None = None  # the usual one
    key_shortest_s: float | None = None
    key_longest_s: float | None = None
    loss_percent: float | None = None  # of packets, over a minute
    lost_for_good: int = 0  # packets, over a minute; so are the counts that follow
    undecryptable: int = 0
    dropped: int = 0
    late_audio: int = 0
    repaired: int = 0
    jumps: int = 0
    silence_ms: int = 0
    stand_ins: int = 0
    reconnects: int = 0  # over ten minutes
    skew_ms: int | None = None  # by how much sound is ahead of the pictures; the least of now
    audio_missing: bool = False
    video_missing: bool = False


class Gauge:
    """Of one live stream."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=KEPT)
        self._returned: deque[float] = deque(maxlen=100)  # when encoders came again

    def feed(self, reading: Reading) -> None:
        """Once a second."""
        if self._readings and reading.returns > self._readings[-1].returns:
            self._returned.append(reading.at)
        self._readings.append(reading)

    def measure(self) -> Measures | None:
        """None before the first reading."""
        if not self._readings:
            return None
        latest = self._readings[-1]
        now, minute = self._ago(NOW_S), self._ago(MINUTE_S)
        intervals = sorted(latest.key_intervals)
        return Measures(
            latest,
            frame_rate=_rate(now, latest, lambda r: r.video_frames) if latest.has_video else None,
            bitrate=_rate(now, latest, lambda r: r.bytes * 8),
            bitrate_minute=_rate(minute, latest, lambda r: r.bytes * 8),
            key_interval_s=intervals[len(intervals) // 2] if intervals else None,
            key_shortest_s=intervals[0] if intervals else None,
            key_longest_s=intervals[-1] if intervals else None,
            loss_percent=_loss(minute, latest),
            lost_for_good=_grown(minute, latest, lambda r: _link(r).dropped),
            undecryptable=_grown(minute, latest, lambda r: _link(r).undecryptable),
            dropped=_grown(minute, latest, lambda r: r.dropped),
            late_audio=_grown(minute, latest, lambda r: r.late_audio),
            repaired=_grown(minute, latest, lambda r: r.repaired),
            jumps=_grown(minute, latest, lambda r: r.jumps),
            silence_ms=_grown(minute, latest, lambda r: r.silence_ms),
            stand_ins=_grown(minute, latest, lambda r: r.stand_ins),
            reconnects=sum(latest.at - at <= LONG_S for at in self._returned),
            skew_ms=self._skew_ms(),
            audio_missing=_missing(now, latest, lambda r: r.audio_frames),
            video_missing=_missing(now, latest, lambda r: r.video_frames),
        )

    def _skew_ms(self) -> int | None:
        """Sound often comes in lumps of 200 ms, and lags by so much until the next."""
        latest = self._readings[-1]
        seen = [each.skew_ms for each in self._readings if each.skew_ms is not None and latest.at - each.at < NOW_S]
        return min(seen, key=abs, default=None)

    def _ago(self, seconds: float) -> Reading:
        """The newest reading at least so old, else the oldest."""
        latest = self._readings[-1]
        for reading in reversed(self._readings):
            if latest.at - reading.at >= seconds:
                return reading
        return self._readings[0]


Count = Callable[[Reading], int]


def _link(reading: Reading) -> Link:
    return reading.link or _NO_LINK


_NO_LINK = Link()


def _grown(then: Reading, latest: Reading, count: Count) -> int:
    return max(0, count(latest) - count(then))


def _rate(then: Reading, latest: Reading, count: Count) -> float | None:
    """A second."""
    elapsed_s = latest.at - then.at
    return _grown(then, latest, count) / elapsed_s if elapsed_s > 0 else None


def _loss(then: Reading, latest: Reading) -> float | None:
    if latest.link is None:
        return None
    received = _grown(then, latest, lambda r: _link(r).received)
    lost = _grown(then, latest, lambda r: _link(r).lost)
    return 100 * lost / (received + lost) if received else 0.0


def _missing(then: Reading, latest: Reading, count: Count) -> bool:
    """Whether none of it came for all of "now", though something else did."""
    return latest.at - then.at >= NOW_S and _grown(then, latest, count) == 0 < _grown(then, latest, lambda r: r.bytes)
