"""The jobs that make renditions: shares of the pictures, and whole tracks of sound.

    encode-first   {"revision", "renditions", "first", "last"}   the first seconds of the smallest
    encode         the same                                      a share of all of them, with one decoding
    encode-sound   {"revision", "rendition"}
    encode-begin   {"revision", "renditions"}                    init segments of what is made when it is asked for

What a crash cut off is made again from its beginning, and written from the first segment that is missing: an encoder
decides by what it saw before, so only so is the whole the same as if nothing had happened. A segment is on disk, then
in its journal, and then it is watched; nothing that was watched is written again.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from server import log
from server.catalog import renditions, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Job, Video
from server.jobs.context import JobContext
from server.jobs.errors import CANCELLED, JobFailed
from server.jobs.orders import Enqueue
from server.media import title
from server.media.calls import memory_file
from server.media.child import ChildFailed, Children
from server.media.codings import CODINGS
from server.media.encoding import Encoded, encode_pictures, encode_sound
from server.media.orders import TIMESCALE, Described, PictureOrder, Reading, SoundOrder, Treatment
from server.media.problems import TITLES, MediaProblem
from server.storage.layout import Layout
from server.storage.renditions import RenditionStore
from server.vod import making, plans, waiting
from server.vod.plan import FAR_S, RATE, Chunk, Effort, Plan, order_of
from server.vod.writing import Label, Writing, describe

FIRST, SHARE, SOUND, BEGIN = "encode-first", "encode", "encode-sound", "encode-begin"
SAMPLE_S = 0.25  # of pictures, for an init segment
ATTEMPTS = 2  # of a child that crashes: once may be the machine's fault

OrderAhead = Callable[[Transaction, Video, Plan], Awaitable[None]]

_log = log.get("vod")


async def order(enqueue: Enqueue, transaction: Transaction, video: Video, kind: str, share: Chunk) -> None:
    told = {"renditions": list(share.renditions), "first": share.first, "last": share.last}
    await enqueue(transaction, video.project_id, kind, video.id, {"revision": video.source_revision, **told})


def opened(stack: ExitStack, layout: Layout, video_id: str, reading: Reading) -> tuple[int, int | None]:
    """Descriptors of the source and, where it is read by it, of its index. Raises OSError."""
    source = _open(stack, layout.video_source(video_id))
    return source, _open(stack, layout.video_index(video_id)) if reading.indexed else None


class Encoding:
    """Register `first` for FIRST, `pictures` for SHARE, `sound` for SOUND, `failed` for all."""

    def __init__(
        self, database: Database, layout: Layout, children: Children, renditions: RenditionStore, quality: float,
        preset: str, order_ahead: OrderAhead, threads: int = 0, per_title: bool = False,
    ) -> None:  # fmt: skip
        """`quality`, `preset` and `threads` are of plans that don't tell theirs.
        `order_ahead` has all renditions of a plan encoded, where they can't be made when they are asked for;
        where they can, they are made as the title needs them if `per_title`."""
        self._database = database
        self._layout = layout
        self._children = children
        self._renditions = renditions
        self._effort = Effort(preset, quality, threads)
        self._order_ahead = order_ahead
        self._per_title = per_title

    async def first(self, job: JobContext) -> None:
        """What a viewer waits for gives way to less."""
        work = partial(self._pictures, urgent=True)
        await waiting.step(job, "encode", lambda: self._current(job, work), ATTEMPTS)

    async def pictures(self, job: JobContext) -> None:
        await waiting.step(job, "encode", lambda: self._current(job, self._pictures), ATTEMPTS)

    async def sound(self, job: JobContext) -> None:
        await waiting.step(job, "encode", lambda: self._current(job, self._sound), ATTEMPTS)

    async def begin(self, job: JobContext) -> None:
        await waiting.step(job, "begin", lambda: self._current(job, self._begin), ATTEMPTS)

    async def failed(self, transaction: Transaction, job: Job, failure: JobFailed) -> None:
        """The renditions of a job that gave up."""
        video = await videos.find(transaction, job.object_id)
        if video is None or video.source_revision != job.arguments["revision"]:
            return
        problem = making.GAVE_UP
        if failure.code in TITLES:  # the fault of the file, whose owner is told; others are ours, and told in the log
            problem = MediaProblem(failure.code, failure.detail)
            _log.info("encoding failed", video=video.id, code=failure.code, detail=failure.detail)
        elif failure.code == CANCELLED:
            _log.info("encoding was cancelled", video=video.id)
        else:
            _log.error("encoding failed", video=video.id, error=failure.text)
        for name in job.arguments.get("renditions") or [job.arguments["rendition"]]:
            await making.ended(transaction, video, name, problem)

    async def _current(self, job: JobContext, work: Callable[[JobContext, Plan], Awaitable[None]]) -> None:
        """Does the work unless the video is gone, or is of another source by now."""
        revision = job.arguments["revision"]
        if not await self._is_current(job.object_id, revision):
            return
        path = self._layout.video_plan(job.object_id, revision)
        try:
            plan = Plan.of_bytes(await asyncio.to_thread(path.read_bytes))
            await work(job, plan)
        except FileNotFoundError:
            if await self._is_current(job.object_id, revision):
                raise  # else it was deleted with its files
        except ChildFailed:
            await asyncio.to_thread(self._renditions.check_room)  # a full disk looks like that too
            raise

    async def _is_current(self, video_id: str, revision: int) -> bool:
        async with self._database.read() as transaction:
            video = await videos.find(transaction, video_id)
        return video is not None and video.source_revision == revision and video.state in making.UNFINISHED

    async def _pictures(self, job: JobContext, plan: Plan, urgent: bool = False) -> None:
        revision, names = job.arguments["revision"], job.arguments["renditions"]
        first, last = job.arguments["first"], job.arguments["last"]
        missing: dict[str, int] = {}
        for name in names:
            found = await asyncio.to_thread(
                self._renditions.missing, job.object_id, revision, name, first, last
            )
            if found is not None:
                missing[name] = found
        if missing:
            coding, effort = CODINGS[plan.codec], plan.effort or self._effort
            made = plan.rungs if urgent else plan.fitted  # the first seconds do not wait for what the title needs
            rungs = tuple(replace(rung, finer=coding.steps(rung.finer)) for rung in made if rung.name in missing)
            lasting_s = (plan.cuts[last + 1] - plan.cuts[first]) / TIMESCALE
            most_bytes = round(sum(rung.bitrate for rung in rungs) * lasting_s / 8)
            await asyncio.to_thread(self._renditions.check_room, most_bytes)
            largest = next(rung for rung in plan.rungs if rung.name in names)
            order = PictureOrder(
                reading=plan.pictures,
                rungs=rungs,
                cuts=plan.cuts[first : last + 2],
                first=first,
                begins=tuple(missing[rung.name] for rung in rungs),
                stage=(largest.width, largest.height),
                treatment=plan.treatment,
                encoder=coding.encoder,
                preset=coding.preset(effort.preset),
                quality=coding.quality(effort.quality),
                threads=effort.threads,
            )
            writing = self._writing(job, revision, sum(last + 1 - number for number in missing.values()))
            with ExitStack() as stack:
                source, index = opened(stack, self._layout, job.object_id, plan.pictures)
                mark = self._watermark(stack, job.object_id, plan.treatment)
                async with writing.open(missing) as ways:
                    result = await encode_pictures(self._children, source, index, order, *ways, mark, urgent)
            _judge(result)
        await self._complete(job.object_id, revision, names, len(plan.cuts) - 1)

    async def _sound(self, job: JobContext, plan: Plan) -> None:
        revision, name = job.arguments["revision"], job.arguments["rendition"]
        sound = next(each for each in plan.sounds if each.rendition == name)
        first = await asyncio.to_thread(self._renditions.count, job.object_id, revision, name)
        reading = Reading(plan.demuxer, sound.stream, plan.start_s, mended=plan.pictures.mended)
        order = SoundOrder(reading, plan.cuts, name, first, sound.channels, length_s=plan.duration_s)
        labels = {name: (sound.language, sound.title)}
        writing = self._writing(job, revision, max(1, len(plan.cuts) - 1 - first), labels)
        with ExitStack() as stack:
            source, _ = opened(stack, self._layout, job.object_id, reading)
            async with writing.open({name: first}) as ways:
                output = ways.outputs[name]
                result = await encode_sound(self._children, source, None, order, output, ways.described, ways.made)
        _judge(result)
        await self._complete(job.object_id, revision, [name], 0)

    async def _begin(self, job: JobContext, plan: Plan) -> None:
        """The init segments of all renditions; or jobs for the whole, where seeking in the source takes too long."""
        request = plan.on_request
        video_id, revision = job.object_id, job.arguments["revision"]
        if request is None:
            await self._ahead(video_id, revision, plan, "that was found before a crash")
            return
        with ExitStack() as stack:
            source = opened(stack, self._layout, video_id, plan.pictures)
            mark = self._watermark(stack, video_id, plan.treatment)
            sample = plan.cuts[0], min(plan.cuts[1], plan.cuts[0] + round(SAMPLE_S * TIMESCALE))
            _, described = await self._sampled(source, mark, order_of(plan, 0, sample, plan.rungs))
            if not plan.pictures.indexed:
                last = order_of(plan, len(plan.cuts) - 2, plan.cuts[-2:], plan.rungs[-1:])
                sought, _ = await self._sampled(source, mark, last)
                if sought.skipped > FAR_S * ((plan.rungs[-1].frame_rate or RATE) * plan.rungs[-1].divisor):
                    await self._ahead(video_id, revision, plan, f"{sought.skipped} pictures had to be decoded to seek")
                    return
            plan = await self._measured(video_id, source, plan)
        for each in described.values():
            await asyncio.to_thread(describe, self._renditions, video_id, revision, each)
        look = next(iter(described.values())).look
        plan = replace(plan, on_request=replace(request, look=look))
        await asyncio.to_thread(plans.keep, self._layout, video_id, revision, plan)
        await self._tell(video_id, revision, partial(making.rate, plan=plan))
        for name in job.arguments["renditions"]:
            await self._tell(video_id, revision, partial(making.begun, name=name))
            await self._tell(video_id, revision, partial(making.ended, name=name, size=0))  # what comes is a cache's

    async def _measured(self, video_id: str, source: tuple[int, int | None], plan: Plan) -> Plan:
        """With the ceilings of its title, where it is long enough."""
        if not self._per_title or not title.moments(plan.cuts[-1]):
            return plan
        order = order_of(plan, 0, plan.cuts[:2], plan.rungs)
        found = await title.measure(self._children, *source, order, plan.cuts[-1])
        _log.info("measured", video=video_id, rates=list(found.rates), cpu_s=round(found.cpu_s, 2))
        return replace(plan, title=found)

    async def _sampled(
        self, source: tuple[int, int | None], mark: int | None, order: PictureOrder
    ) -> tuple[Encoded, Mapping[str, Described]]:
        """What is said of an order whose segments nobody keeps."""
        described: dict[str, Described] = {}

        def told(each: Described) -> None:
            described[each.rendition] = each

        with ExitStack() as stack:
            outputs = {rung.name: stack.enter_context(memory_file(rung.name)) for rung in order.rungs}
            result = await encode_pictures(
                self._children, *source, order, outputs, told, lambda segment: None, mark, urgent=True
            )
        _judge(result)
        return result, described

    async def _ahead(self, video_id: str, revision: int, plan: Plan, reason: str) -> None:
        """Once, also where a crash comes between the plan and the orders."""
        ahead = replace(plan, on_request=None)
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is not None and video.source_revision == revision and video.state in making.UNFINISHED:
                rows = await renditions.of_video(transaction, video_id, revision)
                awaited = [row for row in rows if row.origin == making.MADE_ON_REQUEST]
                if not awaited:
                    return  # it was ordered before a crash
                _log.info("made ahead", video=video_id, reason=reason)
                await asyncio.to_thread(plans.keep, self._layout, video_id, revision, ahead)
                making.tell_of_file(video, ahead)
                for row in awaited:
                    row.origin = "encoded"
                await self._order_ahead(transaction, video, ahead)

    def _watermark(self, stack: ExitStack, video_id: str, treatment: Treatment) -> int | None:
        return _open(stack, self._layout.video_watermark(video_id)) if treatment.watermark else None

    def _writing(
        self, job: JobContext, revision: int, total: int, labels: Mapping[str, Label] | None = None
    ) -> Writing:
        """`total` segments are to come."""
        done = 0

        async def came(name: str, number: int) -> None:
            nonlocal done
            done += 1
            job.progress(min(1.0, done / total))
            if number == 0:
                await self._tell(job.object_id, revision, partial(making.begun, name=name))

        return Writing(self._renditions, job.object_id, revision, came, labels)

    async def _complete(self, video_id: str, revision: int, names: list[str], total: int) -> None:
        """Those whose last segment is there; the others have jobs that are still at it."""
        for name in names:
            count = await asyncio.to_thread(self._renditions.count, video_id, revision, name)
            size = await asyncio.to_thread(self._renditions.size, video_id, revision, [name])
            if count and count >= total:
                await asyncio.to_thread(self._renditions.finish, video_id, revision, name)
                await self._tell(video_id, revision, partial(making.ended, name=name, size=size))
            else:
                await self._tell(video_id, revision, partial(making.grew, name=name, size=size))

    async def _tell(
        self, video_id: str, revision: int, what: Callable[[Transaction, Video], Awaitable[None]]
    ) -> None:
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is not None and video.source_revision == revision:
                await what(transaction, video)


def _open(stack: ExitStack, path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return descriptor


def _judge(result: Encoded) -> None:
    """Raises JobFailed for what trying again would not mend."""
    if result.problem is not None:
        raise JobFailed(result.problem.code, result.problem.detail)


