"""The job of an edit: the file that a version or a new video is made of, from the files it was ordered of.

    edit   {"inputs": how many, "start", "end": seconds, null: all of it, "parts": what is done to each of several,
            "stretches": of the only one: [start, end] of each, "at": which of several it is a version of}

Each stretch is made a file of its own first, then they are joined as any others; of files that can't hide what comes
before a stretch, pictures and sound are encoded from its very start.

Then it goes on as any upload. What it is made of is copied, so that it needs nobody else's bytes: a clip of a minute
keeps a minute, whatever becomes of the film. Several that can't be copied one after the other go on to the job `join`.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal

from server import log
from server.catalog import videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Job
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed
from server.jobs.orders import Enqueue
from server.media import calls
from server.media import joins as media
from server.media.child import ChildFailed, Children
from server.media.facts import SourceFacts
from server.media.problems import MediaProblem
from server.media.splicing import Refused, Spliced, Stretch, splice
from server.storage.layout import Layout
from server.storage.room import Room
from server.vod import embedded, joining, joins, making, waiting
from server.vod.alterations import Alteration
from server.vod.carrying import Told, earlier
from server.vod.edits import JOB, WHOLE
from server.vod.handing import Handing, put_in_place
from server.vod.lengthening import Lengthening
from server.vod.recordings import NotKept, Recordings

ATTEMPTS = 2

AS_IT_IS = {"starts": [0.0], "lead": 0.0}

__all__ = ["JOB", "Editing"]

_log = log.get("vod")


class Editing:
    """Register `run` and `failed` for JOB."""

    def __init__(
        self, database: Database, layout: Layout, children: Children, enqueue: Enqueue, preset: str = "veryfast",
        threads: int = 0, room: Room | None = None, recordings: Recordings | None = None,
    ) -> None:  # fmt: skip
        """`preset` and `threads` of what is encoded; `room` is kept to by all that is written. Where there are no
        `recordings`, no edits are run either."""
        self._database = database
        self._recordings = recordings
        self._layout = layout
        self._children = children
        self._preset = preset
        self._threads = threads
        self._room = room or Room(layout.root, 0)
        self._enqueue = enqueue
        self._handing = Handing(database, layout, enqueue)
        self._lengthening = Lengthening(database, layout)

    async def run(self, job: JobContext) -> None:
        for number, video_id in sorted(job.arguments.get("recordings", {}).items()):
            await waiting.step(job, f"recording {number}", partial(self._recorded, job, number, video_id), ATTEMPTS)
        texts: Sequence[Told] = job.arguments.get("texts", [])
        leads: list[float] = []
        if spans := job.arguments.get("stretches"):
            found_leads = await self._stretches(job, spans)
            if found_leads is None:
                return
            leads = found_leads
        if _inputs_of(job) > 1:
            found = await job.step("look", lambda: self._look(job, texts, leads), attempts=ATTEMPTS)
            if found != "copied":
                return
        texts = earlier(texts, leads) if leads else texts
        if job.arguments.get("whole"):
            await job.step("texts of the whole", lambda: self._embedded(job), attempts=ATTEMPTS)
        made = await waiting.step(job, "file", lambda: self._make(job), ATTEMPTS)
        if made is None:
            return
        await self._lengthening.joined(job, texts, made["starts"], made["lead"])
        await job.step("hand over", lambda: self._hand_over(job.object_id, made["lead"]))

    async def failed(self, transaction: Transaction, job: Job, failure: JobFailed) -> None:
        _log.error("an edit failed", video=job.object_id, error=failure.text)
        video = await videos.find(transaction, job.object_id)
        if video is not None and video.state in making.UNFINISHED:
            await making.fail(transaction, video, making.GAVE_UP)

    async def _stretches(self, job: JobContext, spans: Sequence[tuple[float, float | None]]) -> list[float] | None:
        """A file of each stretch; how much too early each begins, in seconds. None where one can't be had."""
        leads: list[float] = []
        for number, span in enumerate(spans):
            lead_s: float | None = await waiting.step(
                job, f"stretch {number}", partial(self._stretch, job, number, span), ATTEMPTS
            )
            if lead_s is None:
                return None
            leads.append(lead_s)
        return leads

    async def _stretch(self, job: JobContext, number: int, span: tuple[float, float | None]) -> float | None:
        """Raises ChildFailed, NoRoomError."""
        id, path = job.object_id, self._layout.video_input(job.object_id, number)
        whole, made = self._layout.video_input_part(id, WHOLE), self._layout.video_input_part(id, "stretch")
        if not whole.exists():
            return None  # deleted
        share = len(job.arguments["stretches"])
        times = span[0], span[1]
        result = await self._splice([whole], times, made, lambda done: job.progress((number + done) / share))
        if isinstance(result, Refused):
            detail = f"trim[{number}]: {result.problem.detail}"
            await self._handing.refuse(id, MediaProblem("unsupported", detail))
            return None
        await asyncio.to_thread(put_in_place, made, path)
        return result.lead_s

    async def _look(
        self, job: JobContext, texts: Sequence[Told], leads: Sequence[float]
    ) -> Literal["copied", "encoded", "refused"]:
        """How they can be joined; the job that encodes some is ordered, one that can't be has failed. `leads`: of
        stretches, how much too early each begins, in seconds."""
        id = job.object_id
        unaltered = {"crop": None, "watermark": None}
        parts_told = job.arguments.get("parts") or [unaltered] * _inputs_of(job)
        altered = [Alteration.of_columns(**each) for each in parts_told]
        try:
            with ExitStack() as stack:
                sources = [_opened(stack, path) for path in self._inputs(job)]
                parts = await media.look(self._children, sources)
                if isinstance(parts, Refused):
                    raise joins.CantJoin(parts.stretch, parts.problem.detail)
                if leads:
                    parts = joins.trimmed(parts, job.arguments["stretches"], leads)
                if joins.alike(parts, altered):
                    return "copied"
                facts = [await self._facts(number, source) for number, source in enumerate(sources)]
            plan = joins.order(parts, facts, altered, self._preset, self._threads)
            await asyncio.to_thread(self._check_room, plan, self._inputs(job))
        except joins.CantJoin as error:
            detail = f"{_name_of(job)}[{error.part}]: {error.detail}"
            await self._handing.refuse(id, MediaProblem("unsupported", detail))
            return "refused"
        except FileNotFoundError:
            return "refused"  # deleted meanwhile, or handed over before a crash
        await asyncio.to_thread(joining.keep, self._layout, id, plan)
        at = {name: job.arguments[name] for name in ("at",) if name in job.arguments}
        await self._handing.over(id, joining.JOB, {"texts": texts, **at})
        return "encoded"

    async def _recorded(self, job: JobContext, number: str, video_id: str) -> None:
        """What a live stream left, as a file like the others. Raises NoRoomError."""
        path = self._layout.video_input(job.object_id, int(number))
        async with self._database.read() as transaction:
            video = await videos.find(transaction, video_id)
        try:
            if video is None or self._recordings is None:
                raise NotKept("it was deleted")
            await self._recordings.save(video, path)
        except NotKept as error:
            await self._handing.refuse(job.object_id, MediaProblem("unsupported", f"videos[{number}]: {error}"))

    async def _facts(self, number: int, source: int) -> SourceFacts:
        """Raises CantJoin, ChildFailed."""
        with calls.memory_file("index") as index:
            found = await calls.examine(self._children, source, index)
        if found.facts is None:
            raise joins.CantJoin(number, found.problem.detail if found.problem else "it can't be read")
        return found.facts

    def _check_room(self, plan: joins.Join, inputs: Sequence[Path]) -> None:
        """For what is encoded, and for the whole. Raises CantJoin."""
        needed = 2 * plan.most_bytes + sum(path.stat().st_size for path in inputs)
        free = self._room.bytes
        if needed > free:
            raise joins.CantJoin(0, f"joining may take {needed >> 20} MiB of disk, and {max(0, free) >> 20} are free")

    def _inputs(self, job: JobContext) -> list[Path]:
        """What is joined, or made into a file alone."""
        return [self._layout.video_input(job.object_id, number) for number in range(_inputs_of(job))]

    async def _embedded(self, job: JobContext) -> None:
        """Of a file that is trimmed as it comes, what it says in words: nothing else is made of the whole."""
        with ExitStack() as stack:
            try:
                source = _opened(stack, self._inputs(job)[0])
                index = stack.enter_context(calls.memory_file("index"))
                found = await calls.examine(self._children, source, index)
            except (FileNotFoundError, ChildFailed):
                return  # deleted; or it can't be read, which is said when it is trimmed
        if found.facts is None:
            return
        async with self._database.write() as transaction:
            video = await videos.find(transaction, job.arguments["whole"])
            order = embedded.order(video.source_revision, found.facts) if video is not None else None
            if video is not None and order is not None:
                await self._enqueue(transaction, video.project_id, embedded.JOB, video.id, order)

    async def _make(self, job: JobContext) -> dict[str, Any] | None:
        """When each of the inputs begins, and what comes before; None where nothing is made. Raises NoRoomError."""
        id, inputs = job.object_id, self._inputs(job)
        source = self._layout.video_source(id)
        if not inputs[0].exists():
            return None  # deleted
        if len(inputs) == 1 and job.arguments["start"] is None:
            await asyncio.to_thread(_linked, inputs[0], source)
            return AS_IT_IS
        span = job.arguments["start"] or 0.0, job.arguments["end"]
        made = source.with_suffix(".new")
        try:
            result = await self._splice(inputs, span, made, job.progress)
        except BaseException:
            made.unlink(missing_ok=True)
            raise
        if isinstance(result, Refused):
            await asyncio.to_thread(made.unlink)
            where = f"{_name_of(job)}[{result.stretch}]: " if len(inputs) > 1 else ""
            await self._handing.refuse(id, MediaProblem("unsupported", where + result.problem.detail))
            return None
        await asyncio.to_thread(put_in_place, made, source)
        return {"starts": list(result.starts_s), "lead": result.lead_s}

    async def _splice(
        self, inputs: Sequence[Path], span: tuple[float, float | None], made: Path, on_progress: Callable[[float], None]
    ) -> Spliced | Refused:
        """How much a part of one file takes is not known before. Raises ChildFailed, NoRoomError."""
        with ExitStack() as stack:
            stretches = [_stretch(stack, path, *span) for path in inputs]
            await asyncio.to_thread(self._room.check, sum(each.size for each in stretches) if len(inputs) > 1 else 0)
            output = os.open(made, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
            stack.callback(os.close, output)
            try:
                result = await splice(self._children, stretches, output, on_progress)
            except ChildFailed:
                await asyncio.to_thread(self._room.check)  # a full disk looks like that too
                raise
            if isinstance(result, Refused):
                await asyncio.to_thread(self._room.check)
            else:
                await asyncio.to_thread(os.fsync, output)
        return result

    async def _hand_over(self, video_id: str, lead_s: float) -> None:
        """From here on it is as any upload."""
        await self._handing.over(video_id, lead_s=lead_s)
        await self._handing.clear(video_id)


def _inputs_of(job: JobContext) -> int:
    return len(job.arguments.get("stretches", ())) or int(job.arguments["inputs"])


def _name_of(job: JobContext) -> str:
    """Of the list in the order that they come from."""
    return "trim" if "stretches" in job.arguments else "videos"


def _linked(path: Path, source: Path) -> None:
    """The input stays until all is done: what a crash cuts off finds it again. Blocks."""
    temporary = source.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    os.link(path, temporary)
    put_in_place(temporary, source)


def _opened(stack: ExitStack, path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return descriptor


def _stretch(stack: ExitStack, path: Path, start_s: float, end_s: float | None) -> Stretch:
    descriptor = _opened(stack, path)
    return Stretch(descriptor, os.fstat(descriptor).st_size, start_s, end_s)
