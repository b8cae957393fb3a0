"""The bytes of uploads: appended, durable before they are acknowledged, moved to their video at the end.

What `append` and `size` answer has been fsynced, so neither a killed process nor a lost machine takes back an offset
that a sender was told; a request that broke off keeps what came of it. Files and folders that come and go are made
durable by an fsync of their folder. All blocking calls run in threads of the store's own.
"""

import asyncio
import os
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, Self, TypeVar

from server.errors import Problem
from server.protocols.tus.checksum import Checksum
from server.storage import checked, data_folder, parts
from server.storage.appender import Appender, uncancelled
from server.storage.checked import Checking
from server.storage.folders import make_folder, sync_folder
from server.storage.layout import Layout

THREADS = 8  # a few uploads that wait for the disk's cache keep no other one from writing
REMEMBERED = 4096  # uploads whose bytes this process has synced itself
JOINERS = 1  # a thread of its own: copies of gigabytes take turns, slice by slice, and no upload waits for them

Result = TypeVar("Result")


class Reader(Protocol):
    """Who reads uploads while they come, and writes what it makes of them into their `early` folders. Called on the
    loop."""

    def grew(self, upload_id: str, size: int) -> None:
        """The first `size` bytes are on disk, and stay as they are."""

    async def leave(self, upload_id: str, size: int | None) -> None:
        """Be done with the upload: nothing is read or written any more when this returns. It has become whole with
        `size` bytes; or, with None, what was made of it is not wanted: it ended, or its bytes were not good."""


class Nobody:
    """A Reader that doesn't read."""

    def grew(self, upload_id: str, size: int) -> None:
        pass

    async def leave(self, upload_id: str, size: int | None) -> None:
        pass


