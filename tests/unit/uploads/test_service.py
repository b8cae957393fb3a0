import asyncio
from datetime import timedelta

import pytest

from server import clock
from server.catalog import events, jobs, uploads, videos
from server.catalog.models import DEFAULT_PROJECT, Project, UploadToken
from server.catalog.undertakings import undertaking
from server.errors import Problem
from server.protocols.tus import admission
from server.protocols.tus.commands import Append
from server.uploads.placement import Sender
from server.uploads.service import Uploads
from tests.unit.uploads.conftest import MAX_BYTES, chunks


def view(upload):
    return upload.state, upload.offset, upload.length


async def refusal(awaitable):
    with pytest.raises(Problem) as caught:
        await awaitable
    return caught.value.row.status, caught.value.code


async def event_types(house, object_id):
    async with house.database.read() as transaction:
        return [event.type for event in await events.of_object(transaction, DEFAULT_PROJECT, object_id)]


async def test_creation_makes_a_described_video(house):
    opened = await house.create(
        10,
        filename="C:\\clips\\a.mp4",
        filetype="video/mp4",
        title="Film",
        tags="x,y",
        metadata='{"k":"v"}',
        public="false",
    )
    video, row = await house.video(opened.video_id), await house.row(opened.id)

    assert (video.state, video.title, video.tags, video.meta) == (
        "uploading", "Film", ["x", "y"], [{"key": "k", "value": "v"}],
    )  # fmt: skip
    assert (video.public, video.source, video.source_name, video.upload_id) == (False, "upload", "a.mp4", opened.id)
    assert (row.state, row.length, row.filetype, row.meta["title"]) == ("created", 10, "video/mp4", "Film")
    assert view(opened.upload) == ("created", 0, 10)
    assert opened.secret not in (row.secret_hash or "")


@pytest.mark.parametrize(
    ("pairs", "title"), [({}, "Untitled"), ({"filename": "/tmp/b.mov"}, "b.mov"), ({"title": "T"}, "T")]
)
async def test_a_video_without_a_title_takes_the_files_name(house, pairs, title):
    opened = await house.create(**pairs)

    assert (await house.video(opened.video_id)).title == title


async def test_the_last_byte_orders_the_job(house):
    opened = await house.create(10)
    assert view(await house.append(opened, 0, b"01234")) == ("uploading", 5, 10)
    assert await house.jobs() == []
    assert view(await house.append(opened, 5, b"56", b"789")) == ("uploaded", 10, 10)
    video, jobs = await house.video(opened.video_id), await house.jobs()

    assert (video.state, video.source_bytes) == ("pre-processing", 10)
    assert house.source(video.id) == b"0123456789"
    assert [(job.kind, job.object_id) for job in jobs] == [("vod", video.id)]
    assert house.stored() == []
    assert await event_types(house, opened.id) == ["upload.created", "upload.uploading", "upload.uploaded"]
    assert await event_types(house, video.id) == ["video.created", "video.uploading", "video.pre-processing"]


async def test_a_finished_upload_answers_on(house):
    opened = await house.create(3)
    await house.append(opened, 0, b"abc")

    assert view(await house.head(opened)) == ("uploaded", 3, 3)
    assert view(await house.append(opened, 3)) == ("uploaded", 3, 3)
    assert (await house.head(opened)).expires_at is None
    assert await refusal(house.service.abort(opened.id, opened.secret)) == (403, "upload-finished")


async def test_a_length_may_be_told_with_the_bytes(house):
    opened = await house.create(None)
    assert view(await house.append(opened, 0, b"abc")) == ("uploading", 3, None)
    assert view(await house.append(opened, 3, b"d", length=5)) == ("uploading", 4, 5)
    assert view(await house.append(opened, 4, b"e")) == ("uploaded", 5, 5)


async def test_a_length_may_be_told_after_the_bytes(house):
    opened = await house.create(None)
    await house.append(opened, 0, b"abc")

    assert view(await house.append(opened, 3, length=3)) == ("uploaded", 3, 3)


@pytest.mark.parametrize(
    ("offset", "texts", "status"), [(1, [b"a"], 409), (0, [b"a" * 11], 413), (0, [b"a" * 6, b"a" * 6], 413)]
)
async def test_bytes_out_of_place_are_refused(house, offset, texts, status):
    opened = await house.create(10)

    assert (await refusal(house.append(opened, offset, *texts)))[0] == status
    assert (await house.head(opened)).offset == 0


async def test_a_body_of_unknown_length_is_stopped_at_the_limit(house):
    opened = await house.create(3)

    async def body():
        yield b"ab"
        yield b"cd"

    append = house.service.append(opened.id, opened.secret, Append(0, None, None), body())
    assert await refusal(append) == (413, "uploaded-file-too-large")
    assert (await house.head(opened)).offset == 0


