"""Segments of renditions that are made when they are first asked for.

    asked for ──► kept already: read
              └─► being made: waited for, by all who ask ──► kept, and answered
    then the next few are made ahead; where it is configured, the rest too, while nobody waits

What is waited for goes before what is made ahead. A waiter has a time limit, and so many segments may be waited for at
once; who no longer waits for what was not begun takes it out of the queue.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum

from server import clock, log
from server.media.child import ChildFailed
from server.media.orders import TIMESCALE, Segment
from server.media.warm_encoder import Answer
from server.storage.layout import Layout
from server.storage.renditions import Run, RunBusyError, entry
from server.storage.segment_cache import SegmentCache, SegmentKey
from server.vod import plans
from server.vod.plan import Plan, order_of
from server.vod.warm_encoders import SourceKey, WarmEncoders

WAIT_S = 15.0  # players give up or ask again after ten to twenty
MOST_ASKED = 64  # segments that may be waited for at once: at half a second each that is half a minute of work
AHEAD = 3  # segments after one that was asked for: the player asks for them before it has shown the first
MOST_AHEAD = 64
FAILED_S = 20.0  # before one that could not be made is tried again
FAILED_KEPT = 256
PLANS_KEPT = 64
WATCHED_KEPT = 64  # renditions that are completed while nobody waits
QUIET_S = 1.0  # without a request, before the rest is made
TRIES = 2  # of a segment: a child that was warm may have ended, or met its limits

_log = log.get("vod")


class BusyError(Exception):
    """Too many wait, or it takes too long: ask again."""


class NotMadeError(Exception):
    """The segment can't be made; the text says why."""


class NoSuchSegmentError(LookupError):
    """The plan has none of that name or number."""


class Urgency(IntEnum):
    """What is made first."""

    ASKED = 0
    AHEAD = 1
    REST = 2


@dataclass(eq=False, slots=True)
class Work:
    """A segment that is to be made."""

    key: SegmentKey
    urgency: Urgency
    made: "asyncio.Future[bytes]"
    waiters: int = 0
    begun: bool = False


@dataclass(slots=True)
class Numbers:
    """For /metrics."""

    made: int = 0
    found: int = 0
    failed: int = 0
    refused: int = 0
    making_s: float = 0.0


