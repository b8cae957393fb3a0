"""Files that go with videos: taken in, kept as they came, and gone with their rows."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from server import log
from server.catalog import materials
from server.catalog.database import Database
from server.errors import Problem
from server.storage import data_folder
from server.storage.appender import uncancelled
from server.storage.folders import make_folder, sync_folder
from server.storage.layout import Layout

MAX_BYTES = 1 << 30  # slides, exercises, a book: what is larger is a video, and has uploads that go on

_log = log.get("vod")


@dataclass(frozen=True, slots=True)
class Brought:
    """A file that is whole, and nobody's yet."""

    name: str
    size: int


class Materials:
    """`await sweep()` once at the start, before anything is uploaded."""

    def __init__(self, database: Database, layout: Layout, reserve_bytes: int) -> None:
        self._database = database
        self._layout = layout
        self._reserve_bytes = reserve_bytes

    def path(self, material_id: str) -> Path:
        return self._layout.material(material_id)

    async def keep(self, material_id: str, expected: int | None, chunks: AsyncIterator[bytes]) -> int:
        """Stores a file, whole or not at all; its bytes. Raises Problem: 400 empty, 413, 507."""
        brought = await self.bring(expected, chunks)
        try:
            await self.publish(brought, material_id)
        except BaseException:
            await self.remove(brought.name)
            raise
        return brought.size

    async def bring(self, expected: int | None, chunks: AsyncIterator[bytes]) -> Brought:
        """Stores a file under a name of its own, for `publish` or `remove`. Raises Problem: 400 empty, 413, 507."""
        if (expected or 0) > MAX_BYTES:
            raise _too_large()
        free = await asyncio.to_thread(data_folder.free_bytes, self._layout.root)
        if free - (expected or 0) < self._reserve_bytes:
            raise Problem("storage-full")
        name = f"new{secrets.token_hex(8)}"  # two may bring one file at once; what is left is swept
        try:
            return Brought(name, await self._write(self.path(name), chunks))
        except BaseException:
            await self.remove(name)
            raise

    async def publish(self, brought: Brought, material_id: str) -> None:
        """The file is the material's; in the transaction that says so, as only one may be."""
        # one that is cancelled must not publish when another already has the turn
        await uncancelled(asyncio.to_thread(_publish, self.path(brought.name), self.path(material_id)))

    async def _write(self, path: Path, chunks: AsyncIterator[bytes]) -> int:
        file = await asyncio.to_thread(_open, path)
        size = 0
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > MAX_BYTES:
                    raise _too_large()
                await asyncio.to_thread(file.write, chunk)
            if size == 0:
                raise Problem("uploaded-file-empty")
            await asyncio.to_thread(_sync, file)
        finally:
            file.close()
        return size

    async def remove(self, material_id: str) -> None:
        """Whether there is one or not."""
        try:
            await asyncio.to_thread(self.path(material_id).unlink, True)
        except OSError as error:
            _log.warning("a material stays", material=material_id, error=str(error))

    async def sweep(self) -> None:
        """Files that a crash, or the end of their video, left without a row."""
        async with self._database.read() as transaction:
            known = await materials.ids(transaction)
        for material_id in await asyncio.to_thread(self._layout.material_ids):
            if material_id not in known:
                await self.remove(material_id)


def _too_large() -> Problem:
    return Problem("uploaded-file-too-large", f"At most {MAX_BYTES} bytes are taken.")


def _open(path: Path) -> BinaryIO:
    make_folder(path.parent)
    return path.open("wb")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _publish(temporary: Path, path: Path) -> None:
    temporary.replace(path)
    sync_folder(path.parent)
