import asyncio
import os
from datetime import timedelta

from server import clock
from server.catalog import uploads
from server.protocols.content_range import parse
from server.uploads import expiry


async def overdue(house, upload_id):
    async with house.database.write() as transaction:
        row = await uploads.get(transaction, upload_id)
        row.expires_at = clock.now() - timedelta(seconds=1)


def age(house, upload_id, seconds):
    then = clock.wall_ms() / 1000 - seconds
    folder = house.layout.upload(upload_id)
    for path in (*folder.iterdir(), folder):
        os.utime(path, (then, then))


async def test_overdue_uploads_are_swept_with_their_bytes(house):
    old, fresh = await house.create(), await house.create()
    await overdue(house, old.id)

    assert await house.sweep() == 1
    assert house.stored() == [fresh.id]
    assert (await house.row(old.id)).state == "expired"
    assert (await house.video(old.video_id)).state == "aborted"
    assert (await house.video(fresh.video_id)).state == "uploading"


async def test_overdue_parts_are_swept(house):
    video_id = await house.new_video()
    video = await house.send(video_id, b"a", parse("part 1/2"))
    await overdue(house, video.upload_id)

    assert await house.sweep() == 1
    assert house.stored() == []


async def test_an_upload_that_is_being_written_is_left_alone(house):
    opened = await house.create()
    await overdue(house, opened.id)
    async with house.service.locks.hold(opened.id):
        await house.sweep()

    assert house.stored() == [opened.id]


async def test_bytes_without_a_row_are_swept_once_they_rest(house):
    for upload_id in ("upOld", "upNew"):
        await house.files.create(upload_id)
    age(house, "upOld", 4000)
    age(house, "upNew", 3000)

    assert await house.sweep() == 1
    assert house.stored() == ["upNew"]


async def test_resting_bytes_of_an_open_upload_stay(house):
    opened = await house.create()
    age(house, opened.id, 80000)
    await house.sweep()

    assert house.stored() == [opened.id]


async def test_recovery_finishes_what_is_complete_and_leaves_the_rest(house, reopened):
    whole, half, lost = await house.create(3), await house.create(3), await house.create(3)
    house.layout.upload_data(whole.id).write_bytes(b"abc")
    house.layout.upload_data(half.id).write_bytes(b"ab")
    house.layout.upload_data(lost.id).unlink()
    part = await house.send(await house.new_video(), b"a", parse("part 1/2"))
    await reopened.recover()

    assert (await reopened.row(whole.id)).state == "uploaded"
    assert (await reopened.row(half.id)).state == "created"
    assert (await reopened.row(part.upload_id)).state == "uploading"
    assert reopened.stored() == sorted([half.id, lost.id, part.upload_id])


async def test_sweeping_lasts_as_long_as_its_context(house):
    opened = await house.create()
    await overdue(house, opened.id)
    async with expiry.sweeping(house.service, house.partials, house.joins, house.layout):
        async with asyncio.timeout(10):
            while house.stored():
                await asyncio.sleep(0.01)

    assert len(asyncio.all_tasks()) == 1
