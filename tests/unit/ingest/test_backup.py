"""Two encoders at once: one is on air, the other stands by."""

import pytest

from server.ingest import life
from server.ingest.admission import TAKEN_OVER
from server.ingest.on_air import OnAir, Publisher, Refused
from server.ingest.switch import SILENT_S, STEADY_S
from tests.unit.ingest.conftest import FakeConnection, Studio, send, until

BACKUP = "the-backup-key"


async def both(studio: Studio) -> tuple[OnAir, Publisher, Publisher]:
    """The primary on air, the backup beside it."""
    live, primary = await studio.on_air(backup_key=BACKUP)
    backup = await studio.publish(FakeConnection("second"), BACKUP)
    return studio.showing(live), primary, backup


def silent(publisher: Publisher) -> None:
    assert isinstance(publisher.connection, FakeConnection)
    publisher.connection.heard -= SILENT_S


def steady(publisher: Publisher) -> None:
    publisher.steadiness.since = publisher.since - STEADY_S
    publisher.steadiness._last = publisher.since


async def events(studio: Studio, on_air: OnAir) -> list[str]:
    """The events of the live stream, without their common beginning."""
    await studio.broadcasts._registry.settle()
    return [type.removeprefix("live-stream.") for type in await studio.event_types(on_air.live_stream_id)]


async def test_the_backup_stands_by_and_is_not_written(studio: Studio) -> None:
    on_air, primary, backup = await both(studio)
    frames = on_air.stream.statistics.video_frames

    send(backup)

    assert on_air.publishers == (primary, backup)
    assert on_air.stream.statistics.video_frames == frames
    assert studio.broadcasts.publishers() == 2
    assert await events(studio, on_air) == ["created", "connected", "broadcasting", "connected"]


async def test_the_backup_alone_begins_the_broadcast(studio: Studio) -> None:
    live = await studio.live_stream(backup_key=BACKUP)
    backup = await studio.publish(key=BACKUP)

    send(backup)

    await until(lambda: studio.state_is(backup.broadcast_id, "live"))
    assert studio.showing(live).publisher is backup


async def test_a_cut_of_the_primary_goes_on_with_the_backups_next_key_frame(studio: Studio) -> None:
    on_air, primary, backup = await both(studio)
    send(backup, 1)

    primary.closed("the connection was lost", ended=False)
    assert (on_air.publisher, on_air.standby, on_air.state) == (None, backup, "live")
    backup.video(1000, 0, False, bytes(40))
    assert on_air.publisher is None
    send(backup, 3, start_ms=2000)

    assert (on_air.publisher, on_air.standby, on_air.state, on_air.timer) == (backup, None, "live", None)
    window = on_air.packager.renditions["video"].window
    assert [entry.discontinuity for entry in window.closed] == [False, False, True]
    assert (await events(studio, on_air))[-1] == "ingest.switched"
    assert "interrupted" not in await events(studio, on_air)


async def test_a_silent_primary_yields_and_stands_by(studio: Studio) -> None:
    on_air, primary, backup = await both(studio)
    send(backup, 1)
    assert on_air.publisher is primary

    silent(primary)
    send(backup, 3, start_ms=2000)

    assert (on_air.publisher, on_air.standby) == (backup, primary)
    primary.closed("the connection was lost", ended=False)
    assert (on_air.publisher, on_air.standby, on_air.state) == (backup, None, "live")
    assert (await events(studio, on_air))[-2:] == ["ingest.switched", "disconnected"]


async def test_the_primary_takes_back_once_it_is_steady(studio: Studio) -> None:
    on_air, primary, backup = await both(studio)
    primary.closed("the connection was lost", ended=False)
    send(backup, 3)
    again = await studio.publish(FakeConnection("third"))
    send(again, 3)
    assert (on_air.publisher, on_air.standby) == (backup, again)

    steady(again)
    again.video(3000, 0, False, bytes(40))
    assert on_air.publisher is backup
    again.video(3040, 0, True, bytes(40))

    assert (on_air.publisher, on_air.standby) == (again, backup)
    assert on_air.stream.has_video
    assert (await events(studio, on_air)).count("ingest.switched") == 2
    assert on_air.health.returns == 1


async def test_a_switch_that_does_not_come_is_an_interruption(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "SWITCH_S", 0.01)
    on_air, primary, backup = await both(studio)

    primary.closed("the connection was lost", ended=False)
    await until(lambda: on_air.state == "interrupted")
    send(backup)

    await until(lambda: studio.state_is(on_air.broadcast_id, "live"))
    assert [type for type in await events(studio, on_air) if type != "connected"] == [
        "created", "broadcasting", "interrupted", "ingest.switched", "resumed"
    ]  # fmt: skip


async def test_the_last_who_stops_ends_the_broadcast(studio: Studio) -> None:
    on_air, primary, backup = await both(studio)
    send(backup, 1)

    primary.closed("bye", ended=True)
    assert on_air.due is None
    backup.closed("bye too", ended=True)

    await until(lambda: studio.over(on_air.broadcast_id))


async def test_each_key_lets_in_one(studio: Studio) -> None:
    on_air, primary, backup = await both(studio)

    with pytest.raises(Refused, match="in use"):
        await studio.publish(key=BACKUP)
    silent(backup)
    next = await studio.publish(FakeConnection("third"), BACKUP)

    assert on_air.publishers == (primary, next)
    assert isinstance(backup.connection, FakeConnection)
    assert backup.connection.closed == [TAKEN_OVER]


async def test_the_end_closes_both(studio: Studio) -> None:
    on_air, primary, backup = await both(studio)

    await studio.broadcasts.complete(on_air.live_stream_id)

    for publisher in (primary, backup):
        assert isinstance(publisher.connection, FakeConnection)
        assert publisher.connection.closed == ["completed over the API"]


async def test_sound_alone_switches_too(studio: Studio) -> None:
    live = await studio.live_stream(backup_key=BACKUP)
    primary, backup = await studio.publish(), await studio.publish(FakeConnection("second"), BACKUP)
    send(primary, sound_only=True)
    on_air = studio.showing(live)
    backup.since -= 10

    primary.closed("the connection was lost", ended=False)
    send(backup, sound_only=True)

    assert on_air.publisher is backup
