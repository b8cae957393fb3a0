"""What projects use, by the day."""

from datetime import UTC, date, datetime, timedelta

import pytest

from server.catalog import broadcasts, live_streams, projects, renditions, stored, usage, versions, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, Broadcast, LiveStream, Project, Rendition, Video
from server.catalog.usage import Delivered, Usage

NIGHT = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
DAY = date(2026, 1, 31)


async def days(database: Database, project_id: str = DEFAULT_PROJECT) -> list[Usage]:
    async with database.read() as transaction:
        return list(await usage.days(transaction, project_id, date(2000, 1, 1), date(2100, 1, 1)))


async def test_delivered_bytes_are_written_now_and_then(database: Database) -> None:
    delivered = Delivered()
    for at, sent in ((NIGHT, 5), (NIGHT, 7), (NIGHT + timedelta(minutes=1), 1)):
        delivered.count(DEFAULT_PROJECT, sent, at)
    assert (await days(database), delivered.waiting) == ([], 13)
    async with database.write() as transaction:
        await delivered.write(transaction, NIGHT)
        delivered.count(DEFAULT_PROJECT, 2, NIGHT)  # while it is written
    assert await days(database) == [Usage(DAY, 12), Usage(DAY + timedelta(days=1), 1)]
    assert delivered.waiting == 2
    async with database.write() as transaction:
        await delivered.write(transaction, NIGHT)
    assert ((await days(database))[0], delivered.waiting) == (Usage(DAY, 14), 0)


async def test_what_was_not_committed_is_written_again(database: Database) -> None:
    delivered = Delivered()
    delivered.count(DEFAULT_PROJECT, 5, NIGHT)

    async def fail() -> None:
        async with database.write() as transaction:
            await delivered.write(transaction, NIGHT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert (await days(database), delivered.waiting) == ([], 5)


async def test_batches_are_bounded_and_projects_that_are_gone_are_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "AT_ONCE", 1)
    delivered = Delivered()
    delivered.count("pr-gone", 5, NIGHT)
    delivered.count(DEFAULT_PROJECT, 7, NIGHT)
    for left in (7, 0):
        async with database.write() as transaction:
            await delivered.write(transaction, NIGHT)
        assert delivered.waiting == left
    assert await days(database) == [Usage(DAY, 7)]


async def live(transaction: Transaction) -> Broadcast:
    row = LiveStream(project_id=DEFAULT_PROJECT, name="x", stream_key=live_streams.new_stream_key())
    await live_streams.add(transaction, row)
    broadcast = Broadcast(
        project_id=DEFAULT_PROJECT, live_stream_id=row.id, protocol="rtmp", latency_mode="low", target_duration_s=4
    )
    return await broadcasts.add(transaction, broadcast)


async def test_time_on_air_counts_when_it_is_over(database: Database) -> None:
    async with database.write() as transaction:
        row = await live(transaction)
        row.live_at = NIGHT
        await broadcasts.move(transaction, row, "live")
    assert await days(database) == []
    async with database.write() as transaction:
        row = await transaction.get_one(Broadcast, row.id)
        row.ended_at = NIGHT + timedelta(minutes=2)
        await broadcasts.move(transaction, row, "ended")
        never = await live(transaction)
        never.ended_at = NIGHT
        await broadcasts.move(transaction, never, "ended")
    assert await days(database) == [Usage(DAY + timedelta(days=1), live_ms=120_000)]


async def test_what_is_encoded_counts_when_it_is_whole(database: Database) -> None:
    async with database.write() as transaction:
        video = await videos.add(
            transaction, Video(project_id=DEFAULT_PROJECT, title="x", duration_s=60.5, source_bytes=1000)
        )
        for name, origin in (("720p", "encoded"), ("video", "source")):
            row = Rendition(
                video_id=video.id, revision=1, name=name, project_id=DEFAULT_PROJECT, kind="video", origin=origin
            )
            await renditions.add(transaction, row)
            await renditions.move(transaction, video, row, "ready")
        assert await stored.total(transaction, DEFAULT_PROJECT) == 1000
        for row in await renditions.unweighed(transaction, 10):
            await renditions.weighed(transaction, row, 50)
        assert await renditions.unweighed(transaction, 10) == []
        assert await stored.total(transaction, DEFAULT_PROJECT) == 1100
        await renditions.remove(transaction, video.id, 1)
        assert await stored.total(transaction, DEFAULT_PROJECT) == 1000
    assert [one.encoded_ms for one in await days(database)] == [60_500]


async def test_a_file_counts_once_also_where_a_version_shows_it(database: Database) -> None:
    async with database.write() as transaction:
        video = await videos.add(transaction, Video(
            project_id=DEFAULT_PROJECT, title="x", source_bytes=1000, source="upload", state="done", playable=True,
        ))  # fmt: skip
        version = await versions.new(transaction, video, versions.REPLACE)
        version.source_bytes = 70
        assert await stored.total(transaction, DEFAULT_PROJECT) == 1070
        version.playable = True
        await versions.came_on(transaction, version)
        assert await stored.total(transaction, DEFAULT_PROJECT) == 1070  # the way back is kept
        await versions.refused(transaction, version)
        await transaction.delete(version)
        assert (await stored.total(transaction, DEFAULT_PROJECT), video.own_bytes) == (1000, None)


async def test_the_whole_of_a_trimmed_recording_counts_beside_the_part(database: Database) -> None:
    async with database.write() as transaction:
        video = await videos.add(transaction, Video(
            project_id=DEFAULT_PROJECT, title="x", source_bytes=1000, source="live", broadcast_id="br1", state="done",
            playable=True, duration_s=10.0,
        ))  # fmt: skip
        trim = {"start": 0, "end": 1, "of": video.id, "duration": 10.0, "media": None, "bytes": 1000}
        version = await versions.new(transaction, video, versions.TRIM, trim=trim)
        version.source_bytes, version.state, version.playable = 70, "done", True
        await versions.came_on(transaction, version)
        assert await stored.total(transaction, DEFAULT_PROJECT) == 1070
        await versions.show_recording(transaction, video)
        await transaction.delete(version)
        assert (await stored.total(transaction, DEFAULT_PROJECT), video.own_bytes) == (1000, None)


async def test_usage_keeps_no_project_from_going(database: Database) -> None:
    async with database.write() as transaction:
        project = await projects.add(transaction, Project(id="pr2", name="another"))
        await usage.encoded(transaction, "pr2", 1.0, NIGHT)
        assert await projects.contents(transaction, project) == []
        await projects.remove(transaction, project)
    assert await days(database, "pr2") == []
