"""The hour, bounded."""

from server.ingest.health.gauge import Measures
from server.ingest.health.reading import Link, Reading
from server.ingest.health.series import BUCKET_S, BUCKETS, Series

MEASURES = Measures(
    Reading(at=1.0, link=Link(rtt_ms=40.0)), frame_rate=25.0, bitrate=1e6 + 0.4, key_interval_s=2.0,
    loss_percent=0.5, skew_ms=12, dropped=1, late_audio=2,
)  # fmt: skip


def test_a_bucket_holds_its_last_second() -> None:
    series = Series()

    for second in range(25):
        series.add(1_000_000 + second * 1000, MEASURES if second < 15 else None, second)

    assert [point.at_ms for point in series.points] == [1_000_000, 1_010_000, 1_020_000]
    first, _, last = series.points
    assert (first.bitrate, first.frame_rate, first.key_interval_s, first.skew_ms) == (1_000_000, 25.0, 2.0, 12)
    assert (first.rtt_ms, first.loss_percent, first.dropped, first.playlists) == (40.0, 0.5, 3, 9)
    assert (last.bitrate, last.dropped, last.playlists) == (None, None, 24)


def test_only_an_hour_is_kept() -> None:
    series = Series()

    for bucket in range(BUCKETS + 5):
        series.add(bucket * BUCKET_S * 1000, MEASURES, 0)

    assert len(series.points) == BUCKETS == 3600 // BUCKET_S
    assert series.points[0].at_ms == 5 * BUCKET_S * 1000
