"""The job of an edit: the file that a version or a new video is made of, from the files it was ordered of.

    edit   {"inputs": how many, "start", "end": seconds, null: all of it}

Then it goes on as any upload. What it is made of is copied, so that it needs nobody else's bytes: a clip of a minute
keeps a minute, whatever becomes of the film.
"""

import asyncio
import os
import shutil
from contextlib import ExitStack
from pathlib import Path

from server import log
from server.catalog import videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Job
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed
from server.media.child import Children
from server.media.problems import MediaProblem
from server.media.splicing import Refused, Stretch, splice
from server.storage.layout import Layout
from server.vod import making, pipeline
from server.vod.edits import JOB, Enqueue

ATTEMPTS = 2

__all__ = ["JOB", "Editing"]

_log = log.get("vod")


class Editing:
    """Register `run` and `failed` for JOB."""

    def __init__(self, database: Database, layout: Layout, children: Children, enqueue: Enqueue) -> None:
        self._database = database
        self._layout = layout
        self._children = children
        self._enqueue = enqueue

    async def run(self, job: JobContext) -> None:
        await job.step("file", lambda: self._make(job), attempts=ATTEMPTS)
        await job.step("hand over", lambda: self._hand_over(job.object_id))

    async def failed(self, transaction: Transaction, job: Job, failure: JobFailed) -> None:
        _log.error("an edit failed", video=job.object_id, error=failure.text)
        video = await videos.find(transaction, job.object_id)
        if video is not None and video.state in making.UNFINISHED:
            await making.fail(transaction, video, making.GAVE_UP)

    async def _make(self, job: JobContext) -> None:
        id, count = job.object_id, job.arguments["inputs"]
        inputs = [self._layout.video_input(id, number) for number in range(count)]
        source = self._layout.video_source(id)
        if not inputs[0].exists():
            return  # done before a crash, or deleted
        if count == 1 and job.arguments["start"] is None:
            await asyncio.to_thread(_move, inputs[0], source)
            return
        span = job.arguments["start"] or 0.0, job.arguments["end"]
        made = source.with_suffix(".new")
        with ExitStack() as stack:
            stretches = [_stretch(stack, path, *span) for path in inputs]
            output = os.open(made, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
            stack.callback(os.close, output)
            result = await splice(self._children, stretches, output)
            await asyncio.to_thread(os.fsync, output)
        if isinstance(result, Refused):
            await asyncio.to_thread(made.unlink)
            await self._refuse(id, result, count)
            return
        await asyncio.to_thread(_move, made, source)

    async def _refuse(self, video_id: str, refused: Refused, count: int) -> None:
        detail = refused.problem.detail
        where = f"videos[{refused.stretch}]: " if count > 1 else ""
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is not None and video.state in making.UNFINISHED:
                await making.fail(transaction, video, MediaProblem("unsupported", where + detail))

    async def _hand_over(self, video_id: str) -> None:
        """From here on it is as any upload."""
        source = self._layout.video_source(video_id)
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None or video.state != "pre-processing":
                return
            video.source_bytes = (await asyncio.to_thread(source.stat)).st_size
            await self._enqueue(transaction, video.project_id, pipeline.JOB, video.id, {})
        await asyncio.to_thread(shutil.rmtree, self._layout.video_input(video_id, 0).parent, True)


def _stretch(stack: ExitStack, path: Path, start_s: float, end_s: float | None) -> Stretch:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return Stretch(descriptor, os.fstat(descriptor).st_size, start_s, end_s)


def _move(path: Path, source: Path) -> None:
    path.replace(source)
    descriptor = os.open(source.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
