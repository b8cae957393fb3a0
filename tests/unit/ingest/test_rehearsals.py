"""Publishers that are measured and not shown."""

from datetime import timedelta

import pytest

from server import clock
from server.ingest import rehearsals
from server.ingest.monitor import Monitor
from server.ingest.on_air import Refused
from tests.unit.ingest.conftest import FakeConnection, Studio, send, until
from tests.unit.ingest.test_backup import BACKUP


def look(studio: Studio) -> None:
    """As the monitor does, for some seconds."""
    monitor = Monitor(studio.broadcasts.rehearsals.all, lambda *_: None, lambda *_: None)
    for second in range(4):
        monitor.look(clock.monotonic() + second / 4, clock.wall_ms())


async def test_a_rehearsal_is_measured_and_not_shown(studio: Studio) -> None:
    live = await studio.live_stream()
    studio.broadcasts.rehearsals.arm(live, 30)
    armed = studio.broadcasts.rehearsals.findings(live)
    publisher = await studio.publish(connection := FakeConnection())
    send(publisher)
    look(studio)

    found = studio.broadcasts.rehearsals.findings(live)

    assert armed
    assert (armed.state, armed.verdict) == ("armed", None)
    assert found
    assert (found.state, found.verdict, found.protocol) == ("running", "ok", "rtmp")
    assert found.measures
    assert found.measures.latest.video_frames == 75
    assert studio.broadcasts.get(live) is None
    assert publisher.broadcast_id == ""
    assert (await studio.stream(live)).state == "idle"
    studio.broadcasts.rehearsals.end(live)
    assert connection.closed == [rehearsals.OVER]
    over = studio.broadcasts.rehearsals.findings(live)
    assert over
    assert (over.state, over.verdict) == ("over", "ok")


async def test_it_ends_by_itself_and_the_next_publisher_is_on_air(studio: Studio) -> None:
    live = await studio.live_stream()
    studio.broadcasts.rehearsals.arm(live, 0.01)
    await studio.publish(connection := FakeConnection())

    await until(lambda: connection.closed)
    publisher = await studio.publish()

    assert studio.showing(live).publisher is publisher


async def test_one_that_nobody_comes_to_is_forgotten(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsals, "ARMED_S", 0.01)
    live = await studio.live_stream()

    studio.broadcasts.rehearsals.arm(live, 30)

    await until(lambda: studio.broadcasts.rehearsals.get(live) is None)
    assert studio.broadcasts.rehearsals.findings(live) is None


async def test_it_is_over_with_its_publisher_whose_findings_stay(studio: Studio) -> None:
    live = await studio.live_stream()
    studio.broadcasts.rehearsals.arm(live, 30)
    publisher = await studio.publish()
    send(publisher)
    look(studio)
    publisher.rejected("its media is malformed")

    publisher.closed("bye", ended=True)

    found = studio.broadcasts.rehearsals.findings(live)
    assert found
    assert (found.state, found.verdict) == ("over", "warnings")
    assert [fault.text for fault in found.faults] == ["its media is malformed"]
    assert studio.broadcasts.rehearsals.get(live) is None

    async def told() -> bool:
        return "live-stream.rejected" in await studio.event_types(live)

    await until(told)


async def test_both_encoders_may_rehearse(studio: Studio) -> None:
    live = await studio.live_stream(backup_key=BACKUP)
    studio.broadcasts.rehearsals.arm(live, 30)
    first, second = await studio.publish(), await studio.publish(FakeConnection(), BACKUP)
    stage = studio.broadcasts.rehearsals.get(live)
    assert stage
    assert stage.publishers == (first, second)
    send(second)
    with pytest.raises(Refused, match="in use"):
        await studio.publish()

    first.closed("bye", ended=True)

    assert stage.publishers == (second,)
    second.closed("bye", ended=True)
    assert studio.broadcasts.rehearsals.get(live) is None


