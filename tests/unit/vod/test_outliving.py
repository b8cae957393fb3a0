"""What is put aside goes when its time has come, and only what nothing needs any more."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from server.catalog import stored, versions, videos
from server.catalog.database import Transaction
from server.catalog.models import DEFAULT_PROJECT, Video
from server.vod import making
from server.vod.outliving import Outliving
from tests.unit.vod.conftest import Archive


class Desk:
    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.gone: list[str] = []

    async def delete(self, transaction: Transaction, video: Video) -> None:
        self.deleted.append(video.id)


async def changed(archive: Archive, id: str, what: Callable[[Transaction, Video], Awaitable[Any]]) -> Any:
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        return await what(transaction, video)


async def shown(archive: Archive, id: str, **edit: Any) -> str:
    """A version that is shown."""

    async def show(transaction: Transaction, video: Video) -> str:
        version = await versions.new(transaction, video, versions.REPLACE, **edit)
        version.state, version.playable, version.source = "done", True, "upload"
        await versions.came_on(transaction, version)
        return version.id

    return str(await changed(archive, id, show))


def outliving(archive: Archive, desk: Desk, kept_s: float) -> Outliving:
    return Outliving(archive.database, archive.layout, kept_s, desk.delete, desk.gone.append)


@pytest.fixture
async def id(archive: Archive) -> str:
    made = await archive.video(state="done", playable=True)

    async def upload(transaction: Transaction, video: Video) -> None:
        video.source, video.source_bytes = "upload", 1000

    await changed(archive, made, upload)
    archive.layout.video_index(made).write_bytes(b"index")
    archive.layout.video_poster(made).write_bytes(b"poster")
    return made


async def test_it_is_kept_for_a_while(archive: Archive, id: str) -> None:
    await shown(archive, id)
    assert await outliving(archive, Desk(), 60).round() == 0
    assert archive.layout.video_source(id).exists()


async def test_then_its_own_bytes_go_and_versions_whole(archive: Archive, id: str) -> None:
    first, desk = await shown(archive, id), Desk()
    second = await shown(archive, id)
    assert (await archive.row(id)).own_bytes == 1000
    assert await outliving(archive, desk, 0).round() == 1
    row = await archive.row(id)
    assert (row.previous, row.previous_since, row.material, row.own_bytes) == (None, None, second, None)
    assert desk.deleted == [first]
    assert not archive.layout.video_source(id).exists()
    assert not archive.layout.video_index(id).exists()
    assert archive.layout.video_poster(id).exists()


@pytest.mark.parametrize("fails", [False, True])
async def test_it_stays_while_more_of_the_new_is_to_come(archive: Archive, id: str, fails: bool) -> None:
    """What can't be made after all gives way to it again."""

    async def begin(transaction: Transaction, video: Video) -> str:
        version = await versions.new(transaction, video, versions.REPLACE)
        version.state, version.playable, version.source = "processing", True, "upload"
        await versions.came_on(transaction, version)
        return version.id

    async def end(transaction: Transaction, version: Video) -> None:
        if fails:
            await making.fail(transaction, version, making.GAVE_UP)
        else:
            await videos.move(transaction, version, "done")
            await versions.came_on(transaction, version)

    version_id = await changed(archive, id, begin)
    assert await outliving(archive, Desk(), 0).round() == 0
    await changed(archive, version_id, end)
    await outliving(archive, Desk(), 0).round()
    row = await archive.row(id)
    assert (row.material, row.state, row.playable) == (id if fails else version_id, "done", True)
    assert archive.layout.video_source(id).exists() is fails


async def test_of_a_recording_the_bytes_count_for_as_long_as_they_are_there(archive: Archive) -> None:
    id = await archive.video(
        source=None, state="done", playable=True, broadcast_id="br1", source_bytes=1000, duration_s=5.0
    )

    async def join(transaction: Transaction, video: Video) -> None:
        version = await versions.new(transaction, video, versions.CONCAT, wait=True)
        version.state, version.playable, version.source, version.source_bytes = "done", True, "upload", 70
        await versions.show(transaction, video, version)

    await changed(archive, id, join)
    assert await outliving(archive, Desk(), 0).round() == 1
    assert (await archive.row(id)).previous is None
    async with archive.database.read() as transaction:
        assert await stored.total(transaction, DEFAULT_PROJECT) == 1070


async def test_of_a_trimmed_video_the_whole_file_stays(archive: Archive, id: str) -> None:
    await shown(archive, id, trim={"start": 1, "end": 2, "of": id, "duration": 10})
    await outliving(archive, Desk(), 0).round()
    assert archive.layout.video_source(id).exists()
    assert not archive.layout.video_index(id).exists()
    assert (await archive.row(id)).own_bytes == 1000
    await shown(archive, id)  # another file: nothing is cut out of the whole any more
    await outliving(archive, Desk(), 0).round()
    assert not archive.layout.video_source(id).exists()
    assert (await archive.row(id)).own_bytes is None


async def test_of_an_archived_one_the_file_stays(archive: Archive, id: str) -> None:
    await changed(archive, id, versions.archive)
    await outliving(archive, Desk(), 3600).round()
    assert archive.layout.video_source(id).exists()
    assert not archive.layout.video_index(id).exists()
    assert (await archive.row(id)).previous is None
