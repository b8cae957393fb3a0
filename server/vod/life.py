"""How videos end: discarded, restored, deleted, erased.

    there ── DELETE ──► discarded ── its time has come, or no way back is configured ──► deleted ── job ──► erased
      ▲                     │
      └────── restore ──────┘

The row of a deleted video goes in the transaction that orders the job; `video.erased` says when its last byte went.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from server import clock, log
from server.catalog import events, materials, posters, uploads, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Video
from server.jobs.context import JobContext
from server.jobs.orders import Enqueue
from server.storage.layout import Layout
from server.vod.rounds import rounds

JOB = "erase"
EVERY_S = 60.0  # how late a video may go
MATERIALS, POSTERS = "materialIds", "posterIds"  # arguments of the job: files beside the video's folder
AT_ONCE = 100  # videos of a round: a thousand that are due together don't hold up writers

_log = log.get("vod")


class Life:
    """`on_gone` is told after the commit that a video is no longer to be watched; `release` deletes the segments of a
    broadcast that no video shows. Register `erase` as the job."""

    def __init__(
        self,
        database: Database,
        layout: Layout,
        enqueue: Enqueue,
        restore_days: float,
        release: Callable[[str], Awaitable[None]],
        on_gone: Callable[[Video], None],
    ) -> None:
        self._database = database
        self._layout = layout
        self._enqueue = enqueue
        self._restore_days = restore_days
        self._release = release
        self._on_gone = on_gone

    def running(self) -> AbstractAsyncContextManager[None]:
        """Deletes what is due, while the block lasts."""
        return rounds(self.round, EVERY_S, _log, "a round of deletions failed", AT_ONCE)

    @property
    def restorable(self) -> bool:
        """Whether there is a way back from `remove`."""
        return self._restore_days > 0

    def deletes_at(self) -> datetime:
        """When what is removed now goes for good."""
        return clock.now() + timedelta(days=self._restore_days)

    async def remove(self, transaction: Transaction, video: Video) -> None:
        """What its owner asks for: discarded while there is a way back, else deleted."""
        if not self.restorable:
            await self.delete(transaction, video)
            return
        await videos.discard(transaction, video, self.deletes_at())
        transaction.after_commit(lambda: self._on_gone(video))

    async def delete(self, transaction: Transaction, video: Video) -> None:
        """The row goes now, its bytes soon; its versions with it."""
        for version in await videos.versions(transaction, video.id):
            await self.delete(transaction, version)
        upload = await uploads.of_video(transaction, video.id)
        arguments: dict[str, Any] = {"broadcastId": video.broadcast_id, "uploadId": upload.id if upload else None}
        arguments |= await _companions(transaction, video.id)
        if video.version_of:
            arguments["versionOf"] = video.version_of
        await videos.remove(transaction, video)
        await self._enqueue(transaction, video.project_id, JOB, video.id, arguments)
        transaction.after_commit(lambda: self._on_gone(video))

    async def erase(self, job: JobContext) -> None:
        """The job: every byte of a deleted video."""

        async def files() -> None:
            folders = [self._layout.video(job.object_id)]
            if upload_id := job.arguments.get("uploadId"):  # first: its bytes may be about to move to the video
                folders.insert(0, self._layout.upload(upload_id))
            for folder in folders:
                await asyncio.to_thread(_erase, folder)
            beside = [self._layout.material(each) for each in job.arguments.get(MATERIALS, ())]
            beside += [self._layout.picture(each) for each in job.arguments.get(POSTERS, ())]
            await asyncio.to_thread(_unlink, beside)
            if broadcast_id := job.arguments.get("broadcastId"):
                await self._release(broadcast_id)

        async def tell() -> None:
            of = job.arguments.get("versionOf")
            payload: dict[str, Any] = {"videoId": of or job.object_id}
            kind = "video.version.erased" if of else "video.erased"
            if of:
                payload["version"] = {"id": job.object_id}
            async with self._database.write() as transaction:
                await events.record(transaction, job.project_id, of or job.object_id, kind, payload)

        await job.step("files", files, attempts=5)
        await job.step("tell", tell)

    async def round(self) -> int:
        """Deletes what is due; how many went."""
        async with self._database.write() as transaction:
            due = await videos.due(transaction, clock.now(), AT_ONCE)
            for video in due:
                await self.delete(transaction, video)
        if due:
            _log.info("videos are deleted whose time had come", count=len(due))
        return len(due)


async def _companions(transaction: Transaction, video_id: str) -> dict[str, list[str]]:
    """Arguments that name the files whose rows go with the video's; at most materials.MOST and posters.MOST."""
    uploaded = [each.id for each in await posters.of_video(transaction, video_id) if each.at_s is None]
    found = {MATERIALS: await materials.ids_of_video(transaction, video_id), POSTERS: uploaded}
    return {name: ids for name, ids in found.items() if ids}


def _unlink(paths: Sequence[Path]) -> None:
    """Raises OSError where one stays."""
    for path in paths:
        path.unlink(missing_ok=True)


def _erase(folder: Path) -> None:
    """Raises OSError where something stays."""
    if folder.exists():
        shutil.rmtree(folder)
