"""Watermarks as they are kept, given to videos, and swept up."""

from contextlib import suppress
from typing import Any, cast

import pytest

from server.catalog import events, watermarks
from server.catalog.models import DEFAULT_PROJECT, Video, Watermark
from server.errors import Problem
from server.media.child import ChildFailed, Children
from server.storage.watermarks import WatermarkStore
from server.vod import marks as module
from server.vod.marks import Marks
from tests.unit.vod.conftest import JPEG, Archive

MADE = {"event": "made", "width": 40, "height": 20}


@pytest.fixture
def marks(archive: Archive) -> Marks:
    archive.children.events = [MADE]
    return Marks(archive.database, WatermarkStore(archive.layout), cast(Children, archive.children))


def files(archive: Archive) -> list[str]:
    return archive.layout.watermark_ids()


async def test_one_is_kept_as_the_child_coded_it(archive: Archive, marks: Marks) -> None:
    row = await marks.keep(DEFAULT_PROJECT, b"a picture")

    assert (row.width, row.height) == (40, 20)
    assert archive.children.runs == ["images"]
    assert archive.layout.watermark(row.id).read_bytes() == JPEG  # what the fake child writes
    async with archive.database.read() as transaction:
        assert await watermarks.get(transaction, DEFAULT_PROJECT, row.id) is not None
        assert [event.type for event in await events.of_object(transaction, DEFAULT_PROJECT, row.id)] == [
            "watermark.created"
        ]


@pytest.mark.parametrize("reason", ["crashed", "timeout", "limit"])
async def test_what_harms_the_child_is_refused(archive: Archive, marks: Marks, reason: Any) -> None:
    archive.children.failure = ChildFailed(reason, "for the log")

    with pytest.raises(Problem) as told:
        await marks.keep(DEFAULT_PROJECT, b"rubbish")

    assert (told.value.code, told.value.name) == ("uploaded-file-invalid-file", "file")
    assert files(archive) == []


async def test_there_are_so_many_at_most(archive: Archive, marks: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    first = await marks.keep(DEFAULT_PROJECT, b"a picture")

    with pytest.raises(Problem) as told:
        await marks.keep(DEFAULT_PROJECT, b"a picture")

    assert told.value.code == "conflict"
    assert files(archive) == [first.id]


async def test_a_video_has_its_own(archive: Archive, marks: Marks) -> None:
    row = await marks.keep(DEFAULT_PROJECT, b"a picture")
    video = Video(id="vi1", project_id=DEFAULT_PROJECT, title="a video")
    stranger = Video(id="vi2", project_id="pr2", title="another's")

    async with archive.database.write() as transaction:
        assert await marks.give(transaction, video, row.id)
        assert not await marks.give(transaction, stranger, row.id)
        assert not await marks.give(transaction, video, "watermark_none")
    async with archive.database.write() as transaction:
        found = await watermarks.get(transaction, DEFAULT_PROJECT, row.id)
        assert found
        await marks.remove(transaction, found)

    assert files(archive) == []
    assert (row.stored_bytes, video.watermark_bytes, stranger.watermark_bytes) == (len(JPEG), len(JPEG), None)
    assert archive.layout.video_watermark("vi1").read_bytes() == JPEG
    assert not archive.layout.video("vi2").exists()
    marks.take_back("vi1")
    marks.take_back("vi2")
    assert not archive.layout.video("vi1").exists()


async def test_a_file_that_went_since_its_row_was_read(archive: Archive, marks: Marks) -> None:
    row = await marks.keep(DEFAULT_PROJECT, b"a picture")
    archive.layout.watermark(row.id).unlink()
    video = Video(id="vi1", project_id=DEFAULT_PROJECT, title="a video")

    async with archive.database.write() as transaction:
        assert not await marks.give(transaction, video, row.id)


async def test_what_a_crash_left_is_swept(archive: Archive, marks: Marks) -> None:
    row = await marks.keep(DEFAULT_PROJECT, b"a picture")
    WatermarkStore(archive.layout).put("watermark_lost", b"no row")

    await marks.sweep()

    assert files(archive) == [row.id]


async def test_a_row_that_is_not_deleted_after_all_keeps_its_file(archive: Archive, marks: Marks) -> None:
    row = await marks.keep(DEFAULT_PROJECT, b"a picture")

    with suppress(LookupError):
        async with archive.database.write() as transaction:
            found = await transaction.get(Watermark, row.id)
            assert found
            await marks.remove(transaction, found)
            raise LookupError

    assert files(archive) == [row.id]
    async with archive.database.read() as transaction:
        assert await watermarks.get(transaction, DEFAULT_PROJECT, row.id) is not None
