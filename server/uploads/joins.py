"""Parts that become one upload: in the background, beside requests, one slice after the other.

A join is known by its upload's row, which committed before its first byte moved. What a stop or a crash left of one is
gone on with once the server listens, and what failed, for want of room say, is tried again with the sweeper's rounds.
An upload whose time is over, and whose join can't come to an end, is left for them to expire.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server import clock, log
from server.catalog import partial_uploads, uploads
from server.catalog.models import Upload
from server.errors import Problem
from server.protocols.content_range import Pieces
from server.storage.parts import PartsMissing
from server.uploads.service import CONCAT, Uploads
from server.uploads.source import JOINING_PATIENCE_S, SourceUploads

GIVEN_UP_S = 86400.0  # of failures without a byte of progress: a full disk is noticed by then

_log = log.get("uploads")


@dataclass(frozen=True, slots=True)
class _Failure:
    """How a join failed the last time."""

    reason: str
    size: int  # bytes of the data then
    since: float  # when it failed first with no more, as clock.monotonic() tells
    lost: bool  # what it needs is gone

    @property
    def for_good(self) -> bool:
        return self.lost or clock.monotonic() - self.since >= GIVEN_UP_S


class Joins:
    """Every join that is on, one for each upload. Uploads of requests with parts are joined by the last request; only
    what is left of those is found here."""

    def __init__(self, service: Uploads, sources: SourceUploads) -> None:
        self._service = service
        self._sources = sources
        self._files = service.files
        self._database = service.database
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, _Failure] = {}  # of uploads that are complete and not joined

    @property
    def at_work(self) -> int:
        return len(self._tasks)

    def has(self, upload_id: str) -> bool:
        return upload_id in self._tasks

    def ids(self) -> Iterable[str]:
        """Of the uploads that are at work."""
        return self._tasks.keys()

    def begin(self, upload_id: str) -> asyncio.Task[None]:
        """The upload's join, which may be on already; its result raises Problem, OSError."""
        task = self._tasks.get(upload_id)
        if task is None:
            task = self._tasks[upload_id] = asyncio.create_task(self._join(upload_id))
            task.add_done_callback(lambda done: self._ended(upload_id, done))
        return task

    async def resume(self) -> list[asyncio.Task[None]]:
        """Goes on with all that are not done and not at work, but for those that are given up."""
        async with self._database.read() as transaction:
            rows = [row for row in await uploads.in_parts(transaction) if _is_complete(row)]
        open_ids = {row.id for row in rows}
        self._failures = {id: failure for id, failure in self._failures.items() if id in open_ids}
        free = [row for row in rows if not self._service.locks.is_held(row.video_id)]
        return [self.begin(row.id) for row in free if not self._is_given_up(row)]

    def _is_given_up(self, upload: Upload) -> bool:
        """Its time is over, and its parts don't become one."""
        failure = self._failures.get(upload.id)
        return failure is not None and failure.for_good and upload.expires_at <= clock.now()

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
        """Moves the parts that are not yet with the upload, joins them and finishes it. Raises Problem, OSError."""
        try:
            await self._join_all(upload_id)
        except (Problem, OSError) as error:
            await self._note(upload_id, error)
            raise
        self._failures.pop(upload_id, None)

    async def _join_all(self, upload_id: str) -> None:
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

    async def _note(self, upload_id: str, error: Problem | OSError) -> None:
        before, size = self._failures.get(upload_id), 0
        with contextlib.suppress(OSError):
            size = await self._files.size(upload_id) or 0
        stands = before is not None and size <= before.size
        since = before.since if before is not None and stands else clock.monotonic()
        failure = _Failure(str(error), size, since, isinstance(error, PartsMissing))
        self._failures[upload_id] = failure
        if before is None or before.reason != failure.reason:  # else it was said
            _log.warning("parts can't be joined", upload=upload_id, reason=failure.reason)

    def _ended(self, upload_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(upload_id, None)
        if task.cancelled():
            return
        match task.exception():
            case None | Problem() | OSError():  # which was noted
                pass
            case error:
                _log.error("parts can't be joined", upload=upload_id, exc_info=error)


def _is_complete(upload: Upload) -> bool:
    """All parts have come."""
    return upload.parts is not None and Pieces.from_row(upload.parts).complete
