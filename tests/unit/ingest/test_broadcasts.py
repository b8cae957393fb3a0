"""The life of broadcasts: who gets in, what interrupts, what ends, and what a restart finds."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from server import clock
from server.catalog.models import DEFAULT_PROJECT, Broadcast, Video
from server.errors import Problem
from server.ingest import endings, states
from server.ingest.beginnings import target_duration_s
from server.ingest.on_air import OnAir, Refused
from server.ingest.restart import NOT_BACK
from server.ingest.switch import SILENT_S
from tests.unit.ingest.conftest import KEY, FakeConnection, Studio, new_broadcast_id, send, until

# --- admission


@pytest.mark.parametrize("key", ["", "no-such-key", KEY.upper()])
async def test_a_wrong_key_is_refused(studio: Studio, key: str) -> None:
    await studio.live_stream()

    with pytest.raises(Refused, match="unknown stream key"):
        await studio.publish(key=key)


async def test_a_disabled_stream_is_refused_and_says_so_once(studio: Studio) -> None:
    live = await studio.live_stream(state="disabled")

    for _ in range(3):
        with pytest.raises(Refused, match="the live stream is disabled"):
            await studio.publish()

    await studio.broadcasts._registry.settle()
    assert await studio.event_types(live) == ["live-stream.created", "live-stream.rejected"]
    assert (studio.broadcasts.refused, studio.broadcasts.unknown) == (3, 0)


async def test_a_stream_disabled_on_air_goes_on_and_stays_disabled(studio: Studio) -> None:
    live = await studio.live_stream()
    publisher = await studio.publish()
    await studio.change(live, state="disabled")
    send(publisher)

    await until(lambda: studio.state_is(publisher.broadcast_id, "live"))
    await studio.broadcasts.complete(live)

    assert (await studio.stream(live)).state == "disabled"


async def test_a_publisher_is_connecting_until_a_picture_comes(studio: Studio) -> None:
    live = await studio.live_stream()
    publisher = await studio.publish()

    assert await studio.state(publisher.broadcast_id) == "connecting"
    assert (await studio.stream(live)).state == "idle"
    assert (await studio.stream(live)).broadcast_id == publisher.broadcast_id
    assert studio.broadcasts.publishers() == 1

    send(publisher)
    await until(lambda: studio.state_is(publisher.broadcast_id, "live"))
    assert (await studio.stream(live)).state == "broadcasting"
    assert await studio.event_types(publisher.broadcast_id) == ["broadcast.connecting", "broadcast.live"]
    assert (await studio.event_types(live))[-1] == "live-stream.broadcasting"


async def test_sound_alone_is_live_too(studio: Studio) -> None:
    await studio.live_stream()
    publisher = await studio.publish()
    send(publisher, sound_only=True)

    await until(lambda: studio.state_is(publisher.broadcast_id, "live"))


async def test_of_two_publishers_at_once_one_gets_in(studio: Studio) -> None:
    live = await studio.live_stream()

    found = await asyncio.gather(*(studio.publish() for _ in range(3)), return_exceptions=True)

    refused = [one for one in found if isinstance(one, Refused)]
    assert [str(one) for one in refused] == ["the stream key is in use by another publisher"] * 2
    assert studio.showing(live).publisher in found
    assert await studio.event_types(studio.showing(live).broadcast_id) == ["broadcast.connecting"]


async def test_a_silent_publisher_is_taken_over(studio: Studio) -> None:
    live, first = await studio.on_air()
    silent = first.connection
    assert isinstance(silent, FakeConnection)
    silent.heard -= SILENT_S

    second = await studio.publish()

    assert silent.closed == ["taken over by a new publisher with the same key"]
    assert second.broadcast_id == first.broadcast_id
    assert studio.showing(live).publisher is second
    assert not first.current


async def test_who_was_taken_over_has_no_say_any_more(studio: Studio) -> None:
    live, first = await studio.on_air()
    assert isinstance(first.connection, FakeConnection)
    first.connection.heard -= SILENT_S
    second = await studio.publish()
    send(second)
    frames = studio.showing(live).stream.statistics.video_frames

    send(first)
    first.rejected("its media")
    first.closed("it left", ended=True)

    assert studio.showing(live).publisher is second
    assert studio.showing(live).stream.statistics.video_frames == frames
    assert await studio.state(first.broadcast_id) == "live"
    assert "live-stream.rejected" not in await studio.event_types(live)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"stream_key": "a-new-key"}, "unknown stream key"), ({"state": "disabled"}, "the live stream is disabled")],
)
async def test_what_changes_while_a_publisher_waits_counts(
    studio: Studio, change: dict[str, Any], reason: str
) -> None:
    live, first = await studio.on_air()
    first.closed("the connection was lost", ended=False)
    async with studio.broadcasts._registry.lock(live):
        asking = asyncio.create_task(studio.publish())
        await until(lambda: studio.broadcasts._registry.lock(live)._waiters)  # type: ignore[attr-defined]
        await studio.change(live, **change)

    with pytest.raises(Refused, match=reason):
        await asking
    assert studio.showing(live).publisher is None


async def test_a_stream_deleted_while_its_publisher_asks_is_unknown(studio: Studio) -> None:
    live = await studio.live_stream()
    async with studio.broadcasts._registry.lock(live):
        asking = asyncio.ensure_future(studio.publish())
        await until(lambda: studio.broadcasts._registry.lock(live)._waiters)
        await studio.delete(live)

    with pytest.raises(Refused, match="unknown stream key"):
        await asking
    assert studio.broadcasts.get(live) is None


async def test_a_rejection_is_an_event(studio: Studio) -> None:
    live, publisher = await studio.on_air()

    publisher.rejected("video codec hvc1 is not supported")

    await until(lambda: _has_event(studio, live, "live-stream.rejected"))


async def _has_event(studio: Studio, object_id: str, type: str) -> bool:
    return type in await studio.event_types(object_id)


# --- interruption and return


async def test_a_lost_publisher_may_come_back_into_the_same_broadcast(studio: Studio) -> None:
    live, first = await studio.on_air()

    first.closed("the connection was lost", ended=False)
    await until(lambda: studio.state_is(first.broadcast_id, "interrupted"))
    assert (await studio.stream(live)).state == "broadcasting"
    assert studio.showing(live).timer is not None
    second = await studio.publish()
    assert studio.showing(live).timer is None
    send(second, start_ms=777)

    await until(lambda: studio.state_is(first.broadcast_id, "live"))
    assert second.broadcast_id == first.broadcast_id
    window = studio.showing(live).packager.renditions["video"].window
    assert [entry.generation for entry in window.closed] == [0, 0, 1]
    assert [entry.discontinuity for entry in window.closed] == [False, False, True]
    row = await studio.row(first.broadcast_id)
    assert row
    assert row.interrupted_at is None


async def test_who_comes_back_without_media_gets_the_window_again(studio: Studio) -> None:
    live, first = await studio.on_air()
    first.closed("the connection was lost", ended=False)
    second = await studio.publish()

    second.closed("the connection was lost", ended=False)

    assert studio.showing(live).state == "interrupted"
    assert studio.showing(live).timer is not None
    await until(lambda: studio.state_is(first.broadcast_id, "interrupted"))
    assert (await studio.event_types(first.broadcast_id)).count("broadcast.interrupted") == 1


async def test_who_does_not_come_back_has_ended(studio: Studio) -> None:
    live, publisher = await studio.on_air()
    studio.showing(live).reconnect_window_s = 0.01  # type: ignore[assignment]

    publisher.closed("the connection was lost", ended=False)

    await until(lambda: studio.over(publisher.broadcast_id))
    row = await studio.row(publisher.broadcast_id)
    assert row
    assert row.end_reason == NOT_BACK
    assert studio.recorder.recorded == [publisher.broadcast_id]


@pytest.mark.parametrize("ended", [True, False], ids=["said so", "lost, without a window"])
async def test_an_end_at_once(studio: Studio, ended: bool) -> None:
    live, publisher = await studio.on_air(reconnect_window_s=60 if ended else 0)

    publisher.closed("bye", ended=ended)

    await until(lambda: studio.over(publisher.broadcast_id))
    assert (await studio.stream(live)).state == "idle"
    await until(lambda: studio.showing(live).packager.ended)
    assert "broadcast.interrupted" not in await studio.event_types(publisher.broadcast_id)


async def test_a_connection_without_media_leaves_nothing(studio: Studio) -> None:
    studio.recorder.empty = True
    live = await studio.live_stream()
    publisher = await studio.publish()

    publisher.closed("the connection was lost", ended=False)

    await until(lambda: studio.showing(live).stated)
    assert await studio.over(publisher.broadcast_id)
    assert (await studio.stream(live)).state == "idle"
    assert not studio.showing(live).kept


async def test_who_publishes_again_at_once_gets_a_new_broadcast(studio: Studio) -> None:
    """The end is written behind; who comes before it is written must not be thrown out by it."""
    live, first = await studio.on_air()
    connection = FakeConnection()

    first.closed("ended by the publisher", ended=True)
    second = await studio.publish(connection)
    send(second)
    await until(lambda: studio.state_is(second.broadcast_id, "live"))

    assert second.broadcast_id != first.broadcast_id
    assert connection.closed == []
    assert await studio.over(first.broadcast_id)
    assert studio.showing(live).publisher is second
    assert (await studio.stream(live)).state == "broadcasting"
    assert studio.recorder.recorded == [first.broadcast_id]


async def test_the_windows_end_does_not_throw_out_who_is_just_back(studio: Studio) -> None:
    live, first = await studio.on_air()
    first.closed("the connection was lost", ended=False)
    connection = FakeConnection()

    async with studio.broadcasts._registry.lock(live):
        studio.broadcasts._endings.soon(studio.showing(live), NOT_BACK)  # the timer
        returning = asyncio.ensure_future(studio.publish(connection))
        await until(lambda: len(studio.broadcasts._registry.lock(live)._waiters or ()) == 2)
    second = await returning

    assert second.current
    assert connection.closed == []
    assert second.broadcast_id != first.broadcast_id


# --- the end


async def test_complete_ends_at_once_and_closes_the_connection(studio: Studio) -> None:
    live, publisher = await studio.on_air()
    assert isinstance(publisher.connection, FakeConnection)

    assert await studio.broadcasts.complete(live) is True

    assert publisher.connection.closed == ["completed over the API"]
    assert await studio.over(publisher.broadcast_id)
    assert not publisher.current
    assert await studio.broadcasts.complete(live) is False
    assert await studio.broadcasts.complete("liNobody") is False
    assert studio.recorder.recorded == [publisher.broadcast_id]


async def test_complete_waits_for_an_admission_under_way(studio: Studio) -> None:
    live = await studio.live_stream()
    connection = FakeConnection()

    publisher, completed = await _in_order(studio, live, studio.publish(connection), studio.broadcasts.complete(live))

    assert completed
    assert connection.closed == ["completed over the API"]
    assert await studio.over(publisher.broadcast_id)


async def _in_order(studio: Studio, live: str, *works: Coroutine[Any, Any, Any]) -> list[Any]:
    """Each comes to the stream's lock before any has it."""
    lock = studio.broadcasts._registry.lock(live)
    tasks = []
    async with lock:
        for number, work in enumerate(works, 1):
            tasks.append(asyncio.ensure_future(work))
            await until(lambda: len(lock._waiters or ()) == number)  # noqa: B023
    return await asyncio.gather(*tasks)


