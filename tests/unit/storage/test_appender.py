"""Appending with real files and threads; failures of the disk are made by the calls that would make them."""

import asyncio
import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from server.errors import Problem
from server.storage import appender as module
from server.storage import writeback
from server.storage.appender import BLOCK_BYTES, BLOCK_CHUNKS, FLUSH_BYTES, Appender, uncancelled

PWRITE = os.pwrite


@pytest.fixture
def executor():
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    return path


@pytest.fixture
def appender(path, executor):
    return Appender(path, 10, executor, lambda: True)


async def write_blocks(appender, count):
    for _ in range(count):
        await appender.write(b"x" * BLOCK_BYTES)


async def test_goes_on_where_the_file_ends(path, appender):
    await appender.open()
    await appender.write(b"abc")

    assert await appender.close() == 13
    assert path.read_bytes() == b"0123456789abc"


async def test_cuts_off_what_lies_beyond_the_offset(path, executor):
    appender = Appender(path, 4, executor, lambda: True)
    await appender.open()
    await appender.write(b"abc")

    assert await appender.close() == 7
    assert path.read_bytes() == b"0123abc"


async def test_a_file_shorter_than_the_offset_is_refused_and_left_alone(path, executor):
    appender = Appender(path, 11, executor, lambda: True)
    with pytest.raises(Problem, match="The upload is at 10"):
        await appender.open()
    with pytest.raises(Problem, match="The upload is at 10"):
        await appender.close()

    assert path.read_bytes() == b"0123456789"


async def test_a_missing_file_is_a_problem(tmp_path, executor):
    appender = Appender(tmp_path / "none", 0, executor, lambda: True)
    with pytest.raises(Problem) as caught:
        await appender.open()
    with pytest.raises(Problem):
        await appender.close()

    assert caught.value.code == "unavailable"


