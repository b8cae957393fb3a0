from datetime import UTC, datetime, timedelta

import pytest

from server.webhooks.verdicts import (
    Attempt,
    Health,
    Standing,
    Verdict,
    health_after,
    judge,
    places,
    why_disabled,
)

NOW = datetime(2026, 1, 31, tzinfo=UTC)
OK, BAD = Attempt(NOW, 20, 204), Attempt(NOW, 20, 500)
DUE = NOW + timedelta(seconds=5.02)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("standing", "attempt", "verdict"),
    [
        pytest.param(Standing(), OK, Verdict("delivered", None, 0, None, False, True), id="delivered"),
        pytest.param(
            Standing(3, ago(60)), OK, Verdict("delivered", None, 0, None, False, True), id="delivered at last"
        ),
        pytest.param(
            Standing(in_line=False), OK, Verdict("delivered", None, 0, None, False, False), id="beside the line"
        ),
        pytest.param(Standing(), BAD, Verdict("retrying", DUE, 1, NOW, True, False), id="the first failure"),
        pytest.param(
            Standing(8, ago(599)), BAD, Verdict("retrying", DUE, 9, ago(599), True, False), id="almost ten minutes"
        ),
        pytest.param(
            Standing(8, ago(600)), BAD, Verdict("retrying", DUE, 9, ago(600), False, True), id="others may pass"
        ),
        pytest.param(
            Standing(9, ago(900), in_line=False), BAD, Verdict("retrying", DUE, 10, ago(900), False, False),
            id="they have passed",
        ),
        pytest.param(
            Standing(25, ago(259_200), in_line=False), BAD,
            Verdict("dead", None, 26, ago(259_200), False, False), id="three days",
        ),
        pytest.param(Standing(once=True, in_line=False), BAD, Verdict("dead", None, 1, NOW, False, False), id="once"),
    ],
)  # fmt: skip
def test_verdicts(standing: Standing, attempt: Attempt, verdict: Verdict) -> None:
    assert judge(standing, attempt, 5.0) == verdict


@pytest.mark.parametrize("status", [None, 100, 199, 300, 302, 404, 410, 500])
def test_only_2xx_is_delivered(status: int | None) -> None:
    assert not Attempt(NOW, 1, status).delivered
    assert Attempt(NOW, 1, 299).delivered


def test_the_health_of_an_endpoint() -> None:
    once = health_after(Health(), BAD)
    assert once == Health(1, NOW)
    assert health_after(once, Attempt(NOW + timedelta(seconds=9), 1, 500)) == Health(2, NOW)
    assert health_after(once, OK) == Health()


@pytest.mark.parametrize(
    ("health", "status", "disabled"),
    [
        (Health(1, NOW), 410, True),
        (Health(1, NOW), 404, False),
        (Health(50, ago(99)), 500, False),
        (Health(50, ago(100)), 500, True),
        (Health(9, ago(100)), 500, False),  # too few to be sure
        (Health(), 200, False),
    ],
)
def test_what_disables_an_endpoint(health: Health, status: int, disabled: bool) -> None:
    assert (why_disabled(health, Attempt(NOW, 1, status), 100) is not None) == disabled


def test_an_endpoint_that_is_away_is_called_by_one_at_a_time() -> None:
    assert [places(Health(failures), 8) for failures in (0, 4, 5, 100)] == [8, 8, 1, 1]
