"""The store of uploads with real files; a crash is a second store on the same folder."""

import asyncio
import hashlib
import os

import pytest

from server.errors import Problem
from server.protocols.tus.checksum import Checksum
from server.storage.layout import Layout
from server.storage.upload_files import UploadFiles

UP, VI = "upTest", "viTest"


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path)


@pytest.fixture
async def files(layout):
    async with UploadFiles.open(layout, 0) as files:
        await files.create(UP)
        yield files


async def chunks(*texts):
    for text in texts:
        yield text


async def broken(*texts, error=ConnectionResetError):
    for text in texts:
        yield text
    raise error


async def test_bytes_are_appended_and_counted(files, layout):
    assert await files.size(UP) == 0
    assert await files.append(UP, 0, chunks(b"ab", b"c"), 10) == 3
    assert await files.append(UP, 3, chunks(b"de"), 7) == 5

    assert await files.size(UP) == 5
    assert layout.upload_data(UP).read_bytes() == b"abcde"


async def test_an_empty_body_appends_nothing(files):
    assert await files.append(UP, 0, chunks(), 10) == 0


async def test_an_unknown_upload_has_no_size(files):
    assert await files.size("upNone") is None


async def test_an_upload_is_created_once(files):
    with pytest.raises(FileExistsError):
        await files.create(UP)


async def test_bytes_before_a_broken_connection_are_kept(files):
    with pytest.raises(ConnectionResetError):
        await files.append(UP, 0, broken(b"ab", b"c"), 10)

    assert await files.size(UP) == 3


async def test_bytes_before_a_cancellation_are_kept(files):
    come = asyncio.Event()

    async def stuck():
        yield b"abc"
        come.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(files.append(UP, 0, stuck(), 10))
    await come.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await files.size(UP) == 3


async def test_too_many_bytes_are_refused_and_none_is_kept(files, layout):
    await files.append(UP, 0, chunks(b"ab"), 10)
    with pytest.raises(Problem) as caught:
        await files.append(UP, 2, chunks(b"c" * (2 << 20), b"d"), 2 << 20)

    assert caught.value.code == "uploaded-file-too-large"
    assert layout.upload_data(UP).read_bytes() == b"ab"


async def test_another_store_goes_on_where_a_killed_one_stopped(files, layout):
    await files.append(UP, 0, chunks(b"abc"), 10)
    with layout.upload_data(UP).open("ab") as torn:  # written by the killed one, never acknowledged
        torn.write(b"de")
    async with UploadFiles.open(layout, 0) as reopened:
        assert await reopened.size(UP) == 5
        assert await reopened.append(UP, 5, chunks(b"fg"), 5) == 7

    assert layout.upload_data(UP).read_bytes() == b"abcdefg"


async def test_what_size_answers_was_synced_first(files, layout, monkeypatch):
    real, synced = os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(os.fstat(descriptor).st_ino), real(descriptor)))
    await files.size(UP)

    assert synced == [layout.upload_data(UP).stat().st_ino]


async def test_a_finished_upload_is_the_videos_source(files, layout):
    await files.append(UP, 0, chunks(b"abc"), 3)
    await files.finish(UP, VI)
    await files.finish(UP, VI)

    assert layout.video_source(VI).read_bytes() == b"abc"
    assert await files.size(UP) is None
    assert await files.source_size(VI) == 3


async def test_removed_bytes_are_gone(files, layout):
    await files.remove(UP)
    await files.remove(UP)

    assert not layout.upload(UP).exists()


async def test_space_is_checked_before_bytes_come(layout):
    async with UploadFiles.open(layout, 1 << 60) as files:
        with pytest.raises(Problem) as caught:
            await files.check_space(0)

    assert caught.value.code == "storage-full"


async def test_space_within_the_reserve_is_given(files):
    await files.check_space(1)


async def test_parts_become_the_data(files, layout):
    for key, other in ((2, "upOther"), (1, UP)):
        if other != UP:
            await files.create(other)
        await files.append(other, 0, chunks(b"ab" if key == 1 else b"cd"), 10)
        await files.adopt_part(UP, key, other)

    assert await files.join_parts(UP, {1: 2, 2: 2}) == 4
    assert layout.upload_data(UP).read_bytes() == b"abcd"
    assert not layout.upload("upOther").exists()
# --- who reads along


class Reading:
    """Notes what a reader of uploads is told, and leaves something in the folder."""

    def __init__(self, layout):
        self.told, self._folder = [], layout.upload_early(UP)

    def grew(self, upload_id, size):
        self.told.append(size)
        self._folder.path.mkdir(exist_ok=True)
        self._folder.facts.write_bytes(b"made of it")

    async def leave(self, upload_id, size):
        self.told.append(("left", size))


