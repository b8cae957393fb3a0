"""The port: who has work to do orders it here, who does it registers here.

    enqueue ── commit ──► dispatcher ── a place is free ──► engine ──► _work ── run ──► endings
                              ▲ every minute, for what a crash left           │ cut off by a stop or a crash:
                              └ a place became free                           └ the engine resumes it at the next start
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError

from server import clock, log
from server.catalog import jobs as rows
from server.catalog.database import Database, Transaction
from server.catalog.models import Job
from server.jobs.context import JobContext
from server.jobs.endings import Endings, Kind, OnFailed, Run
from server.jobs.errors import CANCELLED, CRASHING, INTERNAL, UNKNOWN, JobFailed, StepsChanged
from server.jobs.turns import Turn, Turns

MAX_ATTEMPTS = 5  # after so many crashes of the server in the middle of one job, it is the job; a bad night is fewer
MAX_BEGUN = 1000  # with those that sleep; the others wait in their table
RECONCILE_S = 60.0
RESUME_FIRST_S = 3.0  # the engine takes a tenth
DRAIN_S = 5.0  # for what is cut off to clean up, such as killing its child processes
RETRY_S = 5.0  # after a fault in beginning jobs
GIVE_BACK_S = 30.0  # until a job that the database stopped is begun again
SWEEP_S = 3600.0
KEEP = timedelta(days=30)  # rows of jobs that ended

_log = log.get("jobs")

@dataclass(slots=True)
class Begun:
    """A job that was handed to the engine, until it ended here."""

    turn: Turn
    resumed: bool = False
    task: asyncio.Task[Any] | None = None  # None: on its way through the engine
    counted: bool = False  # as an attempt
    cancelled: bool = False
    ending: bool = False


class Jobs:
    """The jobs of one process: construct, register, and enter `running`."""

    def __init__(self, database: Database, concurrency: int) -> None:
        from server.jobs.engine import Engine  # half a second, which only a server has to spend

        self._database = database
        self._engine = Engine(database.engine.url, self._work)
        self._kinds: dict[str, Kind] = {}
        self._endings = Endings(database, self._kinds)
        self._begun: dict[str, Begun] = {}
        self._wake = asyncio.Event()
        self._turns = Turns(concurrency, self._wake.set)
        self._suspects: set[str] = set()  # the server died while they ran
        self._swept_at = clock.monotonic()
        self._stopping = False

    def register(self, kind: str, run: Run, on_failed: OnFailed | None = None) -> None:
        """Before `running`. `on_failed` is called in the transaction that ends a job as failed: it writes what this
        means for the job's object there, and opens no transaction of its own."""
        if kind in self._kinds:
            raise ValueError(f"jobs of kind {kind} are registered already")
        self._kinds[kind] = Kind(run, on_failed)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Resumes what was left, and takes orders; at the end of the block what runs is cut off, to be resumed."""
        async with self._database.read() as transaction:
            self._suspects |= await rows.suspects(transaction)
        async with self._engine.launched():
            dispatching = asyncio.create_task(self._dispatch())
            try:
                yield
            finally:
                dispatching.cancel()
                with suppress(asyncio.CancelledError):
                    await dispatching
                await self._drain()

    async def enqueue(
        self,
        transaction: Transaction,
        project_id: str,
        kind: str,
        object_id: str,
        arguments: Mapping[str, Any] | None = None,
    ) -> str:
        """Orders work; it begins with the commit of the transaction. The job's id."""
        if kind not in self._kinds:
            raise ValueError(f"there are no jobs of kind {kind}")
        job = await rows.add(transaction, project_id, kind, object_id, dict(arguments or {}))
        transaction.after_commit(self._wake.set)
        return job.id

    async def list(self, project_id: str, object_id: str | None = None, limit: int = 100) -> "list[Job]":
        """Newest first; `catalog.jobs.state` tells what became of one."""
        async with self._database.read() as transaction:
            return await rows.of_project(transaction, project_id, object_id, limit)

    async def cancel(self, job_id: str) -> bool:
        """Ends a job as failed with the code `cancelled`; False if it has ended already. Not in a transaction."""
        begun = self._begun.get(job_id)
        if begun is not None and begun.task is not None:
            if begun.ending:
                return False
            begun.cancelled = True
            begun.task.cancel()
            await asyncio.wait([begun.task])
            return True
        return await self._endings.fail(job_id, JobFailed(CANCELLED, "cancelled before it began"))

    async def redrive(self, job_id: str) -> None:
        """Runs a failed job again from its first step. Raises LookupError unless it has failed."""
        async with self._database.read() as transaction:
            job = await rows.get(transaction, job_id)
        if job is None or rows.state(job) != "failed":
            raise LookupError(f"there is no failed job {job_id}")
        if (begun := self._begun.get(job_id)) and begun.task:
            await asyncio.wait([begun.task])  # its end is in the row, and not yet in the engine
        await self._engine.forget([job_id])
        async with self._database.write() as transaction:
            job = await rows.get(transaction, job_id)
            if job is None or rows.state(job) != "failed":
                return  # redriven by another at the same time
            await rows.reopen(transaction, job)
            transaction.after_commit(self._wake.set)

    @property
    def active(self) -> int:
        """Jobs that run or sleep."""
        return len(self._begun)

    # --- beginning

    async def _dispatch(self) -> None:
        """Woken by commits and by places that become free; the clock is for what nobody woke it for."""
        with suppress(TimeoutError):  # what was left is older than what waits
            async with asyncio.timeout(RESUME_FIRST_S):
                await self._engine.settled.wait()
        while True:
            self._wake.clear()
            try:
                await self._begin_waiting()
                await self._sweep()
            except Exception:
                _log.exception("can't begin jobs now")
                await asyncio.sleep(RETRY_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(RECONCILE_S):
                    await self._wake.wait()

    async def _begin_waiting(self) -> None:
        """Oldest first, while there are places."""
        while not self._turns.taken and len(self._begun) < MAX_BEGUN:
            async with self._database.read() as transaction:
                job_id = await rows.oldest_waiting(transaction, {*self._begun, *self._engine.recovering})
            if job_id is None:
                return
            await self._begin(job_id)

    async def _begin(self, job_id: str) -> None:
        begun = Begun(self._turns.turn())
        self._begun[job_id] = begun
        try:
            await begun.turn.take()
            await self._engine.start(job_id)
        except BaseException:
            if begun.task is None:
                self._ended(job_id, begun)
            raise

    def _ended(self, job_id: str, begun: Begun) -> None:
        begun.turn.leave()
        del self._begun[job_id]
        self._wake.set()

    # --- running

    async def _work(self, job_id: str) -> None:
        """The workflow's body. It returns when the row says how the job ended."""
        begun = self._begun.setdefault(job_id, Begun(self._turns.turn(), resumed=True))
        task = asyncio.current_task()
        assert task is not None
        begun.task = task
        task.add_done_callback(lambda _: self._ended(job_id, begun))
        if self._stopping:
            raise asyncio.CancelledError
        structlog.contextvars.bind_contextvars(job=job_id)
        try:
            failure = await self._run(job_id, begun)
        except asyncio.CancelledError:
            failure = self._why_cut_off(begun, task)
        except OperationalError as fault:
            _log.warning("a job can't go on, it is begun again in a while", reason=str(fault.orig))
            await asyncio.sleep(GIVE_BACK_S)
            raise
        begun.ending = True
        await self._endings.end(job_id, failure)
        begun.turn.leave()

    def _why_cut_off(self, begun: Begun, task: asyncio.Task[Any]) -> JobFailed:
        """Raises again what is no failure of the job."""
        if begun.cancelled and not self._stopping:
            task.uncancel()
            return JobFailed(CANCELLED, "cancelled while it ran")
        if task.cancelling():
            raise asyncio.CancelledError  # the server stops; the job is resumed at the next start
        return JobFailed(INTERNAL, "it was cut off from within")

    async def _run(self, job_id: str, begun: Begun) -> JobFailed | None:
        """Why it failed, if it did."""
        await begun.turn.take(alone=begun.resumed and job_id in self._suspects)
        job = await self._count_attempt(job_id)
        if job is None:
            return None
        begun.counted = True
        kind = self._kinds.get(job.kind)
        if kind is None:
            return JobFailed(UNKNOWN, f"there are no jobs of kind {job.kind}")
        if begun.resumed and job.attempts > MAX_ATTEMPTS:
            return JobFailed(CRASHING, f"the server ended {MAX_ATTEMPTS} times while it ran")
        structlog.contextvars.bind_contextvars(kind=job.kind, object=job.object_id)
        try:
            await kind.run(self._context(job, begun))
        except JobFailed as failure:
            _log.warning("a job failed", code=failure.code, detail=failure.detail, exc_info=failure.__cause__)
            return failure
        except (OperationalError, StepsChanged):
            raise  # from the engine: what steps raise is a JobFailed
        except Exception as error:
            _log.exception("a job failed outside its steps")
            return JobFailed(INTERNAL, f"{type(error).__name__}: {error}")
        return None

    def _context(self, job: Job, begun: Begun) -> JobContext:
        return JobContext(
            job.id, job.project_id, job.object_id, job.arguments, job.attempts, self._engine, begun.turn
        )

    async def _count_attempt(self, job_id: str) -> Job | None:
        """None: it has ended, or is gone."""
        async with self._database.write() as transaction:
            job = await rows.get(transaction, job_id)
            if job is None or job.finished_at is not None:
                return None
            await rows.begin(transaction, job)
        return job

    async def _drain(self) -> None:
        """Cuts off what runs. That attempt doesn't count, for the job did nothing wrong."""
        self._stopping = True
        counted = [job_id for job_id, begun in self._begun.items() if begun.counted]
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
                await rows.take_back(transaction, counted)
        except OperationalError as fault:
            _log.warning("the stop of jobs can't be written", reason=str(fault.orig))

    async def _sweep(self) -> None:
        """Now and then: what the engine remembers of jobs that ended, and old rows."""
        if clock.monotonic() - self._swept_at < SWEEP_S:
            return
        self._swept_at = clock.monotonic()
        await self._engine.forget_ended()
        async with self._database.write() as transaction:
            await rows.sweep(transaction, clock.now() - KEEP)