async def test_a_wrong_secret_is_no_upload(house):
    opened = await house.create()

    assert await refusal(house.service.head(opened.id, "x" * 22)) == (404, "resource-not-found")
    assert await refusal(house.service.head("up1111111111111111111111", opened.secret)) == (404, "resource-not-found")
    assert await refusal(house.service.abort(opened.id, "")) == (404, "resource-not-found")


async def test_a_wrong_secret_evicts_nobody(house):
    opened = await house.create()
    async with house.service.locks.hold(opened.id):
        assert (await refusal(house.service.head(opened.id, "wrong")))[0] == 404


async def test_a_broken_connection_keeps_what_came(house):
    opened = await house.create(10)

    async def broken():
        yield b"abc"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await house.service.append(opened.id, opened.secret, Append(0, None, 10), broken())

    assert view(await house.head(opened)) == ("uploading", 3, 10)


async def test_a_newcomer_takes_over_from_a_stuck_connection(house):
    opened = await house.create(10)
    come = asyncio.Event()

    async def stuck():
        yield b"abc"
        come.set()
        await asyncio.Event().wait()

    old = asyncio.ensure_future(house.service.append(opened.id, opened.secret, Append(0, None, 10), stuck()))
    await come.wait()
    upload = await house.head(opened)

    assert await refusal(old) == (400, "upload-taken-over")
    assert view(upload) == ("uploading", 3, 10)
    assert view(await house.append(opened, 3, b"defghij")) == ("uploaded", 10, 10)


async def test_an_aborted_upload_is_gone(house):
    opened = await house.create()
    await house.append(opened, 0, b"abc")
    await house.service.abort(opened.id, opened.secret)

    assert (await house.video(opened.video_id)).state == "aborted"
    assert house.stored() == []
    assert await refusal(house.head(opened)) == (410, "upload-gone")
    assert await refusal(house.append(opened, 3, b"d")) == (410, "upload-gone")
    assert await refusal(house.service.abort(opened.id, opened.secret)) == (410, "upload-gone")


async def test_a_restarted_server_goes_on_at_what_is_on_disk(house, reopened):
    opened = await house.create(10)
    await house.append(opened, 0, b"abc")
    with house.layout.upload_data(opened.id).open("ab") as torn:  # written by the one that was killed
        torn.write(b"de")

    assert view(await reopened.head(opened)) == ("uploading", 5, 10)
    assert view(await reopened.append(opened, 5, b"fghij")) == ("uploaded", 10, 10)
    assert reopened.source(opened.video_id) == b"abcdefghij"


async def test_bytes_that_were_complete_at_a_crash_are_finished_when_looked_at(house, reopened):
    opened = await house.create(3)
    house.layout.upload_data(opened.id).write_bytes(b"abc")

    assert view(await reopened.head(opened)) == ("uploaded", 3, 3)
    assert len(await reopened.jobs()) == 1


async def test_bytes_that_had_moved_at_a_crash_are_finished_too(house, reopened):
    opened = await house.create(3)
    house.layout.upload_data(opened.id).write_bytes(b"abc")
    await house.files.finish(opened.id, opened.video_id)

    assert view(await reopened.head(opened)) == ("uploaded", 3, 3)
    assert reopened.source(opened.video_id) == b"abc"


async def test_lost_bytes_are_said_to_be_lost(house, reopened):
    opened = await house.create(3)
    house.layout.upload_data(opened.id).unlink()

    assert await refusal(reopened.head(opened)) == (410, "upload-gone")


async def test_a_waiting_video_is_filled_and_keeps_its_words(house):
    video_id = await house.new_video()
    opened = await house.create(3, videoId=video_id, title="Other", filename="a.mp4")
    await house.append(opened, 0, b"abc")
    video = await house.video(video_id)

    assert opened.video_id == video_id
    assert (video.title, video.source_name, video.state) == ("T", "a.mp4", "pre-processing")


async def test_a_video_id_may_be_spelled_bare(house):
    video_id = await house.new_video()

    assert (await house.create(3, videoId=video_id.removeprefix("vi"))).video_id == video_id


@pytest.mark.parametrize(
    ("video_id", "status"), [("nonsense", 404), ("vi1111111111111111111111", 404)]
)
async def test_an_unknown_video_makes_no_upload(house, video_id, status):
    assert (await refusal(house.create(3, videoId=video_id)))[0] == status
    assert house.stored() == []