@pytest.fixture
def reading(layout):
    return Reading(layout)


@pytest.fixture
async def read_along(layout, reading):
    async with UploadFiles.open(layout, 0, reading) as files:
        await files.create(UP)
        yield files


async def test_a_reader_hears_of_bytes_that_are_on_disk(read_along, reading):
    block = bytes(1 << 20)
    await read_along.append(UP, 0, chunks(*[block] * 20, b"."), 1 << 30)
    await read_along.append(UP, (20 << 20) + 1, chunks(b"."), 10)

    assert reading.told == sorted(reading.told)
    assert reading.told[-2:] == [(20 << 20) + 1, (20 << 20) + 2]
    assert 2 <= len(reading.told) <= 4  # a request's end, and what was synced before


async def test_what_was_made_of_bytes_that_are_taken_back_goes(read_along, reading, layout):
    with pytest.raises(Problem):
        await read_along.append(UP, 0, chunks(*[bytes(1 << 20)] * 12), 11 << 20)

    assert reading.told[0] >= 7 << 20  # the eighth block may be on its way
    assert reading.told[1:] == [("left", None)]
    assert not layout.upload_early(UP).path.exists()
    assert await read_along.size(UP) == 0


async def test_what_was_made_goes_before_bytes_are_cut_off(read_along, reading, layout):
    await read_along.append(UP, 0, chunks(b"abcdef"), 10)
    await read_along.cut(UP, 3)

    assert reading.told == [6, ("left", None)]
    assert layout.upload_data(UP).read_bytes() == b"abc"
    assert not layout.upload_early(UP).path.exists()


async def test_what_was_made_goes_along(read_along, reading, layout):
    await read_along.append(UP, 0, chunks(b"abc"), 3)
    stale = layout.video_early(VI)
    stale.path.mkdir(parents=True)
    (stale.path / "other").touch()
    await read_along.finish(UP, VI)

    assert reading.told == [3, ("left", 3)]
    assert stale.facts.read_bytes() == b"made of it"
    assert [path.name for path in stale.path.iterdir()] == ["facts"]
    assert layout.video_source(VI).read_bytes() == b"abc"


async def test_it_is_left_before_it_is_removed(read_along, reading, layout):
    await read_along.append(UP, 0, chunks(b"abc"), 10)
    await read_along.remove(UP)

    assert reading.told == [3, ("left", None)]
    assert not layout.upload(UP).exists()


HELLO = Checksum("sha1", hashlib.sha1(b"hello").digest())


async def test_bytes_with_the_right_checksum_are_kept(files, layout):
    await files.append(UP, 0, chunks(b"ab"), 10)

    assert await files.append(UP, 2, chunks(b"hel", b"lo"), 8, HELLO) == 7
    assert await files.size(UP) == 7
    assert layout.upload_data(UP).read_bytes() == b"abhello"


async def test_bytes_with_another_checksum_are_thrown_away(files, layout):
    await files.append(UP, 0, chunks(b"ab"), 10)
    with pytest.raises(Problem) as caught:
        await files.append(UP, 2, chunks(b"hullo"), 8, HELLO)

    assert (caught.value.row.status, caught.value.code) == (460, "upload-checksum-mismatch")
    assert layout.upload_data(UP).read_bytes() == b"ab"
    assert await files.append(UP, 2, chunks(b"hello"), 8, HELLO) == 7


async def test_bytes_that_could_not_be_checked_are_thrown_away(files, layout):
    with pytest.raises(ConnectionResetError):
        await files.append(UP, 0, broken(b"hel"), 10, HELLO)

    assert layout.upload_data(UP).read_bytes() == b""


async def test_what_a_crash_left_unchecked_goes(files, layout):
    await files.append(UP, 0, chunks(b"hello"), 10, HELLO)
    with layout.upload_data(UP).open("ab") as file:
        file.write(b"never checked")

    assert await files.size(UP) == 5
    assert layout.upload_data(UP).read_bytes() == b"hello"


async def test_bytes_without_a_checksum_count_again(files):
    await files.append(UP, 0, chunks(b"hello"), 10, HELLO)
    await files.append(UP, 5, chunks(b"!"), 5)

    assert await files.size(UP) == 6


async def test_only_what_another_process_wrote_is_synced_again(files, layout, monkeypatch):
    synced, fsync = [], os.fsync
    await files.append(UP, 0, chunks(b"abc"), 9)
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(descriptor) or fsync(descriptor))

    assert (await files.size(UP), len(synced)) == (3, 0)
    async with UploadFiles.open(layout, 0) as restarted:
        assert (await restarted.size(UP), len(synced)) == (3, 1)
    layout.upload_data(UP).write_bytes(b"abcd")
    assert (await files.size(UP), len(synced)) == (4, 2)
