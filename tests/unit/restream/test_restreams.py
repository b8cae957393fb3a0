"""Targets of broadcasts: states, events, what a failing one does to the others, changes while on air."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.catalog import events, restreams
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.catalog.restreams import Entry
from server.config import LiveConfig
from server.protocols.backoff import Pace
from server.restream.restreams import Restreams, Whose
from tests.harness import catalogue
from tests.unit.restream.elsewhere import KEY, WRONG, Broadcast, Platform, until

WHOSE = Whose(DEFAULT_PROJECT, "li", "br")
QUICK = Pace(first_s=0.02, longest_s=0.02, lasting_s=0.02)


@pytest.fixture
def catalogue_url(tmp_path: Path) -> str:
    return catalogue.copy(tmp_path)


@pytest.fixture
async def database(catalogue_url: str) -> AsyncIterator[Database]:
    async with Database.open(catalogue_url) as database:
        yield database


@asynccontextmanager
async def serving(database: Database, pace: Pace = QUICK) -> AsyncIterator[Restreams]:
    async with Restreams(database, LiveConfig(), pace) as service:  # type: ignore[call-arg]
        yield service


def entry(platform: Platform, key: str = KEY, enabled: bool = True) -> Entry:
    return restreams.new("elsewhere", platform.url, key, enabled)


def state(service: Restreams, of: Entry) -> str:
    return service.status("li", of["restreamId"]).status.state


async def flowing(broadcast: Broadcast, service: Restreams, of: Entry, wanted: str) -> None:
    """Publishes until a target's state is that one."""
    async with asyncio.timeout(10):
        while state(service, of) != wanted:
            broadcast.send(0.2)
            await asyncio.sleep(0.01)


async def told(database: Database) -> list[dict[str, Any]]:
    async with database.read() as transaction:
        rows = await events.of_object(transaction, DEFAULT_PROJECT, "li")
    assert {row.type for row in rows} <= {"live-stream.restream.status"}
    return [row.payload for row in rows]


async def test_one_target_fails_and_the_other_does_not_care(database: Database) -> None:
    platform, broadcast = Platform(), Broadcast()
    async with platform.running(), serving(database, Pace(lasting_s=60)) as service:
        good, bad = entry(platform), entry(platform, WRONG)
        service.begin(WHOSE, [good, bad], broadcast.stream)
        await asyncio.sleep(0)
        assert (state(service, good), state(service, bad)) == ("idle", "idle")
        broadcast.begin().send()
        await flowing(broadcast, service, bad, "errored")
        await flowing(broadcast, service, good, "broadcasting")
        broadcast.send(2)
        await until(lambda: service.status("li", good["restreamId"]).bytes > 2000)
        assert service.states() == {"idle": 0, "connecting": 0, "broadcasting": 1, "errored": 1}
        assert service.failures == 1
        service.finish("li", "br")
        await until(lambda: platform.ended)
        assert state(service, good) == "idle"
    payloads = await told(database)
    assert [each["status"] for each in payloads if each["restreamId"] == good["restreamId"]] == [
        "connecting", "broadcasting", "idle",
    ]  # fmt: skip
    failed = next(each for each in payloads if each["status"] == "errored")
    assert failed["reason"] == "NetStream.Publish.BadName: who is ***?"
    assert KEY not in str(payloads)
    assert WRONG not in str(payloads)
    assert service.sent > 2000


async def test_it_comes_back_when_the_platform_does(database: Database) -> None:
    platform, broadcast = Platform(), Broadcast().begin()
    async with serving(database) as service:
        async with platform.running():
            one = entry(platform)
            service.begin(WHOSE, [one], broadcast.stream)
            await flowing(broadcast, service, one, "broadcasting")
        await flowing(broadcast, service, one, "errored")
        async with platform.running():
            await flowing(broadcast, service, one, "broadcasting")
            assert service.status("li", one["restreamId"]).status.reconnects >= 1


async def test_targets_change_while_the_broadcast_goes_on(database: Database) -> None:
    platform, broadcast = Platform(), Broadcast().begin()
    async with platform.running(), serving(database) as service:
        one, two = entry(platform), entry(platform, enabled=False)
        service.begin(WHOSE, [one, two], broadcast.stream)
        await flowing(broadcast, service, one, "broadcasting")
        assert state(service, two) == "idle"
        service.changed("li", [{**one, "name": "another name"}, {**two, "enabled": True}])
        await flowing(broadcast, service, two, "broadcasting")
        assert platform.ended == []  # the first one went on
        service.changed("li", [{**one, "enabled": False}, {**two, "enabled": True}])
        await until(lambda: len(platform.ended) == 1)
        assert (state(service, one), state(service, two)) == ("idle", "broadcasting")
        service.changed("li", [{**two, "enabled": True, "streamKey": WRONG}])
        await flowing(broadcast, service, two, "errored")
        service.changed("another", [one])  # not on air
        service.finish("li", "an older broadcast")
        assert sum(service.states().values()) == 1


async def test_an_interruption_leaves_the_connection(database: Database) -> None:
    platform, broadcast = Platform(), Broadcast().begin()
    async with platform.running(), serving(database) as service:
        one = entry(platform)
        service.begin(WHOSE, [one], broadcast.stream)
        await flowing(broadcast, service, one, "broadcasting")
        broadcast.send(1)
        broadcast.stream.interrupt()
        await asyncio.sleep(0.1)
        before = len(platform.media)
        broadcast.at = 0
        broadcast.begin().send(2)
        await until(lambda: len(platform.media) > before + 20)
        assert platform.ended == []
        assert len(platform.peers) == 1
        times = [each.timestamp for each in platform.media if each.kind == 9]
    assert times == sorted(times)


async def test_a_fault_of_ours_is_not_the_end_of_a_target(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, broadcast = Platform(), Broadcast()
    async with platform.running(), serving(database) as service:
        connect, failures = service._connect, [RuntimeError("never thought of")]

        def fails_once(url: Any) -> Any:
            if failures:
                raise failures.pop()
            return connect(url)

        monkeypatch.setattr(service, "_connect", fails_once)
        target = entry(platform)
        service.begin(WHOSE, [target], broadcast.stream)
        await asyncio.sleep(0)
        broadcast.begin().send()
        await flowing(broadcast, service, target, "broadcasting")
        assert not failures
        assert service.failures == 1
        service.finish("li", "br")
        await until(lambda: platform.ended)
