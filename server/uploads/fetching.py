"""Files that are fetched by URL: ordered with their video, fetched by a durable job, finished as any upload is.

    pending ── the job begins ──► uploading ── all bytes ──► finished as an upload (pre-processing, the job `vod`)
                                     │  ▲
                                     │  └── a wait, longer each time; what has come is gone on with
                                     └── refused, or given up after so many tries ──► error

The offset is what is on disk, as with every upload: a crash or a broken connection costs only what was not yet there.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from server import log
from server.catalog import jobs, uploads, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Job, Upload, Video
from server.config import FetchConfig
from server.jobs.context import JobContext
from server.jobs.errors import CANCELLED, JobFailed, NotAgain
from server.jobs.priorities import Priority
from server.outbound.client import CallFailed, Outbound
from server.outbound.target import BadUrl, Target
from server.protocols.download import TITLES, Refused
from server.storage.appender import uncancelled
from server.uploads import fetch_rows
from server.uploads.downloads import Downloads, Progress
from server.uploads.fetch_rows import Superseded
from server.uploads.placement import Sender
from server.uploads.service import Uploads

JOB = "fetch"
PROGRESS_BYTES = 8 << 20  # a go that brought less counts as one without progress
MAX_GOES = 1000  # each leaves a record of its step
STEP_TRIES = 3  # after faults of our own, such as a busy database
FIRST_WAIT_S, LONGEST_WAIT_S, JITTER = 1.0, 300.0, 0.2
OTHER_TITLE = "The source could not be fetched."


class Enqueue(Protocol):
    """Orders work in the transaction of the fact that asks for it."""

    async def __call__(
        self,
        transaction: Transaction,
        project_id: str,
        kind: str,
        object_id: str,
        arguments: dict[str, Any],
        *,
        priority: Priority,
    ) -> object: ...


_log = log.get("fetch")


class Fetching:
    """Register `run` as the job, and `failed` for one that failed for good."""

    def __init__(self, service: Uploads, outbound: Outbound, enqueue: Enqueue, config: FetchConfig) -> None:
        self._service = service
        self._downloads = Downloads(service, outbound, config.timeout_s)
        self._outbound = outbound
        self._enqueue = enqueue
        self._attempts = config.attempts
        self._removals: set[asyncio.Future[None]] = set()
        self.active = 0  # fetches under way

    def target(self, url: str) -> Target:
        """Raises BadUrl for what would be refused whatever the network says."""
        target = Target.parse(url)
        try:
            self._outbound.check(target)
        except CallFailed as failure:
            raise BadUrl(str(failure)) from None
        return target

    async def order(
        self, transaction: Transaction, video: Video, target: Target, priority: Priority = Priority.NORMAL
    ) -> Upload:
        """The fetch of a new video's file; it begins with the commit."""
        upload = self._service.row(Sender(video.project_id), uploads.FETCHED, target.filename)
        upload.video_id, upload.fetch = video.id, fetch_rows.new(target)
        await uploads.add(transaction, upload)
        video.upload_id, video.source, video.source_name = upload.id, "upload", upload.filename
        arguments = {"upload": upload.id}
        await self._enqueue(transaction, video.project_id, JOB, video.id, arguments, priority=priority)
        transaction.after_commit(lambda: self._service.numbers.begun.add(uploads.FETCHED))
        return upload

    async def run(self, job: JobContext) -> None:
        """Raises JobFailed."""
        upload_id = job.arguments["upload"]
        for number in range(MAX_GOES):
            wait_s = await job.step(f"fetch {number}", lambda: self._go(upload_id, job.progress), attempts=STEP_TRIES)
            if wait_s is None:
                return
            await job.sleep(wait_s)
        raise JobFailed("source-failing", f"The connection broke {MAX_GOES} times.")

    async def failed(self, transaction: Transaction, job: Job, failure: JobFailed) -> None:
        """The job gave up, or was cancelled."""
        upload_id = job.arguments["upload"]
        transaction.after_commit(lambda: self._remove(upload_id))
        upload = await uploads.get(transaction, upload_id)
        if upload is None or upload.state not in uploads.OPEN:
            return
        await uploads.move(transaction, upload, "aborted", reason=failure.code)
        how = "aborted" if failure.code == CANCELLED else "failed"
        transaction.after_commit(lambda: self._service.numbers.over(uploads.FETCHED, how))
        upload.fetch = fetch_rows.ended(upload.fetch or {})
        video = await videos.find(transaction, upload.video_id)
        if video is not None and video.upload_id == upload_id and video.state in ("pending", "uploading"):
            await _end_video(transaction, video, failure)

    async def redriven(self, transaction: Transaction, job: Job) -> None:
        """What came is deleted with the failure. Raises NotAgain."""
        upload = await uploads.get(transaction, job.arguments["upload"])
        if upload is None or upload.state not in uploads.OPEN:
            raise NotAgain(f"What came of the file is deleted. PUT /videos/{job.object_id}/source fetches it anew.")

    async def _go(self, upload_id: str, progress: Progress) -> float | None:
        """Seconds to wait before the next go, None when there is none. Raises JobFailed."""
        before = await self._downloads.size(upload_id)
        self.active += 1
        try:
            outcome = await self._downloads.go(upload_id, progress)
            if outcome is None:
                return None
            if isinstance(outcome, Refused):
                raise JobFailed(outcome.code, outcome.detail)
            size = await self._downloads.size(upload_id)
            tries = await self._count(upload_id, size - before >= PROGRESS_BYTES, size)
        except Superseded:
            await uncancelled(self._service.files.remove(upload_id))
            return None
        finally:
            self.active -= 1
        if tries >= self._attempts:
            raise JobFailed(outcome.code, f"{outcome.detail} It was tried {tries} times.")
        _log.info("fetch interrupted", upload=upload_id, reason=outcome.detail, bytes=size, tries=tries)
        return outcome.after_s or _wait_s(tries)

    async def _count(self, upload_id: str, progress: bool, size: int) -> int:
        """How many goes in a row there were without progress, this one included."""
        _, fetch = await fetch_rows.begin(self._service.database, upload_id)
        tries = 1 if progress else fetch["tries"] + 1
        await fetch_rows.note(self._service.database, upload_id, size, tries=tries)
        return int(tries)

    def _remove(self, upload_id: str) -> None:
        """What a stop of the server cuts off here, the sweeper does."""
        removal = asyncio.ensure_future(self._service.files.remove(upload_id))
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)


async def cancel(database: Database, cancel_job: Callable[[str], Awaitable[object]], video_id: str) -> None:
    """Ends what is being fetched for a video that was deleted."""
    async with database.read() as transaction:
        unfinished = await jobs.unfinished(transaction, JOB, video_id)
    for job_id in unfinished:
        await cancel_job(job_id)


async def _end_video(transaction: Transaction, video: Video, failure: JobFailed) -> None:
    if failure.code == CANCELLED:
        await videos.move(transaction, video, "aborted", reason=failure.code)
        return
    if video.state == "pending":
        await videos.move(transaction, video, "uploading")
    known = failure.code in TITLES
    video.error = {
        "code": failure.code,
        "title": TITLES.get(failure.code, OTHER_TITLE),
        "detail": failure.detail if known else None,
    }
    await videos.move(transaction, video, "error", error=video.error)
    _log.info("not fetched", video=video.id, code=failure.code, detail=failure.detail)


def _wait_s(tries: int) -> float:
    """Twice as long each time, moved at random so that many spread."""
    wait_s: float = min(FIRST_WAIT_S * 2 ** (tries - 1), LONGEST_WAIT_S)
    return wait_s * random.uniform(1 - JITTER, 1 + JITTER)
