from datetime import timedelta

import pytest

from server import clock, ids
from server.catalog import broadcasts, projects, sandboxes, stored, usage, videos
from server.catalog.models import DEFAULT_PROJECT, Broadcast, LiveStream, Project, Video
from server.catalog.sandboxes import MARK, Sandboxes


@pytest.fixture
async def sandbox(database) -> str:
    async with database.write() as transaction:
        return (await projects.add(transaction, Project(name="Try", sandbox=True))).id


async def add(database, project_id: str, **fields) -> Video:
    async with database.write() as transaction:
        return await videos.add(transaction, Video(project_id=project_id, title="T", **fields))


async def test_new_videos_bear_the_mark_whatever_was_wished(database, sandbox):
    plain, wished = await add(database, sandbox), await add(database, sandbox, watermark={"id": "watermark_x"})
    other = await add(database, DEFAULT_PROJECT)

    assert (plain.watermark, wished.watermark, other.watermark) == (MARK, MARK, None)
    assert plain.altered


async def test_recordings_are_what_was_on_air(database, sandbox):
    assert (await add(database, sandbox, live_stream_id="li1", broadcast_id="br1")).watermark is None


async def test_only_old_videos_of_sandboxes_are_outlived(database, sandbox):
    day = clock.now() - timedelta(days=1)
    old = await add(database, sandbox, created_at=day)
    await add(database, sandbox)
    await add(database, DEFAULT_PROJECT, created_at=day)
    async with database.read() as transaction:
        found = await sandboxes.outlived(transaction, clock.now() - timedelta(hours=1), 10)

    assert found == [old.id]


async def test_nothing_of_a_sandbox_is_usage(database, sandbox):
    for project_id in (sandbox, DEFAULT_PROJECT):
        await add(database, project_id, source_bytes=5)
    async with database.read() as transaction:
        until = clock.now() + timedelta(hours=1)
        counted = [await stored.by_day(transaction, id, until, until) for id in (sandbox, DEFAULT_PROJECT)]
        bytes_now = [await stored.total(transaction, id) for id in (sandbox, DEFAULT_PROJECT)]
    async with database.write() as transaction:
        for project_id in (sandbox, DEFAULT_PROJECT):
            await usage.encoded(transaction, project_id, 2.0, clock.now())
        today = clock.now().date()
        encoded = [await usage.days(transaction, id, today, today) for id in (sandbox, DEFAULT_PROJECT)]

    assert [[each.size for each in came] for came in counted] == [[], [5]]
    assert bytes_now == [0, 5]
    assert [[each.encoded_ms for each in days] for days in encoded] == [[], [2000]]


async def test_which_projects_are_sandboxes_is_remembered(database, sandbox):
    known = Sandboxes(database)

    assert [await known.has(id) for id in (sandbox, DEFAULT_PROJECT, "pr1", sandbox)] == [True, False, False, True]


async def test_only_old_broadcasts_that_are_on_air_in_sandboxes_outlast(database, sandbox):
    hour = clock.now() - timedelta(hours=1)

    async def broadcast(project_id, **fields):
        async with database.write() as transaction:
            live = LiveStream(project_id=project_id, name="L", stream_key=ids.new("li"))
            transaction.add(live)
            await transaction.flush()
            facts = {"protocol": "rtmp", "latency_mode": "low", "target_duration_s": 4, **fields}
            transaction.add(Broadcast(project_id=project_id, live_stream_id=live.id, **facts))
        return live.id

    old = await broadcast(sandbox, state="live", started_at=hour)
    await broadcast(sandbox, state="live")
    await broadcast(sandbox, state="ended", started_at=hour)
    await broadcast(DEFAULT_PROJECT, state="live", started_at=hour)
    async with database.read() as transaction:
        found = await sandboxes.outlasting(transaction, clock.now() - timedelta(minutes=30))

    assert found == [old]
    assert set(sandboxes.ON_AIR) == set(broadcasts.ON_AIR)
