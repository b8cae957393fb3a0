"""The durable job from an uploaded file to a video: probe and index in a child, playable, done, poster.

    pre-processing ── indexed ──► processing (playable) ── proved ──► done
          └───────── unsupported, invalid, a child that failed ─────► error
"""

import asyncio
import os
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from server import log
from server.catalog import events, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Job
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed
from server.media import calls
from server.media.calls import Examination
from server.media.child import ChildFailed, Children
from server.media.facts import SourceFacts
from server.media.problems import TITLES, MediaProblem
from server.storage.layout import Layout
from server.vod.posters import Posters

JOB = "vod"
SOURCE = "upload"
UNFINISHED = ("pre-processing", "processing")

GAVE_UP = MediaProblem("failed", "processing was given up after several tries")

_log = log.get("vod")


class Pipeline:
    """Register `run` as the job, and `failed` for one that failed for good."""

    def __init__(
        self, database: Database, layout: Layout, children: Children, posters: Posters, probe_timeout_s: float
    ) -> None:
        self._database = database
        self._layout = layout
        self._children = children
        self._posters = posters
        self._timeout_s = probe_timeout_s

    async def run(self, job: JobContext) -> None:
        """Steps that were finished before a crash are not done again."""
        video_id = job.object_id
        if await job.step("examine", lambda: self._examine(video_id)):
            await job.step("poster", lambda: self._poster(video_id))

    async def failed(self, transaction: Transaction, job: Job, failure: JobFailed) -> None:
        """The job gave up."""
        _log.error("processing failed", video=job.object_id, error=failure.text)
        await self._write_end(transaction, job.object_id, GAVE_UP, None)

    async def _examine(self, video_id: str) -> bool:
        """Whether the video can be watched now."""
        state = await self._state(video_id)
        if state not in UNFINISHED:
            return state == "done"  # ended before a crash; or deleted meanwhile
        try:
            facts, problem = await self._examined(video_id)
        except FileNotFoundError:
            if await self._state(video_id) is None:
                return False  # deleted with its files
            raise
        await self._end(video_id, problem, facts)
        return problem is None

    async def _examined(self, video_id: str) -> tuple[SourceFacts | None, MediaProblem | None]:
        """Asks a child; the video is playable as soon as its index is whole."""
        publishing: list[asyncio.Task[None]] = []
        with ExitStack() as stack:
            index_path = self._layout.video_index(video_id).with_suffix(".new")
            source = _opened(stack, self._layout.video_source(video_id), os.O_RDONLY)
            index = _opened(stack, index_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

            def indexed() -> None:
                publishing.append(_start(self._publish(video_id, index_path)))

            try:
                found = await calls.examine(self._children, source, index, indexed, self._timeout_s)
            except ChildFailed as error:
                _log.warning("the probe failed", video=video_id, reason=error.reason, detail=error.detail)
                found = Examination(False, None, calls.problem_of(error))
            finally:
                if publishing:
                    await publishing[0]
        if not publishing and found.problem is None:
            detail = found.unserved or "H.264 video and AAC audio in MP4 or MOV play without conversion"
            return found.facts, MediaProblem("unsupported", detail)
        return found.facts, found.problem

    async def _state(self, video_id: str) -> str | None:
        async with self._database.read() as transaction:
            video = await videos.find(transaction, video_id)
        return video.state if video else None

    async def _publish(self, video_id: str, index: Path) -> None:
        """The index is whole: the video can be watched from now on."""
        os.replace(index, self._layout.video_index(video_id))
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None or video.state not in UNFINISHED:
                return
            if video.state == "pre-processing":
                await videos.move(transaction, video, "processing")
            if video.playable:
                return  # said before a crash
            video.source, video.playable = SOURCE, True
            await events.record(transaction, video.project_id, video.id, "video.playable", videos.links(video))
        _log.info("playable", video=video_id)

    async def _end(self, video_id: str, problem: MediaProblem | None, facts: SourceFacts | None) -> None:
        async with self._database.write() as transaction:
            await self._write_end(transaction, video_id, problem, facts)

    async def _write_end(
        self, transaction: Transaction, video_id: str, problem: MediaProblem | None, facts: SourceFacts | None
    ) -> None:
        video = await videos.find(transaction, video_id)
        if video is None or video.state not in UNFINISHED:
            return  # deleted meanwhile, or ended before a crash
        if facts:
            video.duration_s, video.media = facts.duration_s, facts.media()
        if problem is None:
            await videos.move(transaction, video, "done", duration=video.duration_s)
            return
        video.playable = False
        video.error = {"code": problem.code, "title": TITLES[problem.code], "detail": problem.detail}
        await videos.move(transaction, video, "error", error=video.error)
        _log.info("not watchable", video=video_id, code=problem.code, detail=problem.detail)

    async def _poster(self, video_id: str) -> None:
        """A video without a poster is a video all the same."""
        try:
            await self._posters.of_upload(video_id)
        except (ChildFailed, OSError) as error:
            _log.warning("no poster", video=video_id, error=str(error))


def _opened(stack: ExitStack, path: Path, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)
    stack.callback(os.close, descriptor)
    return descriptor


def _start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.ensure_future(work)
