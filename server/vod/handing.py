"""The end of an edit: its file is there and goes on as any upload, or can't be made."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.catalog import videos
from server.catalog.database import Database
from server.jobs.orders import Enqueue
from server.media.problems import MediaProblem
from server.storage.layout import Layout
from server.vod import making, pipeline

HANDED = "handed"  # of a row's `edit`: its file is another job's by now


class Handing:
    def __init__(self, database: Database, layout: Layout, enqueue: Enqueue) -> None:
        self._database = database
        self._layout = layout
        self._enqueue = enqueue

    async def over(
        self, video_id: str, job: str = pipeline.JOB, arguments: Mapping[str, Any] | None = None, lead_s: float = 0.0
    ) -> None:
        """To the job of uploads, or another one; once. `lead_s`: that a trim begins too early."""
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None or video.state != "pre-processing" or (video.edit or {}).get(HANDED) == job:
                return
            if job == pipeline.JOB:
                source = self._layout.video_source(video_id)
                video.source_bytes = (await asyncio.to_thread(source.stat)).st_size
            edit = {**(video.edit or {}), HANDED: job}
            if lead_s and edit.get("trim"):
                edit["trim"] = {**edit["trim"], "lead": lead_s}
            video.edit = edit
            await self._enqueue(transaction, video.project_id, job, video.id, arguments or {})

    async def clear(self, video_id: str) -> None:
        """What the file was made of."""
        await asyncio.to_thread(shutil.rmtree, self._layout.video_inputs(video_id), True)

    async def refuse(self, video_id: str, problem: MediaProblem) -> None:
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is not None and video.state in making.UNFINISHED:
                await making.fail(transaction, video, problem)
        await self.clear(video_id)


def put_in_place(path: Path, source: Path) -> None:
    """Under a name that a crash leaves. Blocks."""
    path.replace(source)
    descriptor = os.open(source.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
