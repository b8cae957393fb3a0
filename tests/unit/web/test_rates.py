"""Buckets of calls: empty after a minute's worth, filling evenly, one for each caller and kind."""

import pytest

from server.config import HttpConfig
from server.web import rates as module
from server.web.rates import PER_MINUTE, Rates
from tests.unit.web.kit import Client, Connect, basic, problem


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now




def test_the_limits_are_the_configurations_defaults() -> None:
    http = HttpConfig()  # type: ignore[call-arg]

    assert {
        "read": http.reads_per_minute,
        "write": http.writes_per_minute,
        "upload": http.uploads_per_minute,
    } == PER_MINUTE


def test_a_bucket_empties_and_fills() -> None:
    clock = Clock()
    rates = Rates({"read": 3, "write": 1, "upload": 1}, clock)
    left = [rates.take("a", "read") for _ in range(4)]

    assert [allowed for _, allowed in left] == [True, True, True, False]
    assert [headers["X-RateLimit-Remaining"] for headers, _ in left] == ["2", "1", "0", "0"]
    assert [headers["X-RateLimit-Retry-After"] for headers, _ in left] == ["0", "0", "20", "20"]

    clock.now += 20
    assert rates.take("a", "read")[1]
    assert not rates.take("a", "read")[1]
    clock.now += 3600
    assert rates.take("a", "read")[0]["X-RateLimit-Remaining"] == "2"


def test_callers_and_kinds_do_not_share() -> None:
    rates = Rates({"read": 1, "write": 1, "upload": 1}, Clock())

    assert all(rates.take(caller, kind)[1] for caller in ("a", "b") for kind in ("read", "write", "upload"))


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALLERS_KEPT", 2)
    rates = Rates(monotonic=Clock())
    for caller in "abc":
        rates.take(caller, "read")

    assert [key[0] for key in rates._buckets] == ["b", "c"]


async def test_too_many_calls(connect: Connect) -> None:
    client = await connect({"rates": Rates({"read": 2, "write": 1, "upload": 1})})
    for left in ("1", "0"):
        async with client.get("/videos") as response:
            assert response.status == 200
            assert response.headers["X-RateLimit-Limit"] == "2"
            assert response.headers["X-RateLimit-Remaining"] == left
    async with client.get("/videos") as response:
        await problem(response, 429, "too-many-requests")
        assert response.headers["Retry-After"] == response.headers["X-RateLimit-Retry-After"] == "30"
    async with client.post("/videos", json={"title": "writes have their own"}) as response:
        assert response.status == 201


async def test_failed_log_ins_count_for_their_address(connect: Connect) -> None:
    client = await connect({"rates": Rates({"read": 2, "write": 1, "upload": 1})}, key=None)
    for _ in range(2):
        async with client.get("/videos", headers=basic("wrong:")) as response:
            await problem(response, 401, "authentication-invalid-api-key")
    async with client.get("/videos", headers=basic("wrong:")) as response:
        await problem(response, 429, "too-many-requests")


async def test_health_is_asked_as_often_as_wanted(connect: Connect) -> None:
    client: Client = await connect({"rates": Rates({"read": 1, "write": 1, "upload": 1})})
    for _ in range(3):
        async with client.get("/healthz") as response:
            assert response.status == 200
            assert "X-RateLimit-Limit" not in response.headers