@pytest.mark.parametrize(
    ("state", "values"), [("done", {}), ("pre-processing", {}), ("pending", {"live_stream_id": "liX"})]
)
async def test_a_video_with_a_source_takes_no_upload(house, state, values):
    video_id = await house.new_video(state, **values)

    assert await refusal(house.create(3, videoId=video_id)) == (400, "video-source-already-uploaded")
    assert house.stored() == []


async def test_another_projects_video_is_unknown(house):
    video_id = await house.new_video()

    assert (await refusal(house.create(3, Sender("pr1111111111111111111112"), videoId=video_id)))[0] == 404


async def test_a_second_upload_of_a_video_supersedes_the_first(house):
    video_id = await house.new_video()
    first = await house.create(3, videoId=video_id)
    second = await house.create(3, videoId=video_id)

    assert await refusal(house.head(first)) == (410, "upload-gone")
    assert house.stored() == [second.id]
    assert view(await house.append(second, 0, b"abc")) == ("uploaded", 3, 3)


async def test_what_was_superseded_goes_with_the_commit(house):
    video_id = await house.new_video()
    first = await house.create(3, videoId=video_id)

    async def fail():
        async with undertaking(together=True):
            await house.create(3, videoId=video_id)
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        await fail()
    assert first.id in house.stored()
    async with undertaking(together=True):
        second = await house.create(3, videoId=video_id)
        assert first.id in house.stored()
    async with asyncio.timeout(10):
        while first.id in house.stored():
            await asyncio.sleep(0.01)
    assert second.id in house.stored()


async def test_a_video_that_failed_may_be_filled_again(house):
    video_id = await house.new_video("error")
    opened = await house.create(3, videoId=video_id)

    assert view(await house.append(opened, 0, b"abc")) == ("uploaded", 3, 3)


@pytest.fixture
async def tokens(house):
    """Senders of two upload tokens."""
    async with house.database.write() as transaction:
        made = [
            await uploads.add_token(transaction, UploadToken(id=name, project_id=DEFAULT_PROJECT, ttl_s=0))
            for name in ("to1", "to2")
        ]
    return [Sender(DEFAULT_PROJECT, token.id) for token in made]


async def test_a_token_fills_a_video_that_nobody_began(house, tokens):
    video_id = await house.new_video()

    assert (await house.create(3, tokens[0], videoId=video_id)).video_id == video_id


async def test_a_token_goes_on_only_with_its_own(house, tokens):
    opened = await house.create(3, tokens[0])

    assert await refusal(house.create(3, tokens[1], videoId=opened.video_id)) == (403, "forbidden")
    assert (await house.create(3, tokens[0], videoId=opened.video_id)).video_id == opened.video_id
    assert (await house.create(3, videoId=opened.video_id)).video_id == opened.video_id


async def test_a_full_disk_is_said_before_anything_is_made(house, monkeypatch):
    monkeypatch.setattr(house.files, "_reserve_bytes", 1 << 60)

    assert await refusal(house.create(3)) == (507, "storage-full")
    assert house.stored() == []


async def test_a_deleted_videos_upload_is_gone(house):
    opened = await house.create(3)
    async with house.database.write() as transaction:
        await videos.remove(transaction, await videos.find(transaction, opened.video_id))

    assert (await refusal(house.append(opened, 0, b"abc")))[0] == 404


async def test_an_expired_upload_is_gone(house):
    opened = await house.create(3)
    await overdue(house, opened)

    assert await refusal(house.append(opened, 0, b"abc")) == (410, "upload-gone")


async def test_a_sandbox_takes_less_whenever_the_length_is_told(house):
    house.service = Uploads(house.database, house.files, jobs.add, MAX_BYTES, 86400, sandbox_bytes=10)
    async with house.database.write() as transaction:
        transaction.add(Project(id="pr2", name="Sandbox", sandbox=True))
    opened = await house.create(None, Sender("pr2"))
    name, service = (opened.id, opened.secret), house.service

    assert await refusal(service.settle(*name, 11)) == (413, "uploaded-file-too-large")
    assert await refusal(service.whole(*name, 11, chunks(b"x" * 11))) == (413, "uploaded-file-too-large")
    assert await refusal(service.whole(*name, None, chunks(b"x" * 11))) == (413, "uploaded-file-too-large")
    assert await refusal(house.append(opened, 0, b"", length=11)) == (413, "uploaded-file-too-large")
    assert view(await service.settle(*name, 10)) == ("uploading", 0, 10)


async def test_bytes_put_the_expiry_off(house):
    opened = await house.create(3)
    upload = await house.append(opened, 0, b"a")

    assert isinstance(upload, admission.Upload)
    assert upload.expires_at > opened.upload.expires_at


async def overdue(house, opened):
    async with house.database.write() as transaction:
        row = await uploads.get(transaction, opened.id)
        row.expires_at = clock.now() - timedelta(seconds=1)
