"""One file that grows: network chunks in, blocks out to a thread, synced beside the writes.

Measured with 1 GiB in chunks of 128 KiB on a shared two-core machine (MiB/s; CPU-seconds a GiB, all threads):
aiofiles for each chunk 300–610, 1.2–2.6; aiofiles for each MiB 460–730, 0.9–1.4; `pwritev` of the chunks as they
are for each MiB, the next MiB being collected meanwhile, 630–1100, 0.5–1.1. Hence no aiofiles here: it would have
to join the chunks, and waits for each write. Few dirty pages are worth more under load than few syncs (a sync every
8 MiB takes 0.6 CPU-seconds a GiB; every 64 MiB 1.5, at the end only 1.6), and keep the last sync, which the sender
waits for, short. But each sync also waits for the file system's journal and the disk's cache, and holds a thread
meanwhile, which eight uploads at once feel: so every 8 MiB writing back is only begun, and a sync is asked for
where the last one is a while ago.
"""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TypeVar

from server import clock
from server.errors import Problem
from server.storage import writeback
from server.storage.checked import Checking

BLOCK_BYTES = 1 << 20  # a thread hop for less costs more than the write
BLOCK_CHUNKS = 512  # IOV_MAX is 1024
FLUSH_BYTES = 8 << 20  # after which writing back is begun
SYNC_S = 1.0  # a sync goes beside the writes where the last one was asked for so long ago: readers learn of it
UNSYNCED_BYTES = 64 << 20  # and wherever there are so many bytes without one

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Result = TypeVar("Result")


class Appender:
    """Appends to one file; holds at most two blocks.

    `write` and `close` raise Problem, storage-full (507) or unavailable (503), when the disk refuses. After `close`
    the file ends at the last byte known to be good, and all of it is on disk.
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        executor: Executor,
        has_space: Callable[[], bool],
        on_synced: Callable[[int], None] = lambda size: None,
        checking: Checking | None = None,
    ) -> None:
        """To go on at `offset`; `has_space` is asked in a thread, once for every FLUSH_BYTES. After a sync `on_synced`
        is told on the loop how long the file is on disk. What `checking` refuses at the end is dropped."""
        self.position = offset  # of the next byte handed over to `write`
        self._on_synced = on_synced
        self._file = _File(path, offset, has_space, checking)
        self._executor = executor
        self._chunks: list[bytes] = []
        self._chunk_bytes = 0
        self._flushed = offset  # up to where writing back was asked for
        self._asked = offset  # and up to where a sync was
        self._asked_at = float("-inf")
        self._later: asyncio.TimerHandle | None = None  # when one will be
        self._writing: asyncio.Future[None] | None = None
        self._syncing: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Opens the file and cuts off what lies beyond the offset. Raises Problem: 409 it is shorter, 503."""
        self._writing = self._submit(self._file.open)
        await _done(self._writing)
        self._file.check()

    async def write(self, chunk: bytes) -> None:
        """Takes a chunk; returns at once unless the last block is still being written."""
        self._chunks.append(chunk)
        self._chunk_bytes += len(chunk)
        self.position += len(chunk)
        if self._chunk_bytes >= BLOCK_BYTES or len(self._chunks) >= BLOCK_CHUNKS:
            await self._flush()

    async def close(self, back_to: int | None = None) -> int:
        """Writes and syncs what is left, or drops what came after `back_to`; the file's size."""
        self._no_later()
        await _done(self._writing)
        await _done(self._syncing)
        await _done(self._submit(self._file.end, self._chunks if back_to is None else (), back_to))
        self._file.check()
        return self._file.written

    async def _flush(self) -> None:
        await _done(self._writing)
        self._file.check()
        chunks, self._chunks, self._chunk_bytes = self._chunks, [], 0
        if self.position - self._flushed < FLUSH_BYTES:
            self._writing = self._submit(self._file.append, chunks)
            return
        self._flushed = self.position
        self._writing = self._submit(self._file.append_and_flush, chunks)
        if self.position - self._asked >= UNSYNCED_BYTES:
            await _done(self._syncing)
            self._sync()
        else:
            self._sync_in_time()

    def _sync_in_time(self) -> None:
        """Asks for a sync now, or once it is time for one, though nothing more came meanwhile."""
        left_s = self._asked_at + SYNC_S - clock.monotonic()
        if left_s <= 0 and (self._syncing is None or self._syncing.done()):
            self._sync()
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(max(left_s, SYNC_S / 10), self._come_back)

    def _come_back(self) -> None:
        self._later = None
        self._sync_in_time()

    def _sync(self) -> None:
        self._no_later()
        self._asked, self._asked_at = self._flushed, clock.monotonic()
        self._syncing = self._submit(self._file.sync)
        self._syncing.add_done_callback(lambda _: self._on_synced(self._file.synced))

    def _no_later(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def _submit(self, work: Callable[..., None], *arguments: object) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)