class UploadFiles:
    """The store of unfinished uploads. One writer per upload at a time is the caller's care."""

    def __init__(
        self, layout: Layout, reserve_bytes: int, executor: ThreadPoolExecutor, joiner: ThreadPoolExecutor,
        reader: Reader | None = None,
    ) -> None:  # fmt: skip
        self._layout = layout
        self._reserve_bytes = reserve_bytes
        self._executor = executor
        self._joiner = joiner
        self._reader = reader or Nobody()
        self._stopping = False
        self._on_disk: OrderedDict[str, int] = OrderedDict()  # bytes of uploads that need no other sync
        self.received = 0  # bytes that `append` has stored, for those who count

    @classmethod
    @asynccontextmanager
    async def open(cls, layout: Layout, reserve_bytes: int, reader: Reader | None = None) -> AsyncIterator[Self]:
        """The store; `reserve_bytes` of the file system are left free."""
        with (
            ThreadPoolExecutor(THREADS, thread_name_prefix="uploads") as executor,
            ThreadPoolExecutor(JOINERS, thread_name_prefix="joins") as joiner,
        ):
            store = cls(layout, reserve_bytes, executor, joiner, reader)
            await store._run(make_folder, layout.uploads)
            yield store

    async def check_space(self, wanted: int) -> None:
        """Raises Problem (507) where `wanted` more bytes would eat into the reserve."""
        if not await self._run(self._has_space, wanted):
            raise Problem("storage-full", detail=f"There is no room for {wanted} bytes.")

    async def create(self, upload_id: str) -> None:
        """An empty upload."""
        await self._run(_create, self._layout.upload_data(upload_id))

    async def size(self, upload_id: str) -> int | None:
        """Bytes that have come, are good and on disk; None without such an upload."""
        data, note = self._layout.upload_data(upload_id), self._layout.upload_checked(upload_id)
        return await self._run(_good_size, data, note, self._on_disk.get(upload_id))

    async def append(
        self,
        upload_id: str,
        offset: int,
        chunks: AsyncIterator[bytes],
        limit: int,
        checksum: Checksum | None = None,
        *,
        watched: bool = True,
    ) -> int:
        """Appends at `offset`, at most `limit` bytes; the new size. All of it is on disk then.

        Whatever ends the request early, an error of `chunks` or a cancellation, what has come is kept; with a
        checksum nothing is, as nobody knows whether it is good. Raises Problem: 409 the file is shorter than
        `offset`, 413 over the limit (nothing is kept then), 460 the checksum is another (nor then), 503 and 507 the
        disk refuses. The reader hears only of what is `watched`.
        """
        told = offset
        self._on_disk.pop(upload_id, None)
        checking = Checking(self._layout.upload_checked(upload_id), checksum)

        def synced(size: int) -> None:
            nonlocal told
            if checksum is not None or not watched:
                return
            told = max(told, size)
            self._reader.grew(upload_id, size)

        data = self._layout.upload_data(upload_id)
        appender = Appender(data, offset, self._executor, self._has_space, synced, checking)
        keep_to = None if checksum is None else offset
        try:
            await appender.open()
            async for chunk in chunks:
                if appender.position + len(chunk) > offset + limit:
                    keep_to = offset
                    raise Problem("uploaded-file-too-large", detail=f"At most {limit} more bytes are taken.")
                await appender.write(chunk)
            keep_to = None
        finally:
            size = await uncancelled(self._close(upload_id, appender, keep_to, lambda: told, watched))
            self.received += size - offset
        if checking.refused:
            raise Problem("upload-checksum-mismatch")
        return size

    async def cut(self, upload_id: str, size: int) -> None:
        """Leaves the first `size` bytes; what was made of more than them goes. Raises Problem as `append`."""
        self._on_disk.pop(upload_id, None)
        await uncancelled(self._forget(upload_id))
        appender = Appender(self._layout.upload_data(upload_id), size, self._executor, self._has_space)
        try:
            await appender.open()
        finally:
            await uncancelled(appender.close())

    async def _close(
        self, upload_id: str, appender: Appender, keep_to: int | None, told: Callable[[], int], watched: bool
    ) -> int:
        try:
            size = await appender.close(keep_to)
        except BaseException:
            await self._forget(upload_id)
            raise
        self._synced(upload_id, size)
        if size < told():
            await self._forget(upload_id)
        elif watched:
            self._reader.grew(upload_id, size)
        return size

    def _synced(self, upload_id: str, size: int) -> None:
        self._on_disk[upload_id] = size
        if len(self._on_disk) > REMEMBERED:
            self._on_disk.popitem(last=False)

    async def _forget(self, upload_id: str) -> None:
        """What was made of bytes that are not good any more."""
        await self._reader.leave(upload_id, None)
        await self._run(shutil.rmtree, self._layout.upload_early(upload_id).path, True)

    async def adopt_part(self, upload_id: str, key: int, other_id: str) -> None:
        """The data of another upload becomes a part of this one; what was left of the other is removed."""
        data, folder = self._layout.upload_data(other_id), self._layout.upload_parts(upload_id)
        await uncancelled(self._run(parts.keep, data, folder, key))
        if other_id != upload_id:
            await self.remove(other_id)

    async def join_parts(self, upload_id: str, sizes: Mapping[int, int]) -> int:
        """Moves the parts (key -> bytes, in order, from the first on) into the data; the bytes it has.

        What ends it early, a cancellation or `stop_joining`, waits for one slice at most; who calls again goes on from
        there. Raises Problem: 503 bytes are missing, or no more is joined. Raises OSError.
        """
        slices = parts.joining(self._layout.upload_data(upload_id), self._layout.upload_parts(upload_id), sizes)
        size = 0
        while (made := await uncancelled(self._next(slices))) is not None:
            size = made
            self._reader.grew(upload_id, size)
        return size

    def stop_joining(self) -> None:
        """Whatever is being joined ends after its slice: a server that stops waits for no copy."""
        self._stopping = True

    async def _next(self, slices: Iterator[int]) -> int | None:
        """The data's bytes after one more slice, None: there was none."""
        if self._stopping:
            raise Problem("unavailable", detail="The server is stopping; the parts are joined when it is back.")
        return await asyncio.get_running_loop().run_in_executor(self._joiner, next, slices, None)

    async def finish(self, upload_id: str, video_id: str) -> None:
        """The upload's data becomes the video's source. Doing it twice is no harm."""
        data, source = self._layout.upload_data(upload_id), self._layout.video_source(video_id)
        early = self._layout.upload_early(upload_id).path, self._layout.video_early(video_id).path
        await uncancelled(self._finish(upload_id, data, source, early))

    async def source_size(self, video_id: str) -> int | None:
        """Bytes of a video's source, None without one."""
        return await self._run(_synced_size, self._layout.video_source(video_id))

    async def remove(self, upload_id: str) -> None:
        """All bytes of the upload; none is no error."""
        self._on_disk.pop(upload_id, None)
        await self._reader.leave(upload_id, None)
        await self._run(shutil.rmtree, self._layout.upload(upload_id), True)

    async def _finish(self, upload_id: str, data: Path, source: Path, early: tuple[Path, Path]) -> None:
        await self._reader.leave(upload_id, await self._run(_synced_size, data, self._on_disk.get(upload_id)))
        await self._run(_finish, data, source, *early)

    def _has_space(self, wanted: int = 0) -> bool:
        return data_folder.free_bytes(self._layout.root) >= self._reserve_bytes + wanted

    async def _run(self, work: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)


def _create(data: Path) -> None:
    make_folder(data.parent)
    descriptor = os.open(data, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    os.close(descriptor)
    sync_folder(data.parent)


def _synced_size(path: Path, on_disk: int | None = None) -> int | None:
    """Not synced anew where it has just the bytes that are known to be on disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(descriptor).st_size
        if size != on_disk:
            os.fsync(descriptor)  # a restarted server has not written what it finds, and may not rely on it
        return size
    finally:
        os.close(descriptor)


def _good_size(data: Path, note: Path, on_disk: int | None) -> int | None:
    """What a crash left unchecked goes."""
    size, good = _synced_size(data, on_disk), checked.read(note)
    if size is None or good is None or size <= good:
        return size
    with data.open("r+b", buffering=0) as file:
        file.truncate(good)
        os.fsync(file.fileno())
    return good


def _finish(data: Path, source: Path, early: Path, beside: Path) -> None:
    if not data.exists():  # renamed before a crash, or before a client asked again
        return
    make_folder(source.parent)
    if early.exists():  # it tells which upload it is of: one that comes to nothing here is not taken for another's
        shutil.rmtree(beside, ignore_errors=True)
        early.replace(beside)
    data.replace(source)
    sync_folder(source.parent)
    sync_folder(data.parent)
