"""Recording started and stopped while on air."""

from datetime import timedelta

import pytest

from server import clock
from server.catalog import broadcasts
from server.catalog.models import DEFAULT_PROJECT, Broadcast, Video
from server.errors import Problem
from server.ingest.on_air import OnAir
from server.packager.presentation import Span
from tests.unit.ingest.conftest import FakeConnection, Studio, new_broadcast_id, send, until


async def events(studio: Studio, live: str) -> list[str]:
    await studio.broadcasts._registry.settle()
    types = [type.removeprefix("live-stream.") for type in await studio.event_types(live)]
    return [type for type in types if type.startswith("record")]


async def test_a_part_in_the_middle_becomes_a_video_at_once(studio: Studio) -> None:
    live, publisher = await studio.on_air(record=False)
    on_air = studio.showing(live)
    await studio.broadcasts.recordings.start(live)
    await studio.broadcasts.recordings.start(live)
    send(publisher, 4, start_ms=3000)

    await studio.broadcasts.recordings.stop(live)
    await studio.broadcasts.recordings.stop(live)
    assert (await studio.row(on_air.broadcast_id)).record is False
    send(publisher, 4, start_ms=7000)

    await until(lambda: on_air.intervals[0]["videoId"])
    assert studio.recorder.spans == [Span(1, 2)]
    assert await studio.state(on_air.broadcast_id) == "live"
    await studio.broadcasts.complete(live)
    assert studio.recorder.spans == [Span(1, 2)]
    assert await studio.state(on_air.broadcast_id) == "recorded"
    assert await events(studio, live) == ["recording.started", "recording.stopped", "recorded"]


async def test_what_still_runs_at_the_end_is_recorded_to_the_end(studio: Studio) -> None:
    live, publisher = await studio.on_air()
    await studio.broadcasts.recordings.stop(live)
    send(publisher, 4, start_ms=3000)
    await studio.broadcasts.recordings.start(live)
    send(publisher, 4, start_ms=7000)

    await studio.broadcasts.complete(live)

    newest = studio.showing(live).packager.renditions["video"].window.next_msn - 1
    assert studio.recorder.spans == [Span(0, 1), Span(2, newest)]
    assert [bool(each["videoId"]) for each in studio.showing(live).intervals] == [True, True]


async def test_only_what_is_recorded_outlives_the_window(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    live, publisher = await studio.on_air(record=False)
    on_air = studio.showing(live)
    window = on_air.packager.renditions["video"].window
    window.window_s = on_air.packager.renditions["audio"].window.window_s = 12.0
    await studio.broadcasts.recordings.start(live)
    send(publisher, 4, start_ms=3000)
    await studio.broadcasts.recordings.stop(live)
    send(publisher, 60, start_ms=7000)

    await until(lambda: on_air.intervals[0]["videoId"])
    studio.store.flush().result(30)
    folder = studio.layout.rendition(on_air.broadcast_id, "video")
    assert [folder.segment(msn).exists() for msn in range(5)] == [False, True, True, False, False]


async def test_a_recording_goes_on_after_a_restart(studio: Studio) -> None:
    live, _ = await studio.on_air(record=False)
    await studio.broadcasts.recordings.start(live)

    await studio.crash()
    publisher = await studio.publish(FakeConnection("second"))
    send(publisher)
    await studio.broadcasts.complete(live)

    assert [(span.first, span.last) for span in studio.recorder.spans if span] == [(1, 3)]


async def test_the_files_of_a_partly_recorded_broadcast_are_looked_through_when_it_is_gone(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.ingest.endings.LINGER_S", 0.01)
    live, _ = await studio.on_air()
    await studio.broadcasts.recordings.stop(live)

    await studio.broadcasts.complete(live)

    await until(lambda: studio.broadcasts.get(live) is None)
    assert len(studio.gone) == 1


@pytest.mark.parametrize(
    ("videos", "days", "looked"),
    [
        ([{"first": 1, "last": 2}], 0, True),
        ([{"first": 1, "last": 2}, {"first": 4, "last": 5}], 1, True),
        ([{"first": 1, "last": 2}], 3, False),
        ([{"first": 1, "last": 2}, None], 0, False),
        ([None], 0, False),
    ],
)
async def test_what_a_crash_left_of_a_partly_recorded_broadcast_is_looked_through(
    studio: Studio, videos: list[dict[str, int] | None], days: int, looked: bool
) -> None:
    live = await studio.live_stream()
    id = new_broadcast_id()
    async with studio.database.write() as transaction:
        ended_at = clock.now() - timedelta(days=days)
        row = Broadcast(
            id=id, project_id=DEFAULT_PROJECT, live_stream_id=live, state="recorded", protocol="rtmp",
            latency_mode="low", target_duration_s=4, ended_at=ended_at,
        )  # fmt: skip
        transaction.add(row)
        for segments in videos:
            transaction.add(Video(project_id=DEFAULT_PROJECT, title="", broadcast_id=id, segments=segments))
    studio.layout.broadcast(id).mkdir(parents=True)

    await studio.restart()

    assert studio.gone == ([id] if looked else [])


@pytest.mark.parametrize("verb", ["start", "stop"])
async def test_nobody_on_air_is_a_conflict(studio: Studio, verb: str) -> None:
    live, _ = await studio.on_air()
    await studio.broadcasts.complete(live)

    for id in (live, "liNobody"):
        with pytest.raises(Problem, match="conflict: Nobody is on air"):
            await getattr(studio.broadcasts.recordings, verb)(id)


async def test_a_recording_without_a_segment_leaves_nothing(studio: Studio) -> None:
    live, publisher = await studio.on_air(record=False)
    publisher.closed("the connection was lost", ended=False)
    on_air: OnAir = await studio.broadcasts.recordings.start(live)

    await studio.broadcasts.recordings.stop(live)

    assert on_air.intervals == []
    async with studio.database.read() as transaction:
        row = await broadcasts.get(transaction, on_air.broadcast_id)
    assert row
    assert (row.recordings, row.record) == ([], False)
