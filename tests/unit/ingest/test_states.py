"""What is written behind a broadcast, also when its rows are gone."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.exc import OperationalError

from server import clock
from server.catalog import events
from server.catalog.database import Transaction
from server.catalog.models import DEFAULT_PROJECT
from server.ingest import states as module
from server.ingest.on_air import OnAir
from server.ingest.states import NotYet, States
from tests.unit.ingest.conftest import Studio

AWAY = OperationalError("CONNECT", None, ConnectionRefusedError(111, "Connection refused"))


@pytest.fixture
def states(studio: Studio) -> States:
    return States(studio.database, studio.recorder.record)


async def on_air(studio: Studio, **fields: object) -> tuple[str, OnAir]:
    live = await studio.live_stream(**fields)
    await studio.publish()
    return live, studio.showing(live)


async def test_each_change_says_so_on_both(studio: Studio, states: States) -> None:
    live, showing = await on_air(studio)

    await states.live(showing, False)
    await states.interrupted(showing, "lost")
    await states.live(showing, True)
    await states.rejected(showing, "its codec")
    await states.ended(showing, "bye")

    assert [type.removeprefix("broadcast.") for type in await studio.event_types(showing.broadcast_id)] == [
        "connecting", "live", "interrupted", "live", "ended", "recorded"
    ]  # fmt: skip
    assert [type.removeprefix("live-stream.") for type in await studio.event_types(live)] == [
        "created", "connected", "broadcasting", "interrupted", "resumed", "rejected", "ended", "idle", "recorded"
    ]  # fmt: skip


def away(studio: Studio, monkeypatch: pytest.MonkeyPatch, times: int, fault: Exception = AWAY) -> list[Exception]:
    """The database can't be reached so many times; those that are left."""
    faults, write = [fault] * times, studio.database.write

    @asynccontextmanager
    async def refused() -> AsyncIterator[Transaction]:
        if faults:
            raise faults.pop()
        async with write() as transaction:
            yield transaction

    monkeypatch.setattr(studio.database, "write", refused)
    monkeypatch.setattr(module, "AWAY_S", 0.001)
    return faults


async def test_what_happens_while_the_database_is_away_is_written_in_its_order(
    studio: Studio, states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, showing = await on_air(studio)
    faults = away(studio, monkeypatch, 5)

    await asyncio.gather(
        states.live(showing, False), states.interrupted(showing, "lost"), states.rejected(showing, "its codec"),
        states.live(showing, True), states.ended(showing, "bye"),
    )  # fmt: skip

    assert faults == []
    assert [type.removeprefix("live-stream.") for type in await studio.event_types(live)] == [
        "created", "connected", "broadcasting", "interrupted", "rejected", "resumed", "ended", "idle", "recorded"
    ]  # fmt: skip


async def test_what_is_written_late_has_the_time_at_which_it_was(
    studio: Studio, states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, showing = await on_air(studio)
    for change in (states.live(showing, False), states.interrupted(showing, "lost")):
        async with showing.writing:
            task = asyncio.create_task(change)
            await asyncio.sleep(0)
            since = clock.now()
        await task

        row = await studio.row(showing.broadcast_id)
        assert row
        assert (row.interrupted_at or row.live_at or since) < since


async def test_a_database_that_stays_away_is_not_waited_for_for_ever(
    studio: Studio, states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, showing = await on_air(studio)
    monkeypatch.setattr(module, "PATIENCE_S", 0.004)
    faults = away(studio, monkeypatch, 100)

    with pytest.raises(OperationalError):
        await states.live(showing, False)

    assert 90 < len(faults) < 99


async def test_a_change_that_the_database_refuses_is_not_tried_again(
    studio: Studio, states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, showing = await on_air(studio)
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    faults = away(studio, monkeypatch, 2, OperationalError("COMMIT", None, full))

    with pytest.raises(OperationalError):
        await states.live(showing, False)

    assert len(faults) == 1


async def test_an_end_is_not_written_before_what_was_before_it(
    studio: Studio, states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, showing = await on_air(studio)
    monkeypatch.setattr(module, "TURN_S", 0.01)

    async with showing.writing:
        with pytest.raises(NotYet):
            await states.ended(showing, "bye")

    await states.ended(showing, "bye")
    assert await studio.over(showing.broadcast_id)


async def test_the_first_time_live_is_kept(studio: Studio, states: States) -> None:
    _, showing = await on_air(studio)
    await states.live(showing, False)
    first = await studio.row(showing.broadcast_id)
    await states.interrupted(showing, "lost")
    await states.live(showing, True)

    again = await studio.row(showing.broadcast_id)

    assert first
    assert again
    assert again.live_at == first.live_at
    assert again.interrupted_at is None


@pytest.mark.parametrize(("record", "empty", "kept"), [(True, False, True), (True, True, False), (False, False, False)])
async def test_an_end_is_recorded_where_it_is_wanted(
    studio: Studio, states: States, record: bool, empty: bool, kept: bool
) -> None:
    studio.recorder.empty = empty
    _, showing = await on_air(studio, record=record)

    await states.ended(showing, "bye")

    assert showing.kept is kept
    assert bool(studio.recorder.recorded) is record
    row = await studio.row(showing.broadcast_id)
    assert row
    assert (row.end_reason, row.incomplete, row.ended_at is None) == ("bye", False, False)


@pytest.mark.parametrize("lacking", [False, True])
async def test_a_recording_that_the_disk_did_not_take_whole_is_called_so(
    studio: Studio, states: States, lacking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, showing = await on_air(studio)
    monkeypatch.setattr(type(showing.packager), "incomplete", lacking)

    await states.ended(showing, "bye")

    async with studio.database.read() as transaction:
        told = await events.of_object(transaction, DEFAULT_PROJECT, live)
    assert [event.payload["incomplete"] for event in told if event.type == "live-stream.recorded"] == [lacking]


async def test_a_change_that_does_not_follow_is_an_error_and_changes_nothing(studio: Studio, states: States) -> None:
    _, showing = await on_air(studio)

    with pytest.raises(ValueError, match="can't become interrupted"):
        await states.interrupted(showing, "lost")

    assert await studio.state(showing.broadcast_id) == "connecting"


async def test_what_was_deleted_has_no_states(studio: Studio, states: States) -> None:
    live, showing = await on_air(studio)
    await studio.delete(live)

    await states.live(showing, False)
    await states.interrupted(showing, "lost")
    await states.rejected(showing, "its codec")
    await states.ended(showing, "bye")

    assert await studio.row(showing.broadcast_id) is None
    assert studio.recorder.recorded == []
    assert not showing.kept