async def test_only_so_many_findings_are_kept(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsals, "KEPT", 2)
    lives = [await studio.live_stream(f"key{number}") for number in range(3)]
    for number, live in enumerate(lives):
        studio.broadcasts.rehearsals.arm(live, 30)
        await studio.publish(FakeConnection(), f"key{number}")
        studio.broadcasts.rehearsals.end(live)

    assert [studio.broadcasts.rehearsals.findings(live) is None for live in lives] == [True, False, False]


async def test_who_is_early_rehearses_and_goes_on_air_at_the_start(studio: Studio) -> None:
    live = await studio.live_stream(starts_at=clock.now() + timedelta(hours=1), backup_key=BACKUP)
    primary, backup = await studio.publish(), await studio.publish(FakeConnection(), BACKUP)
    send(primary, 1)
    send(backup, 1)
    assert studio.broadcasts.get(live) is None

    assert await studio.broadcasts.begin_scheduled(live)
    primary.video(1000, 0, True, bytes(40))

    on_air = studio.showing(live)
    assert on_air.publishers == (primary, backup)
    await until(lambda: studio.state_is(on_air.broadcast_id, "live"))
    assert on_air.stream.has_video
    assert not await studio.broadcasts.begin_scheduled(live)


async def test_a_stream_disabled_meanwhile_stays_off_the_air(studio: Studio) -> None:
    live = await studio.live_stream(starts_at=clock.now() + timedelta(hours=1))
    await studio.publish(connection := FakeConnection())
    await studio.change(live, state="disabled")

    await studio.broadcasts.begin_scheduled(live)

    assert connection.closed == ["the live stream is disabled"]
    assert studio.broadcasts.get(live) is None


@pytest.mark.parametrize("armed", [True, False])
async def test_a_rehearsal_that_was_asked_for_goes_on_where_only_the_schedule_goes(
    studio: Studio, armed: bool
) -> None:
    live = await studio.live_stream(starts_at=clock.now() + timedelta(hours=1))
    if armed:
        studio.broadcasts.rehearsals.arm(live, 60)
    publisher = await studio.publish()
    await studio.change(live, starts_at=None)

    assert await studio.broadcasts.begin_scheduled(live, even_armed=False) is not armed

    assert (publisher.broadcast_id == "") is armed


async def test_a_start_that_fails_sends_the_publisher_to_try_again(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await studio.live_stream(starts_at=clock.now() + timedelta(hours=1))
    await studio.publish(connection := FakeConnection())

    async def fail(*_: object) -> None:
        raise OSError("disk I/O error")

    monkeypatch.setattr("server.catalog.broadcasts.add", fail)
    with pytest.raises(OSError, match="disk"):
        await studio.broadcasts.begin_scheduled(live)

    assert connection.closed == ["the server can't take the stream now, try again"]


async def test_a_stop_of_the_server_closes_rehearsals(studio: Studio) -> None:
    live = await studio.live_stream()
    studio.broadcasts.rehearsals.arm(live, 30)
    await studio.publish(connection := FakeConnection())

    await studio.stop()

    assert connection.closed == ["the server is stopping"]


@pytest.mark.parametrize("armed", [True, False])
async def test_a_key_that_is_reset_cuts_its_connection(studio: Studio, armed: bool) -> None:
    live = await studio.live_stream(backup_key=BACKUP)
    if armed:
        studio.broadcasts.rehearsals.arm(live, 30)
    primary, backup = FakeConnection(), FakeConnection()
    await studio.publish(primary)
    await studio.publish(backup, BACKUP)

    await studio.broadcasts.cut(live, "backup", "the stream key was reset")
    assert (primary.closed, backup.closed) == ([], ["the stream key was reset"])
    await studio.broadcasts.cut(live, "primary", "the stream key was reset")

    assert primary.closed == ["the stream key was reset"]
    assert studio.broadcasts.rehearsals.get(live) is None