async def test_many_ends_are_one(studio: Studio) -> None:
    live, publisher = await studio.on_air()
    on_air = studio.showing(live)

    publisher.closed("bye", ended=True)
    await asyncio.gather(studio.broadcasts.complete(live), studio.broadcasts.end(on_air, "a"))

    assert studio.recorder.recorded == [publisher.broadcast_id]
    row = await studio.row(publisher.broadcast_id)
    assert row
    assert row.end_reason == "bye"


async def test_complete_during_a_take_over_ends_the_new_publisher(studio: Studio) -> None:
    live, first = await studio.on_air()
    assert isinstance(first.connection, FakeConnection)
    first.connection.heard -= SILENT_S
    connection = FakeConnection()

    await _in_order(studio, live, studio.publish(connection), studio.broadcasts.complete(live))

    assert await studio.over(first.broadcast_id)
    assert studio.showing(live).publisher is None
    assert first.connection.closed == ["taken over by a new publisher with the same key"]
    assert connection.closed == ["completed over the API"]


async def test_an_end_that_can_not_be_written_is_written_later(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "RETRY_S", 0.01)
    live, publisher = await studio.on_air()
    studio.recorder.fails = 3

    publisher.closed("bye", ended=True)

    await until(lambda: studio.showing(live).state == "ended")
    assert await studio.state(publisher.broadcast_id) == "live"
    await until(lambda: studio.over(publisher.broadcast_id))
    assert studio.recorder.recorded == [publisher.broadcast_id]
    assert (await studio.event_types(publisher.broadcast_id)).count("broadcast.ended") == 1


