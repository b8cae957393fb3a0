"""What runs beside the broadcasts, put together."""

from datetime import timedelta

import pytest

from server import clock
from server.ingest import monitor, schedules
from server.ingest.control import SCHEDULED_END, controlled
from tests.unit.ingest.conftest import FakeConnection, Studio, send, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "EVERY_S", 0.01)
    monkeypatch.setattr(schedules, "EVERY_S", 0.01)


async def schedule(studio: Studio, live: str, starts_s: float, stops_s: float) -> None:
    now = clock.now()
    await studio.change(
        live, starts_at=now + timedelta(seconds=starts_s), stops_at=now + timedelta(seconds=stops_s)
    )


async def test_a_schedule_from_its_start_to_its_end(studio: Studio) -> None:
    live = await studio.live_stream()
    await schedule(studio, live, 60, 120)
    async with controlled(studio.database, studio.broadcasts) as plans:
        plans.changed(await studio.stream(live))
        publisher = await studio.publish(connection := FakeConnection())
        send(publisher)
        await until(lambda: studio.broadcasts.rehearsals.findings(live).measures)
        await schedule(studio, live, 0.01, 1.0)
        plans.changed(await studio.stream(live))
        await until(lambda: studio.broadcasts.get(live))
        assert publisher.current
        await until(lambda: studio.over(publisher.broadcast_id))

    assert connection.closed == [SCHEDULED_END]


async def test_the_end_ends_a_rehearsal_too(studio: Studio) -> None:
    live = await studio.live_stream()
    await schedule(studio, live, 60, 0.1)
    async with controlled(studio.database, studio.broadcasts) as plans:
        plans.changed(await studio.stream(live))
        await studio.publish(connection := FakeConnection())
        await until(lambda: connection.closed)

    assert connection.closed == [SCHEDULED_END]


async def test_health_is_measured(studio: Studio) -> None:
    live, _ = await studio.on_air()
    async with controlled(studio.database, studio.broadcasts):
        await until(lambda: studio.showing(live).health.measures)