class Requests:
    """`fill`: the rest is made too."""

    def __init__(
        self, layout: Layout, encoders: WarmEncoders, cache: SegmentCache, fill: bool = False, wait_s: float = WAIT_S
    ) -> None:
        self.cache = cache
        self.numbers = Numbers()
        self._layout = layout
        self._encoders = encoders
        self._fill = fill
        self._wait_s = wait_s
        self._works: OrderedDict[SegmentKey, Work] = OrderedDict()
        self._running: dict[Work, asyncio.Task[None]] = {}
        self._failed: OrderedDict[SegmentKey, tuple[float, str]] = OrderedDict()
        self._plans: OrderedDict[SourceKey, Plan] = OrderedDict()
        self._watched: OrderedDict[tuple[SourceKey, str], int] = OrderedDict()  # the last that was asked for
        self._asked_at = 0.0
        self._filling: asyncio.TimerHandle | None = None
        self._closing = False

    @property
    def waiting(self) -> int:
        """Segments that somebody waits for."""
        return sum(work.waiters > 0 for work in self._works.values())

    @property
    def encoders(self) -> int:
        """Children that work or are kept warm."""
        return self._encoders.alive

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ends all children with the block."""
        await asyncio.to_thread(self.cache.load)
        try:
            yield
        finally:
            self._closing = True
            if self._filling is not None:
                self._filling.cancel()
            for work in self._works.values():
                work.made.cancel()
            await self._encoders.close()
            if self._running:
                await asyncio.wait(list(self._running.values()))

    async def segment(self, key: SegmentKey) -> bytes:
        """The whole segment. Raises BusyError, NotMadeError, NoSuchSegmentError, OSError where the video is gone."""
        self._asked_at = clock.monotonic()
        plan = await self._plan(SourceKey(key.video_id, key.revision))
        if not any(rung.name == key.rendition for rung in plan.rungs) or not 0 <= key.number < len(plan.cuts) - 1:
            raise NoSuchSegmentError(f"there is no segment {key.number} of {key.rendition}")
        data = await asyncio.to_thread(self.cache.read, key) if key not in self._works else None
        if data is None:
            data = await self._waited_for(key)
        else:
            self.numbers.found += 1
        self._go_on_after(key, len(plan.cuts) - 1)
        return data

    def forget(self, video_id: str) -> None:
        """The video is gone, or is another one now."""
        self.cache.forget(video_id)
        self._encoders.forget(video_id)
        for source in [source for source in self._plans if source.video_id == video_id]:
            del self._plans[source]
        for watched in [watched for watched in self._watched if watched[0].video_id == video_id]:
            del self._watched[watched]
        for work in [work for work in self._works.values() if work.key.video_id == video_id]:
            self._fail(work, "the video is gone")

    # --- who waits

    async def _waited_for(self, key: SegmentKey) -> bytes:
        failed_at, reason = self._failed.get(key, (-FAILED_S, ""))
        if clock.monotonic() - failed_at < FAILED_S:
            raise NotMadeError(reason)
        work = self._works.get(key)
        if work is None or not work.waiters:
            if self.waiting >= MOST_ASKED:
                self.numbers.refused += 1
                raise BusyError
            work = work or self._add(key, Urgency.ASKED)
            work.urgency = Urgency.ASKED
        work.waiters += 1
        self._begin()
        try:
            return await asyncio.wait_for(asyncio.shield(work.made), self._wait_s)
        except TimeoutError:
            self.numbers.refused += 1
            raise BusyError from None
        except asyncio.CancelledError:
            if work.made.cancelled():
                raise NotMadeError("it was given up") from None
            raise
        finally:
            work.waiters -= 1
            if not work.waiters and not work.begun and self._works.get(key) is work:
                del self._works[key]

    def _add(self, key: SegmentKey, urgency: Urgency) -> Work:
        work = self._works[key] = Work(key, urgency, asyncio.get_running_loop().create_future())
        work.made.add_done_callback(lambda done: done.cancelled() or done.exception())
        return work

    # --- what is made ahead

    def _go_on_after(self, key: SegmentKey, count: int) -> None:
        rendition = SourceKey(key.video_id, key.revision), key.rendition
        self._watched[rendition] = key.number
        self._watched.move_to_end(rendition)
        if len(self._watched) > WATCHED_KEPT:
            self._watched.popitem(last=False)
        waiting = [work for work in self._works.values() if work.urgency > Urgency.ASKED and not work.begun]
        for work in waiting[: max(0, len(waiting) - MOST_AHEAD + AHEAD)]:
            del self._works[work.key]
        for number in range(key.number + 1, min(key.number + 1 + AHEAD, count)):
            following = key._replace(number=number)
            if not self.cache.has(following) and following not in self._works and following not in self._failed:
                self._add(following, Urgency.AHEAD)
        self._begin()

    def _rest(self) -> Work | None:
        """Of what was watched last, the next segment that is missing; while there is room for it."""
        for (source, name), number in reversed(self._watched.items()):
            plan = self._plans.get(source)
            if plan is None or self.cache.used > self.cache.limit * 9 // 10:
                continue
            count = len(plan.cuts) - 1
            for step in range(1, count + 1):
                key = SegmentKey(*source, name, (number + step) % count)
                if not self.cache.has(key) and key not in self._failed:
                    self._watched[source, name] = key.number
                    return self._add(key, Urgency.REST)
        return None

    # --- making

    def _begin(self) -> None:
        """Begins what there is a place for."""
        while not self._closing and len(self._running) < self._encoders.places and (work := self._next()) is not None:
            work.begun = True
            task = asyncio.ensure_future(self._run(work))
            self._running[work] = task
            task.add_done_callback(lambda _, work=work: self._ended(work))  # type: ignore[misc]

    def _next(self) -> Work | None:
        queued = [work for work in self._works.values() if not work.begun]
        asked = next((work for work in queued if work.urgency == Urgency.ASKED), None)
        if asked is not None:
            return asked
        if self._running:
            return None  # who waits has the machine to himself
        if queued:
            return min(queued, key=lambda work: work.urgency)
        return self._rest_if_quiet()

    def _rest_if_quiet(self) -> Work | None:
        if not self._fill or not self._watched:
            return None
        quiet_s = clock.monotonic() - self._asked_at
        if quiet_s >= QUIET_S:
            return self._rest()
        if self._filling is None:
            self._filling = asyncio.get_running_loop().call_later(QUIET_S, self._wake)
        return None

    def _wake(self) -> None:
        self._filling = None
        self._begin()

    def _ended(self, work: Work) -> None:
        del self._running[work]
        if self._works.get(work.key) is work:
            del self._works[work.key]
        if not work.made.done():
            work.made.cancel()
        self._begin()

    async def _run(self, work: Work) -> None:
        began = clock.monotonic()
        try:
            if (kept := await asyncio.to_thread(self.cache.read, work.key)) is not None:
                work.made.set_result(kept)
                return
            plan = await self._plan(SourceKey(work.key.video_id, work.key.revision))
            await self._make(work, plan, began)
        except (ChildFailed, NotMadeError) as error:
            _log.warning("a segment was not made", segment="/".join(map(str, work.key)), reason=str(error))
            self._fail(work, str(error))
        except (OSError, ValueError, LookupError, RunBusyError) as error:
            _log.warning("a segment can't be made", segment="/".join(map(str, work.key)), reason=str(error))
            self._fail(work, "the server can't make it now")

    async def _make(self, work: Work, plan: Plan, began: float) -> None:
        """Whoever waits has it once it is whole; it is kept after that. Never cancelled: threads write in its files."""
        run = await asyncio.to_thread(self.cache.begin, work.key)
        with run:
            segment = await self._encoded(work, plan, run)
            data = await asyncio.to_thread(os.pread, run.descriptor, segment.size, 0)
            if len(data) != segment.size:
                raise NotMadeError("the child said more than it wrote")
            self.numbers.made += 1
            self.numbers.making_s += clock.monotonic() - began
            if not work.made.done():
                work.made.set_result(data)
            told = entry(segment.number, segment.start, segment.duration, TIMESCALE, segment.size)
            await asyncio.to_thread(self.cache.add, work.key, run, told)
        self._encoders.prepare()

    async def _encoded(self, work: Work, plan: Plan, run: Run) -> Segment:
        key = work.key
        rung = next(each for each in plan.fitted if each.name == key.rendition)
        cuts = plan.cuts[key.number : key.number + 2]
        order = order_of(plan, key.number, cuts, [rung])
        source, marked = SourceKey(key.video_id, key.revision), plan.treatment.watermark is not None
        for left in reversed(range(TRIES)):
            try:
                async with self._encoders.lent(source, plan.pictures, cuts[0], marked) as encoder:
                    answer = await encoder.make(order, {rung.name: run.descriptor})
                return await self._checked(key, answer)
            except ChildFailed:
                if not left or work.made.done():
                    raise
                os.ftruncate(run.descriptor, 0)
                os.lseek(run.descriptor, 0, os.SEEK_SET)
        raise AssertionError

    async def _checked(self, key: SegmentKey, answer: Answer) -> Segment:
        if answer.problem is not None:
            raise NotMadeError(answer.problem.detail)
        segment, described = answer.segments.get(key.rendition), answer.described.get(key.rendition)
        if segment is None or described is None or segment.number != key.number:
            raise NotMadeError("the child made another segment")
        init = self._layout.made(key.video_id, key.revision, key.rendition).init
        if await asyncio.to_thread(init.read_bytes) != described.init:
            raise NotMadeError("its encoder is set otherwise than that of the init segment")
        return segment

    def _fail(self, work: Work, reason: str) -> None:
        self.numbers.failed += 1
        self._failed[work.key] = clock.monotonic(), reason
        self._failed.move_to_end(work.key)
        if len(self._failed) > FAILED_KEPT:
            self._failed.popitem(last=False)
        if not work.made.done():
            work.made.set_exception(NotMadeError(reason))
        if not work.begun and self._works.get(work.key) is work:
            del self._works[work.key]

    async def _plan(self, source: SourceKey) -> Plan:
        """Raises OSError where there is none."""
        plan = self._plans.get(source)
        if plan is None:
            plan = await asyncio.to_thread(plans.read, self._layout, *source)
            if plan.on_request is None or plan.on_request.look is None:
                raise NoSuchSegmentError("nothing of it is made on request")
            self._plans[source] = plan
            if len(self._plans) > PLANS_KEPT:
                self._plans.popitem(last=False)
        return plan
