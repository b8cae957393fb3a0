"""The job that joins videos which are coded differently: what has to be is encoded, then all of it is one file.

    join     {"texts", "at": as of `edit`}     goes by vod.joins.Join, which `edit` left beside the files

Every minute of pictures is a step of its own: a crash costs no more of what was encoded. What a step had begun to write
is cut off and made again, so that the file is the same as if nothing had happened.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from server import log
from server.catalog import videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Job
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed
from server.jobs.orders import Enqueue
from server.media import joins as media
from server.media.child import Children
from server.media.encoding import encode_pictures
from server.media.joins import Coded, SoundPart, WrittenPart
from server.media.orders import TIMESCALE, Described, PictureOrder, Segment
from server.media.problems import TITLES, MediaProblem
from server.storage.layout import Layout
from server.vod import joins, making
from server.vod.handing import Handing, put_in_place
from server.vod.joins import Join, Part
from server.vod.lengthening import Lengthening

JOB = "join"
ATTEMPTS = 2
SOUND = "sound"
# Of the work that a second of pictures is
SOUND_WORK, WRITING_WORK = 0.03, 0.01

_log = log.get("vod")


class Joining:
    """Register `run` and `failed` for JOB."""

    def __init__(self, database: Database, layout: Layout, children: Children, enqueue: Enqueue) -> None:
        self._layout = layout
        self._children = children
        self._handing = Handing(database, layout, enqueue)
        self._lengthening = Lengthening(database, layout)

    async def run(self, job: JobContext) -> None:
        try:
            plan = Join.of_bytes(await asyncio.to_thread(_path(self._layout, job.object_id).read_bytes))
        except FileNotFoundError:
            return  # it was handed over before a crash, or is deleted
        work = _Work(job, plan)
        for number, part in enumerate(plan.parts):
            if part.pictures is not None:
                await self._pictures(job, number, part, part.pictures, work)
        if plan.sound is not None:
            await job.step("sound", lambda: self._sound(job, plan, work), attempts=ATTEMPTS)
            work.did(SOUND_WORK * plan.length / TIMESCALE)
        await job.step("file", lambda: self._write(job, plan, work), attempts=ATTEMPTS)
        work.did(WRITING_WORK * plan.length / TIMESCALE)
        texts, starts = job.arguments.get("texts", []), [part.start / TIMESCALE for part in plan.parts]
        await self._lengthening.joined(job, texts, starts)
        await job.step("hand over", lambda: self._handing.over(job.object_id))
        await self._handing.clear(job.object_id)

    async def failed(self, transaction: Transaction, job: Job, failure: JobFailed) -> None:
        _log.error("videos could not be joined", video=job.object_id, error=failure.text)
        video = await videos.find(transaction, job.object_id)
        if video is not None and video.state in making.UNFINISHED:
            known = failure.code in TITLES
            await making.fail(
                transaction, video, MediaProblem(failure.code, failure.detail) if known else making.GAVE_UP
            )

    async def _pictures(
        self, job: JobContext, number: int, part: Part, whole: PictureOrder, work: "_Work"
    ) -> None:
        size = 0
        for count, order in enumerate(joins.chunks(whole)):

            async def encode(order: PictureOrder = order, size: int = size) -> int:
                return await self._encode(job, number, part, order, size, work)

            size = await job.step(f"pictures {number}-{count}", encode, attempts=ATTEMPTS)
            work.did((order.cuts[-1] - order.cuts[0]) / TIMESCALE)

    async def _encode(
        self, job: JobContext, number: int, part: Part, order: PictureOrder, size: int, work: "_Work"
    ) -> int:
        """Behind the first `size` bytes of the part's pictures; how many there are then."""
        name = f"{number}-{joins.PICTURES}"
        with ExitStack() as stack:
            source = _opened(stack, self._layout.video_input(job.object_id, number), os.O_RDONLY)
            mark = None
            if part.marked:
                mark = _opened(stack, self._layout.video_input_part(job.object_id, f"{number}-mark"), os.O_RDONLY)
            output = self._output(stack, job.object_id, name, size)
            result = await encode_pictures(
                self._children, source, None, order, {joins.PICTURES: output}, self._describe(job.object_id, name),
                lambda made: work.at((made.start + made.duration - order.cuts[0]) / TIMESCALE, f"videos[{number}]"),
                mark,
            )  # fmt: skip
            if result.problem is not None:
                raise JobFailed(result.problem.code, f"videos[{number}]: {result.problem.detail}")
            await asyncio.to_thread(os.fsync, output)
            return os.fstat(output).st_size

    async def _sound(self, job: JobContext, plan: Join, work: "_Work") -> None:
        rate, channels = plan.sound or (0, 0)
        with ExitStack() as stack:
            parts = [self._sound_part(stack, job.object_id, number, part) for number, part in enumerate(plan.parts)]
            output = self._output(stack, job.object_id, SOUND, 0)

            def came(made: Segment) -> None:
                work.at(SOUND_WORK * (made.start + made.duration) / rate, SOUND)

            described = self._describe(job.object_id, SOUND)
            result = await media.encode_sounds(self._children, parts, rate, channels, output, described, came)
            if result.problem is not None:
                raise JobFailed(result.problem.code, result.problem.detail)
            await asyncio.to_thread(os.fsync, output)

    def _sound_part(self, stack: ExitStack, id: str, number: int, part: Part) -> SoundPart:
        if part.sound is None:
            return SoundPart(part.start, part.length)
        source = _opened(stack, self._layout.video_input(id, number), os.O_RDONLY)
        return SoundPart(part.start, part.length, source, part.sound)

    async def _write(self, job: JobContext, plan: Join, work: "_Work") -> None:
        source = self._layout.video_source(job.object_id)
        made = source.with_suffix(".new")
        whole_s = WRITING_WORK * plan.length / TIMESCALE
        with ExitStack() as stack:
            parts = [self._written(stack, job.object_id, number, part) for number, part in enumerate(plan.parts)]
            sound: Coded | bool = plan.heard
            if plan.sound is not None:
                sound = self._coded(stack, job.object_id, SOUND)
            output = _opened(stack, made, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            unfinished = stack.enter_context(ExitStack())
            unfinished.callback(made.unlink, missing_ok=True)
            problem = await media.write(
                self._children, parts, sound, output, lambda share: work.at(share * whole_s, "file")
            )
            if problem is not None:
                raise JobFailed(problem.code if problem.code in TITLES else "unsupported", problem.detail)
            await asyncio.to_thread(os.fsync, output)
            unfinished.pop_all()
        await asyncio.to_thread(put_in_place, made, source)

    def _written(self, stack: ExitStack, id: str, number: int, part: Part) -> WrittenPart:
        source = _opened(stack, self._layout.video_input(id, number), os.O_RDONLY)
        coded = self._coded(stack, id, f"{number}-{joins.PICTURES}") if part.pictures is not None else None
        return WrittenPart(part.start, source, part.start_s, coded)

    def _coded(self, stack: ExitStack, id: str, name: str) -> Coded:
        init = self._layout.video_input_part(id, f"{name}-init").read_bytes()
        return Coded(init, _opened(stack, self._layout.video_input_part(id, name), os.O_RDONLY))

    def _output(self, stack: ExitStack, id: str, name: str, size: int) -> int:
        """Cut off after `size` bytes, where writing goes on."""
        output = _opened(stack, self._layout.video_input_part(id, name), os.O_RDWR | os.O_CREAT)
        os.ftruncate(output, size)
        os.lseek(output, size, os.SEEK_SET)
        return output

    def _describe(self, id: str, name: str) -> Callable[[Described], None]:
        path = self._layout.video_input_part(id, f"{name}-init")

        def describe(described: Described) -> None:
            path.write_bytes(described.init)  # a kilobyte

        return describe


class _Work:
    """How much of the job is done, in seconds of pictures."""

    def __init__(self, job: JobContext, plan: Join) -> None:
        length_s = plan.length / TIMESCALE
        self._job = job
        self._all = plan.encoded_s + (SOUND_WORK * length_s if plan.sound else 0) + WRITING_WORK * length_s
        self._done = 0.0

    def did(self, work_s: float) -> None:
        self._done += work_s
        self.at(0.0)

    def at(self, work_s: float, message: str | None = None) -> None:
        self._job.progress(min(1.0, (self._done + work_s) / self._all), message)


def keep(layout: Layout, video_id: str, plan: Join) -> None:
    """For the job. Blocks."""
    path = _path(layout, video_id)
    path.with_suffix(".new").write_bytes(plan.to_bytes())
    put_in_place(path.with_suffix(".new"), path)


def _path(layout: Layout, video_id: str) -> Path:
    return layout.video_input_part(video_id, "plan")


def _opened(stack: ExitStack, path: Path, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o640)
    stack.callback(os.close, descriptor)
    return descriptor