async def test_nobody_comes_in_and_nothing_completes_before_the_end_is_written(studio: Studio) -> None:
    live, publisher = await studio.on_air()
    studio.recorder.fails = 2

    with pytest.raises(Problem, match="unavailable"):
        await studio.broadcasts.complete(live)
    since = clock.now()
    with pytest.raises(Refused, match="can't be ended yet"):
        await studio.publish()
    assert studio.showing(live).timer is not None  # tried again by itself

    second = await studio.publish()
    assert await studio.over(publisher.broadcast_id)
    row = await studio.row(publisher.broadcast_id)
    assert row
    assert row.ended_at
    assert row.ended_at <= since
    assert second.broadcast_id != publisher.broadcast_id


async def test_an_end_that_waits_for_what_was_before_it_is_no_error(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "TURN_S", 0.01)
    live, _ = await studio.on_air()

    with capture_logs() as lines:
        async with studio.showing(live).writing:
            with pytest.raises(Problem, match="unavailable"):
                await studio.broadcasts.complete(live)

    assert [line["log_level"] for line in lines if line["event"] == endings.NOT_STATED] == ["warning"]


async def test_a_disk_that_does_not_answer_does_not_cost_the_recording(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "FLUSH_TIMEOUT_S", 0.01)
    monkeypatch.setattr(endings, "RETRY_S", 0.01)
    live, publisher = await studio.on_air()
    stuck = asyncio.Event()
    loop = asyncio.get_running_loop()
    studio.store._order(lambda: asyncio.run_coroutine_threadsafe(stuck.wait(), loop).result(30))

    publisher.closed("bye", ended=True)
    await until(lambda: studio.showing(live).state == "ended")
    await until(lambda: studio.showing(live).timer)
    assert studio.recorder.recorded == []
    stuck.set()

    await until(lambda: studio.recorder.recorded)


