from datetime import UTC, datetime, timedelta

import pytest

from server.webhooks import retries

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def test_the_ninth_attempt_comes_after_ten_minutes_and_waits_grow() -> None:
    assert sum(retries.WAITS_S[:8]) == retries.PASS_AFTER_S
    assert list(retries.WAITS_S) == sorted(retries.WAITS_S)


@pytest.mark.parametrize(
    ("failures", "chance", "asked_s", "wait_s"),
    [
        (1, 0.0, 0, 5),
        (1, 1.0, 0, 5.5),
        (2, 0.0, 0, 10),
        (16, 0.0, 0, 21_600),
        (400, 0.0, 0, 21_600),
        (1, 0.0, 120, 120),
        (1, 0.0, 10**6, 3600),
        (16, 0.0, 120, 21_600),
    ],
)
def test_waits(failures: int, chance: float, asked_s: int, wait_s: float) -> None:
    assert retries.wait_s(failures, lambda: chance, asked_s) == pytest.approx(wait_s)


def test_three_days_hold_a_bounded_number_of_attempts() -> None:
    waited, failures = 0.0, 0
    while waited < retries.GIVE_UP_AFTER_S:
        failures += 1
        waited += retries.wait_s(failures, lambda: 0.0)
    assert 20 <= failures <= 30


@pytest.mark.parametrize(
    ("seconds", "passes", "dead"), [(599, False, False), (600, True, False), (259_200, True, True)]
)
def test_when_others_may_pass_and_when_it_is_over(seconds: int, passes: bool, dead: bool) -> None:
    since = NOW - timedelta(seconds=seconds)
    assert (retries.may_pass(since, NOW), retries.is_dead(since, NOW)) == (passes, dead)
