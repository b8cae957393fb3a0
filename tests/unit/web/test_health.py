"""Health for machines: alive, ready, numbers."""

import asyncio
from typing import Any

import pytest

from server.web import health
from server.web.metrics import Metrics
from tests.unit.web.kit import Connect


async def fine() -> None:
    return None


async def broken() -> None:
    raise OSError("the disk at /secret/path is gone")


async def stuck() -> None:
    await asyncio.Event().wait()


async def test_alive(connect: Connect) -> None:
    client = await connect({"ready_checks": {"database": broken}}, key=None)
    async with client.get("/healthz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})


CASES: list[tuple[dict[str, Any], int, dict[str, Any]]] = [
    ({}, 200, {"status": "ok", "checks": {}}),
    ({"database": fine, "storage": fine}, 200, {"status": "ok", "checks": {"database": "ok", "storage": "ok"}}),
    (
        {"database": fine, "storage": broken},
        503,
        {"status": "failing", "checks": {"database": "ok", "storage": "OSError"}},
    ),
    ({"listeners": stuck}, 503, {"status": "failing", "checks": {"listeners": "timed out"}}),
]


@pytest.mark.parametrize(("checks", "status", "answer"), CASES)
async def test_ready(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, checks: dict[str, Any], status: int, answer: dict[str, Any]
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)
    client = await connect({"ready_checks": checks}, key=None)
    async with client.get("/readyz") as response:
        assert response.status == status
        assert response.headers["Content-Type"] == "application/json"
        assert await response.json() == answer


async def test_numbers(connect: Connect) -> None:
    metrics = Metrics()
    metrics.watch("gauge", "sluice_publishers", "Publishers connected.", lambda: 3)
    client = await connect({"metrics": metrics}, key=None)
    async with client.get("/healthz"):
        pass
    async with client.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = await response.text()
    assert "sluice_publishers 3.0" in text
    assert 'sluice_http_request_seconds_count{method="GET",route="/healthz",status="200"} 1.0' in text