async def test_an_older_broadcasts_end_leaves_the_one_on_air_alone(studio: Studio) -> None:
    live, publisher = await studio.on_air()
    await studio.change(live, broadcast_id=new_broadcast_id())  # as if the next one had begun

    await studio.broadcasts.complete(live)

    assert await studio.over(publisher.broadcast_id)
    assert (await studio.stream(live)).state == "broadcasting"


@pytest.mark.parametrize(("record", "empty", "gone"), [(True, False, False), (True, True, True), (False, False, True)])
async def test_an_ended_broadcast_lingers_and_its_bytes_go_unless_a_video_has_them(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, record: bool, empty: bool, gone: bool
) -> None:
    monkeypatch.setattr(endings, "LINGER_S", 0.02)
    studio.recorder.empty = empty
    live, publisher = await studio.on_air(record=record)

    await studio.broadcasts.complete(live)
    assert studio.showing(live).packager.ended
    assert studio.gone == []

    await until(lambda: studio.broadcasts.get(live) is None)
    assert studio.gone == ([publisher.broadcast_id] if gone else [])


async def test_the_next_broadcast_takes_the_place_of_what_lingers(studio: Studio) -> None:
    live, first = await studio.on_air(record=False)
    await studio.broadcasts.complete(live)
    lingering = studio.showing(live)

    second = await studio.publish()

    assert studio.showing(live).broadcast_id == second.broadcast_id
    assert lingering.timer is None
    assert studio.gone == [first.broadcast_id]


async def test_a_deleted_stream_closes_its_publisher_and_loses_its_bytes(studio: Studio) -> None:
    live, publisher = await studio.on_air()
    assert isinstance(publisher.connection, FakeConnection)
    await studio.delete(live)

    await studio.broadcasts.deleted(live)
    await studio.broadcasts.deleted(live)

    assert publisher.connection.closed == ["the live stream was deleted"]
    assert studio.broadcasts.get(live) is None
    assert studio.gone == [publisher.broadcast_id]
    assert studio.recorder.recorded == []


async def test_a_recording_outlives_its_stream(studio: Studio) -> None:
    live, _ = await studio.on_air()
    await studio.broadcasts.complete(live)
    await studio.delete(live)

    await studio.broadcasts.deleted(live)

    assert studio.broadcasts.get(live) is None
    assert studio.gone == []


