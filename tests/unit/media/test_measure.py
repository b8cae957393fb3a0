"""Rates of a source, from nothing but times and sizes."""

import pytest

from server.media.measure import ENOUGH_PICTURES, LEAST_S, WINDOW_S, Measure

TIMESCALE = 90_000


def measured(seconds: float, fps: float, size: int = 1000, jitter: int = 0) -> Measure:
    measure = Measure(TIMESCALE)
    for number in range(round(seconds * fps)):
        measure.add(round(number * TIMESCALE / fps) + jitter * (number % 2), size)
    return measure


@pytest.mark.parametrize("fps", [10, 23.976, 30, 59.94, 120])
def test_pictures_a_second(fps: float) -> None:
    assert measured(2, fps).frame_rate == pytest.approx(fps, rel=0.01)


def test_jitter_of_a_millisecond_and_a_hole_do_not_matter() -> None:
    measure = measured(1, 30, jitter=45)
    measure.add(3 * TIMESCALE, 1)
    assert measure.frame_rate == pytest.approx(30, rel=0.04)


def test_too_few_pictures_tell_nothing() -> None:
    assert measured((ENOUGH_PICTURES - 1) / 30, 30).frame_rate is None
    assert measured(LEAST_S - 0.1, 30).bitrate is None
    assert Measure(TIMESCALE).bitrate is None
    still = Measure(TIMESCALE)
    for _ in range(20):
        still.add(0, 1)
    assert still.frame_rate is None
    assert still.bitrate is None


def test_bits_a_second_are_those_of_the_last_seconds() -> None:
    measure = measured(20, 30)
    assert measure.bitrate == 30 * 1000 * 8
    for number in range(WINDOW_S * 30 + 10):
        measure.add(20 * TIMESCALE + number * 3000, 3000)
    assert measure.bitrate == 30 * 3000 * 8