@pytest.mark.parametrize(
    ("size", "count"), [(BLOCK_BYTES, 3), (1000, 3 * BLOCK_BYTES // 1000), (1, 3 * BLOCK_CHUNKS + 1), (7 << 20, 11)]
)
async def test_blocks_keep_the_order_of_chunks(path, appender, size, count):
    chunks = [bytes([at % 251]) * size for at in range(count)]
    await appender.open()
    for chunk in chunks:
        await appender.write(chunk)

    assert await appender.close() == 10 + size * count
    assert path.read_bytes() == b"0123456789" + b"".join(chunks)


async def test_what_came_after_a_mark_can_be_dropped(path, appender):
    await appender.open()
    await appender.write(b"x" * 2 * BLOCK_BYTES)

    assert await appender.close(back_to=10) == 10
    assert path.read_bytes() == b"0123456789"


async def test_syncs_beside_the_writes(path, appender, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    await appender.open()
    await write_blocks(appender, FLUSH_BYTES // BLOCK_BYTES)
    await appender.close()

    assert len(synced) == 2
    assert synced[-1] == 10 + FLUSH_BYTES


async def test_what_comes_fast_is_synced_together(path, appender, monkeypatch):
    synced = []
    monkeypatch.setattr(module, "SYNC_S", 60)
    monkeypatch.setattr(module, "UNSYNCED_BYTES", 3 * FLUSH_BYTES)
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    await appender.open()
    await write_blocks(appender, 4 * FLUSH_BYTES // BLOCK_BYTES)
    await appender.close()

    assert len(synced) == 3  # the first bytes, so many as may wait, and the end
    assert synced[-1] == 10 + 4 * FLUSH_BYTES


async def test_what_comes_fast_and_then_stops_is_synced_soon(path, executor, monkeypatch):
    told = asyncio.Queue()
    monkeypatch.setattr(module, "SYNC_S", 0.05)
    appender = Appender(path, 10, executor, lambda: True, told.put_nowait)
    await appender.open()
    await write_blocks(appender, 2 * FLUSH_BYTES // BLOCK_BYTES)
    try:
        async with asyncio.timeout(20):
            while await told.get() < 10 + 2 * FLUSH_BYTES:
                pass
    finally:
        await appender.close()


async def test_writing_back_begins_while_bytes_come(path, appender, monkeypatch):
    begun = []
    monkeypatch.setattr(writeback, "begin", lambda descriptor, offset, count: begun.append((offset, count)))
    await appender.open()
    await write_blocks(appender, 2 * FLUSH_BYTES // BLOCK_BYTES)
    await appender.close()

    assert begun == [(10, FLUSH_BYTES), (10 + FLUSH_BYTES, FLUSH_BYTES)]


async def test_a_full_disk_keeps_what_was_written(path, appender, monkeypatch):
    room = 10 + BLOCK_BYTES + 100

    def write_some(descriptor, data, position):
        if position >= room:
            raise OSError(errno.ENOSPC, "full")
        return PWRITE(descriptor, data[: room - position], position)

    monkeypatch.setattr(os, "pwrite", write_some)
    monkeypatch.setattr(os, "pwritev", lambda descriptor, chunks, at: write_some(descriptor, b"".join(chunks), at))
    await appender.open()
    with pytest.raises(Problem) as caught:
        await write_blocks(appender, 5)
    with pytest.raises(Problem):
        await appender.close()

    assert caught.value.code == "storage-full"
    assert path.read_bytes() == b"0123456789" + b"x" * BLOCK_BYTES


async def test_a_short_write_is_gone_on_with(path, appender, monkeypatch):
    monkeypatch.setattr(os, "pwritev", lambda descriptor, chunks, at: PWRITE(descriptor, b"".join(chunks)[:5], at))
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, at: PWRITE(descriptor, data[:2], at))
    await appender.open()
    await appender.write(b"abcdefghij")

    assert await appender.close() == 20
    assert path.read_bytes() == b"0123456789abcdefghij"


async def test_a_reserve_that_is_reached_stops_the_writes(path, executor):
    appender = Appender(path, 10, executor, lambda: False)
    await appender.open()
    with pytest.raises(Problem) as caught:
        await write_blocks(appender, 3 * FLUSH_BYTES // BLOCK_BYTES)
    with pytest.raises(Problem):
        await appender.close()

    assert caught.value.code == "storage-full"
    assert FLUSH_BYTES <= path.stat().st_size < 3 * FLUSH_BYTES


async def test_a_failed_sync_drops_what_may_be_lost(path, appender, monkeypatch):
    def fdatasync(descriptor):
        raise OSError(errno.EIO, "gone")

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    await appender.open()
    await appender.write(b"abc")
    with pytest.raises(Problem) as caught:
        await appender.close()

    assert caught.value.code == "unavailable"
    assert path.read_bytes() == b"0123456789"


async def test_holds_no_more_than_two_blocks(path, executor, monkeypatch):
    gate = threading.Event()
    real = module._write_all

    def slow(descriptor, chunks, position):
        gate.wait(10)
        return real(descriptor, chunks, position)

    monkeypatch.setattr(module, "_write_all", slow)
    appender = Appender(path, 10, executor, lambda: True)
    await appender.open()
    await appender.write(bytes(BLOCK_BYTES))
    full = asyncio.ensure_future(appender.write(bytes(BLOCK_BYTES)))
    done, _ = await asyncio.wait([full], timeout=0.01)
    gate.set()
    await full

    assert not done
    assert await appender.close() == 10 + 2 * BLOCK_BYTES


async def test_uncancelled_work_ends_before_the_cancellation():
    ended = []
    gate = asyncio.Event()

    async def work():
        await gate.wait()
        ended.append(True)

    task = asyncio.ensure_future(uncancelled(work()))
    await asyncio.sleep(0)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ended == [True]


async def test_uncancelled_work_raises_its_own_error():
    async def work():
        raise ValueError("own")

    with pytest.raises(ValueError, match="own"):
        await uncancelled(work())