async def test_a_deleted_recording_is_not_shown_any_more(studio: Studio) -> None:
    live, publisher = await studio.on_air()
    studio.broadcasts.withdraw(publisher.broadcast_id)
    assert studio.showing(live)  # still on air: there is no recording of it yet
    await studio.broadcasts.complete(live)

    studio.broadcasts.withdraw("brAnother")
    assert studio.showing(live)
    studio.broadcasts.withdraw(publisher.broadcast_id)

    assert studio.broadcasts.get(live) is None


async def test_the_next_target_duration_follows_the_key_frames_seen(studio: Studio) -> None:
    live = await studio.live_stream()
    publisher = await studio.publish()
    send(publisher, 20, gop_s=6.4)
    await studio.broadcasts.complete(live)

    second = await studio.publish()

    row = await studio.row(second.broadcast_id)
    assert row
    assert row.target_duration_s == 7


@pytest.mark.parametrize(
    ("segment_s", "gop_s", "expected"),
    [(2.0, None, 4), (2.0, 2.0, 4), (2.0, 4.0, 4), (2.0, 4.04, 5), (6.5, 2.0, 7), (2.0, 10.0, 10)],
)
def test_target_durations(segment_s: float, gop_s: float | None, expected: int) -> None:
    assert target_duration_s(segment_s, gop_s) == expected


# --- stops and restarts


async def test_a_stop_interrupts_and_the_next_start_goes_on(studio: Studio) -> None:
    live, first = await studio.on_air()
    assert isinstance(first.connection, FakeConnection)

    await studio.stop()
    assert first.connection.closed == ["the server is stopping"]
    assert await studio.state(first.broadcast_id) == "interrupted"
    await studio.start()

    taken_up = studio.showing(live)
    assert (taken_up.state, taken_up.broadcast_id) == ("interrupted", first.broadcast_id)
    assert taken_up.timer is not None
    assert taken_up.packager.renditions["video"].window.next_msn == 2
    second = await studio.publish()
    send(second)
    await until(lambda: studio.state_is(first.broadcast_id, "live"))
    assert [entry.discontinuity for entry in taken_up.packager.renditions["video"].window.closed][-1]


async def test_a_crash_on_air_is_an_interruption(studio: Studio) -> None:
    live, publisher = await studio.on_air()

    await studio.crash()

    assert await studio.state(publisher.broadcast_id) == "interrupted"
    assert studio.showing(live).timer is not None


@pytest.mark.parametrize("window_s", [0, 30])
async def test_a_restart_after_the_window_ends_the_broadcast(studio: Studio, window_s: int) -> None:
    live, publisher = await studio.on_air(reconnect_window_s=window_s)
    await studio.stop()
    async with studio.database.write() as transaction:
        row = await transaction.get(Broadcast, publisher.broadcast_id)
        assert row
        row.interrupted_at = clock.now() - timedelta(seconds=window_s)

    await studio.start()

    assert await studio.over(publisher.broadcast_id)
    assert studio.recorder.recorded == [publisher.broadcast_id]
    assert (await studio.stream(live)).state == "idle"


async def test_a_restart_ends_what_had_only_connected(studio: Studio) -> None:
    live = await studio.live_stream()
    publisher = await studio.publish()

    await studio.restart()

    assert await studio.over(publisher.broadcast_id)
    assert (await studio.stream(live)).state == "idle"


async def test_a_stopping_server_lets_nobody_in(studio: Studio) -> None:
    live = await studio.live_stream()
    async with studio.broadcasts._registry.lock(live):
        asking = asyncio.ensure_future(studio.publish())
        await until(lambda: studio.broadcasts._registry.lock(live)._waiters)
        stopping = asyncio.ensure_future(studio.stop())
        await until(lambda: studio.broadcasts._registry.closing)

    with pytest.raises(Refused, match="the server is stopping"):
        await asking
    await stopping
    assert list(studio.broadcasts.all()) == []


async def test_a_stop_between_the_row_and_the_publisher_is_ended_by_the_next_start(studio: Studio) -> None:
    live = await studio.live_stream()
    began = []
    registry = studio.broadcasts._registry
    studio.database.on_commit(lambda changed: began.extend(changed) or setattr(registry, "closing", True))

    with pytest.raises(Refused, match="the server is stopping"):
        await studio.publish()
    studio.database._listeners.clear()
    await studio.restart()

    broadcast_id = next(id for id in began if id.startswith("br"))
    assert await studio.over(broadcast_id)
    assert studio.showing(live).stated