async def _done(future: asyncio.Future[None] | None) -> None:
    """Waits for a future without cancelling it: a thread can't be called back."""
    if future is not None and not future.done():
        await asyncio.wait([future])


async def uncancelled(work: Awaitable[Result]) -> Result:
    """The result of work that must end although its waiter is cancelled; the cancellation comes after."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()  # taken notice of
        raise


class _File:
    """The file's blocking half. A failure is kept, not raised: the loop hears of it at `check`."""

    def __init__(
        self, path: Path, offset: int, has_space: Callable[[], bool], checking: Checking | None
    ) -> None:
        self.written = offset
        self._begun = offset
        self._checking = checking
        self._path = path
        self.synced = self._flushed = offset
        self._has_space = has_space
        self._failure: OSError | Problem | None = None
        self._suspect = False  # a sync failed: what the disk has beyond the last good one, nobody knows
        self._descriptor = -1

    def open(self) -> None:
        try:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
            size = os.fstat(self._descriptor).st_size
            if size < self.written:
                self._failure = Problem("upload-conflict", detail=f"The upload is at {size}.")
                self.written = size
            elif size > self.written:
                os.ftruncate(self._descriptor, self.written)
            if self._checking is not None and self._failure is None:
                self._checking.begin(self.written)
        except OSError as error:
            self._failure = error

    def append(self, chunks: Sequence[bytes]) -> None:
        if self._failure is None and chunks:
            try:
                self.written = _write_all(self._descriptor, chunks, self.written)
                if self._checking is not None:
                    for chunk in chunks:
                        self._checking.update(chunk)
            except OSError as error:
                self._failure = error

    def append_and_flush(self, chunks: Sequence[bytes]) -> None:
        """Writes, begins to write back what was written, and sees whether there is room for more."""
        self.append(chunks)
        if self._failure is None:
            writeback.begin(self._descriptor, self._flushed, self.written - self._flushed)
            self._flushed = self.written
            if not self._has_space():
                self._failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self) -> None:
        """What was written so far is on disk."""
        upto = self.written
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._failure, self._suspect = error, True
        else:
            self.synced = upto

    def end(self, chunks: Sequence[bytes], back_to: int | None) -> None:
        """Writes what is left, ends the file at its last good byte, or `back_to`, and syncs it."""
        if self._descriptor < 0:
            return
        self.append(chunks)
        if self._checking is not None and back_to is None and not self._checking.right():
            back_to = self._begun
        try:
            self._cut(back_to)
            self.sync()
            if self._suspect:
                self._cut(self.synced)
            elif self._checking is not None:
                self._checking.end(self.written)
        except OSError as error:
            self._failure = error
        finally:
            os.close(self._descriptor)

    def _cut(self, back_to: int | None) -> None:
        limits = (self.written, back_to, self.synced if self._suspect else None)
        self.written = min(limit for limit in limits if limit is not None)
        os.ftruncate(self._descriptor, self.written)

    def check(self) -> None:
        """Raises the failure as a Problem."""
        if isinstance(self._failure, Problem):
            raise self._failure
        if self._failure is not None:
            code = "storage-full" if self._failure.errno in _FULL else "unavailable"
            raise Problem(code) from self._failure


def _write_all(descriptor: int, chunks: Sequence[bytes], position: int) -> int:
    """Writes all chunks from `position` on; the position after them."""
    written = os.pwritev(descriptor, chunks, position)
    end = position + sum(map(len, chunks))
    position += written
    if position < end:  # a full disk takes a part; the next call says why
        rest = b"".join(chunks)[written:]
        while rest:
            written = os.pwrite(descriptor, rest, position)
            position, rest = position + written, rest[written:]
    return position
