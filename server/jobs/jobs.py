"""The port: who has work to do orders it here, who does it registers here.

    enqueue ── commit ──► dispatcher ── claims for free places ──► engine ──► _work ── run ──► endings
                              ▲ every minute, for what nobody woke it for         │ cut off by a stop or a crash: waits
                              └ a place became free                               └ again, with the steps it finished

A row is claimed before its job begins, and whoever claimed it alone ends it. What a process that died had claimed is
freed by the next one.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Set
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from server import clock, log
from server.catalog import faults
from server.catalog import jobs as rows
from server.catalog.database import Database, Transaction
from server.catalog.models import Job
from server.jobs.context import JobContext
from server.jobs.endings import Endings, Kind, OnFailed, OnRedrive, Run
from server.jobs.errors import CANCELLED, CRASHING, INTERNAL, UNKNOWN, JobFailed, StepsChanged
from server.jobs.numbers import Numbers
from server.jobs.orders import WAITING
from server.jobs.priorities import LANES, Lane, Places, Priority
from server.jobs.takeover import TakeOver
from server.jobs.turns import Turns
from server.jobs.watch import Begun, Watch

MAX_ATTEMPTS = 5  # after so many crashes of the server in the middle of one job, it is the job; a bad night is fewer
MAX_BEGUN = 1000  # of a lane, with those that sleep; the others wait in their table
RECONCILE_S = 60.0
DRAIN_S = 5.0  # for what is cut off to clean up, such as killing its child processes
RETRY_S = 5.0  # after a fault in beginning jobs
GIVE_BACK_S = 30.0  # until a job that the database stopped is begun again
SWEEP_S = 3600.0


_log = log.get("jobs")


class Jobs:
    """The jobs of one process: construct, register, and enter `running`."""

    def __init__(self, database: Database, places: Places, helping: bool = False) -> None:
        """`helping`: beside a server, which has all kinds and is the one that fails those that nobody knows."""
        from server.jobs.engine import Engine  # half a second, which only a server has to spend

        self.worker = database.process
        self._database = database
        self._engine = Engine(database.engine.url, self.worker, self._work)
        self._kinds: dict[str, Kind] = {}
        self._endings = Endings(database, self.worker, self._kinds)
        self._begun: dict[str, Begun] = {}
        self._returned: set[str] = set()  # ended here and not in their rows: to be given back
        self._wake = asyncio.Event()
        self._busy = asyncio.Event()  # something is begun
        self._lanes: dict[Lane, Turns] = {lane: Turns(places.get(lane, 0), self._wake.set) for lane in LANES}
        self._swept_at = clock.monotonic()
        self._stopping = False
        self._helping = helping
        self.numbers = Numbers()
        self.failed = 0
        self.retried = 0  # begun again after a crash
        self._take_over = TakeOver(database, self.worker, WAITING)
        self._watch = Watch(database, self.worker, self._begun, self._busy)
        database.on_commit(self._heard)

    def register(
        self,
        kind: str,
        run: Run,
        on_failed: OnFailed | None = None,
        lane: Lane = "encode",
        priority: Priority = Priority.NORMAL,
        on_redrive: OnRedrive | None = None,
    ) -> None:
        """Before `running`. `on_failed` is called in the transaction that ends a job as failed: it writes what this
        means for the job's object there, and opens no transaction of its own. `on_redrive` likewise, before one that
        has failed runs again: it opens the object once more, or raises NotAgain."""
        if kind in self._kinds:
            raise ValueError(f"jobs of kind {kind} are registered already")
        self._kinds[kind] = Kind(run, on_failed, lane, priority, on_redrive)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Takes orders, and goes on with what was left; at the end of the block what runs is cut off, and waits."""
        if not self._database.shared:
            await self._take_over.all_dead()
        async with self._engine.launched():
            loops = [self._dispatch(), self._watch.run(), *([self._take_over.run()] if self._database.shared else [])]
            tasks = [asyncio.create_task(loop) for loop in loops]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                await self._drain()

    async def enqueue(
        self,
        transaction: Transaction,
        project_id: str,
        kind: str,
        object_id: str,
        arguments: Mapping[str, Any] | None = None,
        priority: Priority | None = None,
    ) -> str:
        """Orders work; it begins with the commit of the transaction. The job's id. `priority`: else its kind's."""
        known = self._kinds.get(kind)
        if known is None:
            raise ValueError(f"there are no jobs of kind {kind}")
        rank = known.priority if priority is None else priority
        job = await rows.add(transaction, project_id, kind, object_id, dict(arguments or {}), known.lane, rank)
        transaction.announce(WAITING)
        return job.id

    async def list(self, project_id: str, object_id: str | None = None, limit: int = 100) -> "list[Job]":
        """Newest first; `catalog.jobs.state` tells what became of one."""
        async with self._database.read() as transaction:
            return await rows.of_project(transaction, project_id, object_id, limit)

    async def cancel(self, job_id: str) -> bool:
        """Ends a job as failed with the code `cancelled`; False if it has ended already. Not in a transaction.

        One that runs here has ended with its children on return; another process ends one of its own in a second.
        """
        begun = self._begun.get(job_id)
        if begun is None or begun.task is None:
            if begun is not None:
                begun.cut = "lost"
            return await self._endings.fail(job_id, JobFailed(CANCELLED, "cancelled"))
        if begun.ending:
            return False
        begun.cut = "cancelled"
        begun.task.cancel()
        await asyncio.wait([begun.task])
        return True

    async def cancel_of(self, object_id: str, but: Collection[str] = ()) -> int:
        """Cancels all jobs about an object `but` those of some kinds, first those that wait: how many had not ended."""
        async with self._database.read() as transaction:
            found = await rows.unfinished_of(transaction, object_id, but)
        found.sort(key=lambda job_id: job_id in self._begun)
        return sum([await self.cancel(job_id) for job_id in found])

    async def redrive(self, job_id: str) -> None:
        """Runs a failed job again from its first step. Raises LookupError unless it has failed, and NotAgain where
        that would do nothing."""
        async with self._database.read() as transaction:
            job = await rows.get(transaction, job_id)
        if job is None or rows.state(job) != "failed":
            raise LookupError(f"there is no failed job {job_id}")
        if (begun := self._begun.get(job_id)) and begun.task:
            await asyncio.wait([begun.task])  # its end is in the row, and not yet in the engine
        await self._engine.forget([job_id])
        async with self._database.write() as transaction:
            job = await rows.locked(transaction, job_id)
            if job is None or rows.state(job) != "failed":
                return  # redriven by another at the same time
            kind = self._kinds.get(job.kind)
            if kind is not None and kind.on_redrive is not None:
                await kind.on_redrive(transaction, job)
            await rows.reopen(transaction, job)
            transaction.announce(WAITING)

    @property
    def active(self) -> int:
        """Jobs of this process that run or sleep."""
        return len(self._begun)

    @property
    def taken_over(self) -> int:
        """Jobs of processes that died."""
        return self._take_over.count

    # --- beginning

    def _heard(self, changed: Set[str]) -> None:
        if WAITING in changed:
            self._wake.set()

    async def _dispatch(self) -> None:
        """Woken by commits and by places that become free; the clock is for what nobody woke it for."""
        while True:
            self._wake.clear()
            try:
                await self._begin_waiting()
                await self._sweep()
            except Exception as error:
                faults.tell(_log, "can't begin jobs now", error)
                await asyncio.sleep(RETRY_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(RECONCILE_S):
                    await self._wake.wait()

    async def _begin_waiting(self) -> None:
        """As many as there are places for."""
        if self._returned:
            async with self._database.write() as transaction:
                await rows.give_back(transaction, self.worker, tuple(self._returned))
            self._returned.clear()
        for lane, turns in self._lanes.items():
            while turns.free and self._in(lane) < MAX_BEGUN:
                if not await self._begin_one(lane, turns):
                    break

    def _in(self, lane: Lane) -> int:
        return sum(begun.job.lane == lane for begun in self._begun.values())

    async def _begin_one(self, lane: Lane, turns: Turns) -> bool:
        turn = turns.turn()
        await turn.take()
        try:
            async with self._database.write() as transaction:
                suspects, kinds = not self._suspect_runs, self._kinds.keys() if self._helping else None
                job = await rows.claim(transaction, self.worker, lane, suspects, kinds)
        except BaseException:
            turn.leave()
            raise
        if job is None:
            turn.leave(used=False)
            return False
        self.retried += job.attempts > 1
        if job.attempts == 1:
            self.numbers.waited_s.add((clock.now() - job.created_at).total_seconds(), job.kind)
        await self._begin(Begun(job, turn, suspect=job.attempts > 1))
        return True

    @property
    def _suspect_runs(self) -> bool:
        """One of them may be the reason; were they resumed together, all would have used up their attempts with it."""
        return any(begun.suspect and begun.turn.placed for begun in self._begun.values())

    async def _begin(self, begun: Begun) -> None:
        self._begun[begun.job.id] = begun
        self._busy.set()
        try:
            await self._engine.start(begun.job.id)
        except BaseException:
            if begun.task is None:
                self._ended(begun)
            raise

    def _ended(self, begun: Begun) -> None:
        begun.turn.leave()
        del self._begun[begun.job.id]
        if not begun.over:
            self._returned.add(begun.job.id)
        if not self._begun:
            self._busy.clear()
        self._wake.set()

    # --- running

    async def _work(self, job_id: str) -> None:
        """The workflow's body. It returns when the row says how the job ended."""
        begun = self._begun.get(job_id)
        task = asyncio.current_task()
        assert task is not None
        if begun is None or begun.task is not None:
            raise asyncio.CancelledError  # the engine found it by itself; it is begun when it is claimed
        begun.task = task
        task.add_done_callback(lambda _: self._ended(begun))
        began_s = clock.monotonic()
        structlog.contextvars.bind_contextvars(job=job_id, kind=begun.job.kind, object=begun.job.object_id)
        try:
            if self._stopping or begun.cut:
                raise asyncio.CancelledError
            failure = await self._run(begun)
        except asyncio.CancelledError:
            failure = self._why_cut_off(begun, task)
        begun.ending = True
        self.failed += failure is not None
        self.numbers.ended(begun.job.kind, clock.monotonic() - began_s, failure)
        await self._endings.end(job_id, failure)
        begun.over = True
        begun.turn.leave()

    def _why_cut_off(self, begun: Begun, task: asyncio.Task[Any]) -> JobFailed:
        """Raises again what is no failure of the job."""
        if begun.cut == "cancelled" and not self._stopping:
            task.uncancel()
            return JobFailed(CANCELLED, "cancelled while it ran")
        if begun.cut == "lost":
            begun.over = True
            raise asyncio.CancelledError
        if task.cancelling() or self._stopping:
            raise asyncio.CancelledError  # the process stops; the job goes on in another
        return JobFailed(INTERNAL, "it was cut off from within")

    async def _run(self, begun: Begun) -> JobFailed | None:
        """Why it failed, if it did."""
        job = begun.job
        kind = self._kinds.get(job.kind)
        if kind is None:
            return JobFailed(UNKNOWN, f"there are no jobs of kind {job.kind}")
        if job.attempts > MAX_ATTEMPTS:
            return JobFailed(CRASHING, f"the server ended {MAX_ATTEMPTS} times while it ran")
        try:
            await kind.run(self._context(begun))
        except JobFailed as failure:
            _log.warning("a job failed", code=failure.code, detail=failure.detail, exc_info=failure.__cause__)
            return failure
        except faults.REFUSALS as fault:  # from the engine, as the next: what steps raise is a JobFailed
            _log.warning("a job can't go on, it is begun again in a while", reason=faults.reason(fault))
            await asyncio.sleep(GIVE_BACK_S)
            raise
        except StepsChanged:
            raise
        except Exception as error:
            _log.exception("a job failed outside its steps")
            return JobFailed(INTERNAL, f"{type(error).__name__}: {error}")
        return None

    def _context(self, begun: Begun) -> JobContext:
        def report(fraction: float, message: str | None) -> None:
            begun.progress.report(fraction, message, clock.monotonic())

        job = begun.job
        return JobContext(
            job.id, job.project_id, job.object_id, job.arguments, job.attempts, self._engine, begun.turn, report
        )

    # --- ending

    async def _drain(self) -> None:
        """Cuts off what runs. That attempt doesn't count, for the job did nothing wrong."""
        self._stopping = True
        claimed = {*self._begun, *self._returned}
        for begun in self._begun.values():
            if begun.task is not None:
                begun.task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while self._begun:
                    self._wake.clear()
                    await self._wake.wait()
        for job_id in self._begun:
            _log.warning("a job does not stop", job=job_id)
        try:
            async with self._database.write() as transaction:
                await rows.give_back(transaction, self.worker, tuple(claimed))
                transaction.announce(WAITING)
        except faults.REFUSALS as fault:
            _log.warning("the stop of jobs can't be written", reason=faults.reason(fault))

    async def _sweep(self) -> None:
        """Now and then: what the engine remembers of jobs that ended. Their rows go with others (app.sweeping)."""
        if clock.monotonic() - self._swept_at < SWEEP_S:
            return
        self._swept_at = clock.monotonic()
        await self._engine.forget_ended()
