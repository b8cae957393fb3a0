"""Calls that are made again: which, how often, and after how long."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from server import clock
from server.client.api import Answer, Unreachable
from server.client.patience import AWAY, TROUBLES, Patient, wait_s
from server.client.refusals import Refused

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def refused(status: int, **headers: str) -> Refused:
    return Refused(status, None, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("failure", "made", "wait"),
    [
        (Unreachable("x"), 1, 0.5), (Unreachable("x"), 3, 2.0), (Unreachable("x"), AWAY.calls, None),
        (refused(404), 1, None), (refused(401), 1, None), (refused(409), 1, None),
        (refused(500), 1, 1.0), (refused(500), 2, 2.0), (refused(500), 3, None),
        (refused(503), 4, 8.0), (refused(503), 7, 30.0), (refused(503, Retry_After="7"), 1, 7.0),
        (refused(429), 1, 1.0), (refused(429), 11, 60.0), (refused(429), 12, None),
        (refused(429, Retry_After="0"), 2, 2.0), (refused(429, Retry_After="soon"), 1, 1.0),
        (refused(429, Retry_After="5", X_RateLimit_Retry_After="9"), 1, 9.0),
        (refused(429, Retry_After="Thu, 01 Jan 2026 00:00:30 GMT"), 1, 30.0),
        (refused(429, Retry_After="Thu, 01 Jan 2026 00:00:30 -0000"), 1, 30.0),
        (refused(429, Retry_After="Wed, 31 Dec 2025 00:00:00 GMT"), 1, 1.0),
        (refused(429, X_RateLimit_Reset=str(int(NOW.timestamp()) + 20)), 1, 20.0),
        (refused(429, Retry_After="86400"), 1, None), (refused(429, Retry_After="9" * 13), 1, 1.0),
    ],
)  # fmt: skip
def test_how_long_a_wait_is(
    failure: Refused | Unreachable, made: int, wait: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    assert wait_s(failure, made, 0.0) == wait
    if wait is not None:
        assert wait_s(failure, made, 1.0) == pytest.approx(wait * 1.25)


def test_every_wait_ends() -> None:
    for trouble in (AWAY, *TROUBLES.values()):
        assert 1 < trouble.calls <= 12
        assert trouble.first_s <= trouble.longest_s <= 60


class Flapping:
    """A server that answers with these, one after the other."""

    def __init__(self, *answers: Exception | int) -> None:
        self.answers = list(answers)
        self.slept: list[float] = []
        self.told: list[str] = []

    def call(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return Answer(found, {}, b"")

    def patient(self) -> Patient:
        return Patient(lambda _, why: self.told.append(why), self.slept.append, self.call)


def test_what_passes_is_waited_for() -> None:
    flapping = Flapping(refused(429, Retry_After="3"), Unreachable("gone"), refused(502), 200)
    assert flapping.patient()("GET", "http://a/b", None, {}).status == 200
    assert [round(one) // 1 for one in flapping.slept] in ([3, 1, 2], [4, 1, 2], [3, 1, 3], [4, 1, 3])
    assert flapping.told[1] == "gone"


def test_what_does_not_pass_is_said_in_the_end() -> None:
    flapping = Flapping(*[refused(500)] * 9)
    with pytest.raises(Refused):
        flapping.patient()("GET", "http://a/b", None, {})
    assert len(flapping.answers) == 6


def test_a_server_that_never_answered_is_not_waited_for() -> None:
    flapping = Flapping(Unreachable("typo"), 200, Unreachable("restarting"), 200)
    patient = flapping.patient()
    with pytest.raises(Unreachable):
        patient("GET", "http://a/b", None, {})
    assert patient("GET", "http://a/b", None, {}).status == 200
    assert patient("GET", "http://a/c", None, {}).status == 200
    assert len(flapping.slept) == 1


@pytest.mark.parametrize(
    ("method", "headers", "failure", "again"),
    [
        ("POST", {}, refused(429), True), ("POST", {}, refused(503), True), ("POST", {}, refused(500), False),
        ("POST", {}, Unreachable("x"), False), ("POST", {"Idempotency-Key": "k"}, Unreachable("x"), True),
        ("PUT", {}, refused(504), True), ("DELETE", {}, Unreachable("x"), True), ("GET", {}, refused(403), False),
    ],
)  # fmt: skip
def test_nothing_is_done_twice(method: str, headers: Any, failure: Exception, again: bool) -> None:
    flapping = Flapping(200, failure, 200)
    patient = flapping.patient()
    patient("GET", "http://a/", None, {})
    if again:
        assert patient(method, "http://a/", b"", headers).status == 200
    else:
        with pytest.raises(type(failure)):
            patient(method, "http://a/", b"", headers)
