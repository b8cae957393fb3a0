"""What it takes that a failed job has something to do when it is run again, or why it has not.

A rendition whose job failed has ended, and with it, as often, its video; jobs that were still to come of it found
nothing to do. So what is run again opens both once more, and whatever else is missing of those renditions is ordered
with it: one call mends a video, and nothing that is there is encoded a second time.

    video     error ──► pre-processing        done ──► processing
    rendition failed ──► waiting ──► encoding, where segments are there already
"""

import asyncio
from collections.abc import Iterator, Sequence

from server import log
from server.catalog import jobs, renditions, videos
from server.catalog.database import Transaction
from server.catalog.models import Job, Rendition, Video
from server.jobs.errors import NotAgain
from server.jobs.orders import Enqueue
from server.storage.layout import Layout
from server.storage.renditions import RenditionStore
from server.vod import encoding, making, measuring, plans
from server.vod.plan import Chunk, Plan, chunks

PICTURES = (encoding.FIRST, encoding.SHARE, measuring.JOB)  # kinds of jobs that see to them
REMAKE = "POST /videos/{}/remake makes it anew."

_log = log.get("vod")


class Redriving:
    """Give `renditions` to the jobs that make some, `measure` and `video` to theirs, as what is called before they
    are run again. All raise NotAgain."""

    def __init__(self, layout: Layout, store: RenditionStore, enqueue: Enqueue, chunk_s: float) -> None:
        self._layout = layout
        self._store = store
        self._enqueue = enqueue
        self._chunk_s = chunk_s

    async def renditions(self, transaction: Transaction, job: Job) -> None:
        """Of jobs of `encoding`."""
        arguments = job.arguments
        names = arguments.get("renditions") or [arguments["rendition"]]
        video, plan, rows = await self._look(transaction, job)
        failed = [row for row in rows if row.name in names and row.state == "failed"]
        if not failed and video.state not in making.UNFINISHED:
            raise NotAgain("All that it is to make is there.")
        await self._check_over(transaction, job, video)
        if not failed and job.kind in (encoding.FIRST, encoding.SHARE):
            await self._check_idle(transaction, job)
        await self._open(transaction, video, failed)
        if job.kind in (encoding.FIRST, encoding.SHARE):
            own = range(arguments["first"], arguments["last"] + 1)
            await self._order_missing(transaction, video, plan, [row.name for row in failed], own)

    async def measure(self, transaction: Transaction, job: Job) -> None:
        """Of jobs of `measuring`, which order all but the first share by themselves."""
        video, plan, rows = await self._look(transaction, job)
        failed = [row for row in rows if row.kind == "video" and row.state == "failed"]
        if not failed and video.state not in making.UNFINISHED:
            raise NotAgain("All that it is to order is there.")
        await self._check_over(transaction, job, video)
        if not failed:
            await self._check_idle(transaction, job)
        await self._open(transaction, video, failed)
        shares = chunks(plan.cuts, [rung.name for rung in plan.rungs], self._chunk_s)
        if shares and any(row.name in shares[0].renditions for row in failed):
            names, rest = shares[0].renditions, range(shares[0].last + 1, len(plan.cuts))
            await self._order_missing(transaction, video, plan, names, rest)

    async def video(self, transaction: Transaction, job: Job) -> None:
        """Of the job that examines a file, and of the one that makes a file."""
        video = await self._video(transaction, job)
        if video.state in making.UNFINISHED:
            return
        if video.state != "error" or await renditions.of_video(transaction, video.id, video.source_revision):
            raise NotAgain(f"The video is {video.state}. {REMAKE.format(video.version_of or video.id)}")
        files = self._layout.video_source(video.id), self._layout.video_input(video.id, 0)
        if not any([await asyncio.to_thread(path.exists) for path in files]):
            raise NotAgain("The video's file is not there any more: upload it again.")
        await self._open(transaction, video, [])

    async def _check_over(self, transaction: Transaction, job: Job, video: Video) -> None:
        """A job that runs while its video has ended may have seen that, and makes nothing any more: it can't be
        counted on, and it can't be told from one that still writes."""
        if video.state in making.UNFINISHED:
            return
        at_it = await jobs.unfinished_about(transaction, job.object_id, PICTURES)
        if any(each.worker is not None and each.id != job.id for each in at_it):
            raise NotAgain("Another job of the video is ending: try again when it has.")

    async def _check_idle(self, transaction: Transaction, job: Job) -> None:
        """Where nothing has failed any more, what the job is to make was ordered with another one's."""
        at_it = await jobs.unfinished_about(transaction, job.object_id, PICTURES)
        if any(each.id != job.id for each in at_it):
            raise NotAgain("Other jobs are at it already.")

    async def _look(self, transaction: Transaction, job: Job) -> tuple[Video, Plan, list[Rendition]]:
        """What there is to go on with."""
        video = await self._video(transaction, job)
        remake = REMAKE.format(video.version_of or video.id)
        if video.source_revision != job.arguments["revision"]:
            raise NotAgain(f"The video has another file since. {remake}")
        try:
            plan = await asyncio.to_thread(plans.read, self._layout, video.id, video.source_revision)
        except FileNotFoundError:
            raise NotAgain(f"What was made of the video is not there any more. {remake}") from None
        return video, plan, await renditions.of_video(transaction, video.id, video.source_revision)

    async def _video(self, transaction: Transaction, job: Job) -> Video:
        """The row of a video, or of a version, that is to be watched."""
        video = await videos.find(transaction, job.object_id)
        if video is None:
            raise NotAgain("The video is deleted.")
        if video.version_of is not None:
            given_up = video.deletes_at is not None
            put_aside = video.state == "done" and await videos.shown_as(transaction, video) is None
            if given_up or put_aside:
                raise NotAgain(f"This version of the video is not wanted any more. {REMAKE.format(video.version_of)}")
        elif video.material != video.id:
            raise NotAgain(f"Another version of the video is shown. {REMAKE.format(video.id)}")
        elif video.archived_at is not None:
            raise NotAgain(f"The video is archived. {REMAKE.format(video.id)}")
        return video

    async def _open(self, transaction: Transaction, video: Video, failed: Sequence[Rendition]) -> None:
        shown = await videos.shown_as(transaction, video)
        for each in [video, *([shown] if shown is not None and shown is not video else [])]:
            if each.state == "error":
                each.error = None
                await videos.move(transaction, each, "pre-processing")
            elif each.state == "done":
                await videos.move(transaction, each, "processing")
        for row in failed:
            row.error = None
            row.facts = {name: value for name, value in row.facts.items() if name != "problem"}
            await renditions.move(transaction, video, row, "waiting")
            if await asyncio.to_thread(self._store.count, video.id, row.revision, row.name):
                await making.begun(transaction, video, row.name)
        _log.info("run again", video=video.id, renditions=[row.name for row in failed])

    async def _order_missing(
        self, transaction: Transaction, video: Video, plan: Plan, names: Sequence[str], own: range
    ) -> None:
        """What nobody is at: neither the job itself nor others that have not ended."""
        under_way = await jobs.unfinished_about(transaction, video.id, PICTURES)
        if any(job.kind == measuring.JOB for job in under_way):
            own = range(min(own.start, self._quick(plan)), len(plan.cuts))  # it orders the rest
        cared_for = {name: set(own) for name in names}
        for job in under_way:
            for name in cared_for.keys() & set(job.arguments.get("renditions", ())):
                cared_for[name] |= set(range(job.arguments["first"], job.arguments["last"] + 1))
        parts: dict[tuple[int, int], list[str]] = {}
        for name in [rung.name for rung in plan.rungs if rung.name in names]:
            there = await asyncio.to_thread(self._store.numbers, video.id, video.source_revision, name)
            missing = set(range(len(plan.cuts) - 1)) - there - cared_for[name]
            for share in chunks(plan.cuts, [name], self._chunk_s):
                for stretch in _stretches(share, missing):
                    parts.setdefault(stretch, []).append(name)
        for (first, last), together in sorted(parts.items()):
            part = Chunk(tuple(together), first, last)
            await encoding.order(self._enqueue, transaction, video, encoding.SHARE, part)

    def _quick(self, plan: Plan) -> int:
        """The first segment behind the first share."""
        return chunks(plan.cuts, [rung.name for rung in plan.rungs], self._chunk_s)[0].last + 1


def _stretches(share: Chunk, missing: set[int]) -> Iterator[tuple[int, int]]:
    """First and last numbers of those that are missing in a row."""
    first = None
    for number in range(share.first, share.last + 2):
        is_missing = number in missing and number <= share.last
        if is_missing and first is None:
            first = number
        elif not is_missing and first is not None:
            yield first, number - 1
            first = None
