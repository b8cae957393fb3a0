"""Parts that become one upload: in the background, beside requests, one slice after the other.

A join is known by its upload's row, which committed before its first byte moved. What a stop or a crash left of one is
gone on with once the server listens, and what failed, for want of room say, is tried again with the sweeper's rounds.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server import log
from server.catalog import partial_uploads, uploads
from server.catalog.models import Upload
from server.errors import Problem
from server.protocols.content_range import Pieces
from server.uploads.service import CONCAT, Uploads
from server.uploads.source import JOINING_PATIENCE_S, SourceUploads

_log = log.get("uploads")


class Joins:
    """Every join that is on, one for each upload. Uploads of requests with parts are joined by the last request; only
    what is left of those is found here."""

    def __init__(self, service: Uploads, sources: SourceUploads) -> None:
        self._service = service
        self._sources = sources
        self._files = service.files
        self._database = service.database
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def at_work(self) -> int:
        return len(self._tasks)

    def has(self, upload_id: str) -> bool:
        return upload_id in self._tasks

    def begin(self, upload_id: str) -> asyncio.Task[None]:
        """The upload's join, which may be on already; its result raises Problem, OSError."""
        task = self._tasks.get(upload_id)
        if task is None:
            task = self._tasks[upload_id] = asyncio.create_task(self._join(upload_id))
            task.add_done_callback(lambda done: self._ended(upload_id, done))
        return task

    async def resume(self) -> list[asyncio.Task[None]]:
        """Goes on with all that are not done and not at work."""
        async with self._database.read() as transaction:
            rows = await uploads.in_parts(transaction)
        left = [row.id for row in rows if _is_complete(row) and not self._service.locks.is_held(row.video_id)]
        return [self.begin(upload_id) for upload_id in left]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Goes on with what a restart left; at the end of the context every join stops after its slice, also those
        of requests."""
        await self.resume()
        try:
            yield
        finally:
            self._files.stop_joining()
            for task in list(self._tasks.values()):
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks.values())

    async def _join(self, upload_id: str) -> None:
        """Moves the parts that are not yet with the upload, joins them and finishes it."""
        async with self._database.read() as transaction:
            upload = await uploads.get(transaction, upload_id)
        if upload is None or upload.state not in uploads.OPEN:
            return
        if CONCAT in (upload.parts or {}):
            async with self._service.locks.hold(upload.video_id, JOINING_PATIENCE_S):
                await self._adopt(upload_id)
        await self._sources.recover(upload)

    async def _adopt(self, upload_id: str) -> None:
        async with self._database.read() as transaction:
            rows = await partial_uploads.of_upload(transaction, upload_id)
        for row in rows:
            if row.number is not None and await self._files.size(row.id) is not None:
                await self._files.adopt_part(upload_id, row.number, row.id)

    def _ended(self, upload_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(upload_id, None)
        if task.cancelled():
            return
        match task.exception():
            case None:
                pass
            case Problem() | OSError() as error:
                _log.warning("parts can't be joined", upload=upload_id, reason=str(error))
            case error:
                _log.error("parts can't be joined", upload=upload_id, exc_info=error)


def _is_complete(upload: Upload) -> bool:
    """All parts have come."""
    return upload.parts is not None and Pieces.from_row(upload.parts).complete
