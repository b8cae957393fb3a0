"""Rates and sums, from readings with the time in hand."""

from typing import Any

import pytest

from server.ingest.health.gauge import Gauge, Measures
from server.ingest.health.reading import Link, Reading


def measured(seconds: int, **rates: float) -> Measures:
    """After so many seconds in which counters rose steadily."""
    gauge = Gauge()
    for second in range(seconds + 1):
        counts: Any = {name: round(rate * second) for name, rate in rates.items()}
        gauge.feed(Reading(at=1000.0 + second, has_video=True, **counts))
    found = gauge.measure()
    assert found
    return found


def test_nothing_was_read() -> None:
    assert Gauge().measure() is None


def test_one_reading_gives_no_rate() -> None:
    found = measured(0, bytes=1000)

    assert (found.frame_rate, found.bitrate, found.bitrate_minute) == (None, None, None)


@pytest.mark.parametrize("seconds", [1, 5, 30, 300])
def test_rates(seconds: int) -> None:
    found = measured(seconds, bytes=500_000, video_frames=30, audio_frames=47)

    assert found.frame_rate == pytest.approx(30)
    assert found.bitrate == found.bitrate_minute == pytest.approx(4_000_000)
    assert not found.audio_missing
    assert not found.video_missing


def test_sums_are_of_the_last_minute() -> None:
    found = measured(300, repaired=1, silence_ms=10, dropped=2, late_audio=1, jumps=0, stand_ins=1)

    assert (found.repaired, found.silence_ms, found.dropped, found.late_audio) == (60, 600, 120, 60)
    assert (found.jumps, found.stand_ins) == (0, 60)


def test_what_stays_away_while_something_comes_is_missing() -> None:
    found = measured(10, bytes=1000, video_frames=30)

    assert (found.audio_missing, found.video_missing) == (True, False)


def test_nothing_at_all_is_no_missing_sound() -> None:
    assert not measured(10).audio_missing


def test_key_frames() -> None:
    gauge = Gauge()
    gauge.feed(Reading(at=1.0, key_intervals=(2.0, 8.0, 2.0)))

    found = gauge.measure()

    assert found
    assert (found.key_interval_s, found.key_shortest_s, found.key_longest_s) == (2.0, 2.0, 8.0)


def test_loss_is_of_the_minute_and_a_new_connection_counts_from_its_start() -> None:
    gauge = Gauge()
    for second, link in enumerate([Link(received=980, lost=0), Link(received=1960, lost=20), Link(received=10)]):
        gauge.feed(Reading(at=float(second), link=link))
        found = gauge.measure()
        assert found
        expected = [0.0, 2.0, 0.0][second]
        assert found.loss_percent == pytest.approx(expected, abs=0.01)


def test_reconnections_are_counted_over_ten_minutes() -> None:
    gauge = Gauge()
    counts = []
    for at, returns in [(0, 0), (1, 0), (2, 1), (3, 2), (603, 2), (604, 3)]:
        gauge.feed(Reading(at=float(at), returns=returns))
        found = gauge.measure()
        assert found
        counts.append(found.reconnects)

    assert counts == [0, 0, 1, 2, 1, 1]


def test_sound_that_comes_in_lumps_is_not_late() -> None:
    gauge = Gauge()
    skews = []
    for at, skew_ms in enumerate([None, -213, -20, -210, -190, -205, -201, -220, -230, 250]):
        gauge.feed(Reading(at=float(at), skew_ms=skew_ms))
        found = gauge.measure()
        assert found
        skews.append(found.skew_ms)

    assert skews == [None, -213, -20, -20, -20, -20, -20, -190, -190, -201]
