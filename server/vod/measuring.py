"""The job that looks at what a title needs before the bulk of it is encoded, while its first seconds already are.

    vod ──► encode-first · encode-sound · measure ──► the plan with its ceilings ──► encode · encode · …

    measure   {"revision"}

What was found is kept in the plan: neither a restart nor another worker looks again.
"""

import asyncio
from contextlib import ExitStack
from dataclasses import replace

from server import log
from server.catalog import renditions, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Job, Video
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed
from server.jobs.orders import Enqueue
from server.media import title
from server.media.child import Children
from server.media.orders import PictureOrder
from server.storage.layout import Layout
from server.vod import encoding, making, plans
from server.vod.plan import Chunk, Plan, chunks

JOB = "measure"
ATTEMPTS = 2
MEASURED = "measured"  # of a rendition's facts: its ceiling is the title's, and its jobs are ordered

_log = log.get("vod")


def worth_while(plan: Plan, shares: tuple[Chunk, ...]) -> bool:
    """Whether there is something to encode that can wait for it, and enough of it."""
    return len(shares) > 1 and bool(title.moments(plan.cuts[-1]))


class Measuring:
    """Register `run` as the job, and `failed` for one that failed for good."""

    def __init__(
        self, database: Database, layout: Layout, children: Children, enqueue: Enqueue, chunk_s: float, quality: float
    ) -> None:
        self._database = database
        self._layout = layout
        self._children = children
        self._enqueue = enqueue
        self._chunk_s = chunk_s
        self._quality = quality

    async def run(self, job: JobContext) -> None:
        await job.step("measure", lambda: self._measure(job), attempts=ATTEMPTS)

    async def failed(self, transaction: Transaction, job: Job, failure: JobFailed) -> None:
        """Nothing more is made of the video's pictures."""
        _log.error("measuring failed", video=job.object_id, error=failure.text)
        video = await videos.find(transaction, job.object_id)
        if video is None or video.source_revision != job.arguments["revision"]:
            return
        for row in await renditions.of_video(transaction, video.id, video.source_revision):
            if row.kind == "video":
                await making.ended(transaction, video, row.name, making.GAVE_UP)

    async def _measure(self, job: JobContext) -> None:
        video_id, revision = job.object_id, job.arguments["revision"]
        if not await self._is_current(video_id, revision):
            return
        try:
            plan = await asyncio.to_thread(plans.read, self._layout, video_id, revision)
            if plan.title is None:
                plan = await self._measured(video_id, plan)
                await asyncio.to_thread(plans.keep, self._layout, video_id, revision, plan)
        except FileNotFoundError:
            if await self._is_current(video_id, revision):
                raise
            return  # deleted with its files
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is not None and video.source_revision == revision and video.state in making.UNFINISHED:
                await self._order(transaction, video, plan)

    async def _is_current(self, video_id: str, revision: int) -> bool:
        async with self._database.read() as transaction:
            video = await videos.find(transaction, video_id)
        return video is not None and video.source_revision == revision and video.state in making.UNFINISHED

    async def _measured(self, video_id: str, plan: Plan) -> Plan:
        quality = plan.effort.quality if plan.effort else self._quality
        order = PictureOrder(plan.pictures, plan.rungs, plan.cuts[:2], 0, plan.treatment, quality=quality)
        with ExitStack() as stack:
            source, index = encoding.opened(stack, self._layout, video_id, plan.pictures)
            found = await title.measure(self._children, source, index, order, plan.cuts[-1])
        plan = replace(plan, title=found)
        ceilings = {rung.name: rung.bitrate for rung in plan.fitted}
        _log.info("measured", video=video_id, rates=list(found.rates), ceilings=ceilings, cpu_s=round(found.cpu_s, 2))
        return plan

    async def _order(self, transaction: Transaction, video: Video, plan: Plan) -> None:
        """Once: the rows remember."""
        rows = await renditions.of_video(transaction, video.id, video.source_revision)
        if any(MEASURED in row.facts for row in rows):
            return
        await making.rate(transaction, video, plan, **{MEASURED: True})
        for share in chunks(plan.cuts, [rung.name for rung in plan.rungs], self._chunk_s)[1:]:
            await encoding.order(self._enqueue, transaction, video, encoding.SHARE, share)
