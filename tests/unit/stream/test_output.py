"""The output clock: over interruptions, restarts, media that is ahead of time."""

from server.stream.output import OutputClock
from server.stream.timeline import Position

NOW = 1_700_000_000_000


def test_it_follows_the_wall_clock_over_an_interruption() -> None:
    clock = OutputClock()
    assert clock.start(NOW) == 0
    clock.stop(5000)
    assert clock.start(NOW + 60_000) == 60_000
    assert clock.epoch_ms == NOW


def test_media_ahead_of_the_wall_clock_is_not_overlapped() -> None:
    clock = OutputClock()
    clock.start(NOW)
    clock.stop(10_000)
    assert clock.start(NOW + 2000) == 10_000
    assert clock.epoch_ms == NOW - 8000
    clock.stop(11_000)
    assert clock.start(NOW + 30_000) == 30_000  # the wall clock has caught up


def test_it_goes_on_after_a_restart() -> None:
    clock = OutputClock()
    clock.restore(Position(3, 60_000, NOW))
    assert clock.start(NOW + 50_000) == 60_000
    assert clock.generation == 3


def test_a_restart_before_anything_came() -> None:
    clock = OutputClock()
    clock.restore(Position(0, 0, 0))
    assert clock.start(NOW) == 0
    assert clock.epoch_ms == NOW


def test_nothing_is_observed_before_the_start() -> None:
    assert not OutputClock().observe(0, NOW)
