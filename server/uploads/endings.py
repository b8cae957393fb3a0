"""How any upload ends: its bytes become the video's, or go."""

import asyncio
from collections.abc import Awaitable, Callable

from server import clock, log
from server.catalog import uploads, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Upload, Video
from server.errors import Problem
from server.storage.upload_files import UploadFiles
from server.uploads import fetch_rows
from server.uploads.numbers import Numbers

JOB = "vod"

# (transaction, project, kind, object): orders work in the transaction of the fact that asks for it
Enqueue = Callable[[Transaction, str, str, str], Awaitable[object]]

_log = log.get("uploads")


class Endings:
    def __init__(self, database: Database, files: UploadFiles, enqueue: Enqueue, numbers: Numbers) -> None:
        self._database = database
        self._files = files
        self._enqueue = enqueue
        self._numbers = numbers
        self._superseding: set[asyncio.Future[None]] = set()  # one for each upload that was superseded just now

    async def finish(self, upload_id: str, size: int) -> None:
        """All bytes are there: they become the video's, and the job that looks at them is ordered. One transaction
        states all of it. Raises Problem: 409, 410."""
        async with self._database.read() as transaction:
            upload, video = await _finishing(transaction, upload_id)
        # before the transaction, as it waits for the disk; should the upload be superseded in between, then the
        # next one's bytes take the place of these
        await self._files.finish(upload.id, video.id)
        async with self._database.write() as transaction:
            upload, video = await _finishing(transaction, upload_id)
            upload.length = upload.received = video.source_bytes = size
            if upload.fetch is not None:
                upload.fetch = fetch_rows.ended(upload.fetch)
            await uploads.move(transaction, upload, "uploaded")
            await videos.move(transaction, video, "pre-processing")
            await self._enqueue(transaction, video.project_id, JOB, video.id)
        await self._files.remove(upload_id)
        self._numbers.over(upload.protocol, "finished", upload_id)
        self._numbers.took_s.add((clock.now() - upload.created_at).total_seconds(), upload.protocol)
        _log.info("upload finished", upload=upload_id, video=video.id, bytes=size)

    async def end(self, upload_id: str, state: str) -> None:
        """Aborted or expired: the row says so, the video too, and the bytes go."""
        protocol = None
        async with self._database.write() as transaction:
            upload = await uploads.get(transaction, upload_id)
            if upload is not None and upload.state in uploads.OPEN:
                protocol = upload.protocol
                await uploads.move(transaction, upload, state)
                video = await videos.find(transaction, upload.video_id)
                if video is not None and video.state == "uploading" and video.upload_id == upload_id:
                    await videos.move(transaction, video, "aborted", reason=state)
        if protocol is not None:
            self._numbers.over(protocol, state, upload_id)
        await self._files.remove(upload_id)
        _log.info("upload ended", upload=upload_id, state=state)

    async def supersede(self, last: Upload | None) -> None:
        """Another upload is in its place: its bytes go."""
        if last is not None:
            self._numbers.over(last.protocol, "superseded", last.id)
            await self._files.remove(last.id)

    def superseding(self, last: Upload | None) -> asyncio.Future[None]:
        """The same, by and by, whether or not somebody waits for it."""
        task = asyncio.ensure_future(self.supersede(last))
        self._superseding.add(task)
        task.add_done_callback(self._superseded)
        return task

    def _superseded(self, task: asyncio.Future[None]) -> None:
        self._superseding.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.warning("bytes of a superseded upload stay", reason=str(error) or type(error).__name__)


async def _finishing(transaction: Transaction, upload_id: str) -> tuple[Upload, Video]:
    """The rows of an upload that may be finished. Raises Problem: 409, 410."""
    upload = await uploads.get(transaction, upload_id)
    if upload is None or upload.state not in uploads.OPEN:
        raise Problem("upload-gone")
    video = await videos.find(transaction, upload.video_id)
    if video is None or video.state != "uploading":
        raise Problem("conflict", detail="The video does not wait for this upload.")
    return upload, video
