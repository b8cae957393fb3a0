"""What is written behind a broadcast, also when its rows are gone."""

import pytest

from server.catalog import events
from server.catalog.models import DEFAULT_PROJECT
from server.ingest.on_air import OnAir
from server.ingest.states import States
from tests.unit.ingest.conftest import Studio


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