async def test_what_was_to_end_ends_also_while_the_server_stops(studio: Studio) -> None:
    _, publisher = await studio.on_air()
    publisher.closed("bye", ended=True)

    await studio.stop()

    assert await studio.over(publisher.broadcast_id)
    assert studio.recorder.recorded == [publisher.broadcast_id]


async def test_no_timer_is_left_by_a_stop(studio: Studio) -> None:
    live, publisher = await studio.on_air()
    await studio.live_stream("other")
    lingering = await studio.publish(key="other")
    lingering.closed("bye", ended=True)
    await until(lambda: studio.showing(lingering.live_stream_id).stated)
    publisher.closed("the connection was lost", ended=False)
    assert studio.showing(live).timer
    assert studio.showing(lingering.live_stream_id).timer

    await studio.stop()

    assert [on_air.timer for on_air in studio.broadcasts.all()] == [None, None]


async def test_damage_on_disk_ends_one_broadcast_and_not_the_start(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, publisher = await studio.on_air()
    await studio.stop()

    def fail(*_: object) -> None:
        raise OSError("structure needs cleaning")

    monkeypatch.setattr("server.storage.segments.recover", fail)
    await studio.start()

    assert studio.showing(live).state == "ended"
    row = await studio.row(publisher.broadcast_id)
    assert row
    assert (row.state, row.end_reason) == ("recorded", "the server restarted and could not read what was there")


async def test_bytes_that_nobody_needs_go_at_the_start(studio: Studio) -> None:
    """The last server was stopped while its broadcasts lingered; what the catalogue doesn't know is left alone."""
    live, _ = await studio.on_air()
    unrecorded, recorded, on_air, other = (new_broadcast_id() for _ in range(4))
    states = {unrecorded: "ended", recorded: "recorded", on_air: "interrupted"}
    async with studio.database.write() as transaction:
        for id, state in states.items():
            transaction.add(
                Broadcast(id=id, project_id=DEFAULT_PROJECT, live_stream_id=live, state=state, protocol="rtmp",
                          latency_mode="low", target_duration_s=4, interrupted_at=clock.now())
            )  # fmt: skip
        transaction.add(Video(project_id=DEFAULT_PROJECT, title="", broadcast_id=recorded))
    for id in (*states, other):
        studio.layout.broadcast(id).mkdir(parents=True)

    await studio.restart()

    assert studio.gone == [unrecorded]


# --- what is made of a broadcast beside it


async def test_renditions_stay_those_that_the_broadcast_began_with(studio: Studio) -> None:
    live, _ = await studio.on_air(renditions="ladder")
    await studio.change(live, renditions="passthrough")

    assert studio.showing(live).renditions == "ladder"
    await studio.crash()
    assert studio.showing(live).renditions == "ladder"


@pytest.mark.parametrize("fails", [False, True])
async def test_the_end_waits_for_who_has_some_of_it_still_to_come(studio: Studio, fails: bool) -> None:
    live, publisher = await studio.on_air()
    on_air, seen = studio.showing(live), []

    async def over(ending: OnAir) -> None:
        await asyncio.sleep(0)
        seen.append((ending, ending.packager.ended))
        if fails:
            raise OSError("no news of the rest")

    studio.broadcasts._endings._on_over = over
    publisher.closed("FCUnpublish", ended=True)
    await until(lambda: seen and on_air.packager.ended)

    assert seen == [(on_air, False)]
    assert on_air.stated


async def test_viewers_are_told_of_the_end_once_it_is_stated(studio: Studio) -> None:
    """A restart takes a broadcast up again whose end was not."""
    live, publisher = await studio.on_air()
    on_air, told = studio.showing(live), []
    state = studio.broadcasts._endings._states.ended

    async def stating(ending: OnAir, reason: str) -> None:
        assert ending.packager.renditions["video"].window.open is None  # all is closed, and nobody has heard
        told.append(ending.packager.ended)
        await state(ending, reason)

    studio.broadcasts._endings._states.ended = stating  # type: ignore[method-assign]
    publisher.closed("FCUnpublish", ended=True)
    await until(lambda: on_air.packager.ended)

    assert told == [False]
    assert on_air.stated
