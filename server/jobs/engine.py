"""Jobs on dbos 3.4.0 (core, MIT, pinned), used for two things: workflows resume after a crash, steps are remembered.

No queue of its is used, for they poll: the row is the order, `after_commit` starts it in this process, a semaphore
bounds how many run. Its own threads are slowed to one look a minute (see tests/integration/test_jobs.py for what this
costs idle, and for the contract of the two private names used here).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

import dbos._dbos
import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetWorkflowID, WorkflowSerializationFormat

from server import clock, log
from server.catalog import jobs
from server.catalog.database import Database, Transaction
from server.catalog.models import Job
from server.jobs.context import JobContext

NAME = "sluice"
EXECUTOR = "server"  # one server to a data folder: the next one takes over what this one left
VERSION = "1"  # a constant, or an upgrade would leave what was running for ever
MAX_ATTEMPTS = 5  # restarts in the middle of one job: then it is what kills the server
THREADS = 8
SLOW_S = 60.0
RESUME_S = 0.2  # between its looks while there may be something to resume
RESUMING_S = 20.0
LISTEN_S = 2.0  # its listener sleeps this long through a stop
RECONCILE_S = 60.0
STOP_S = 5.0

_log = log.get("jobs")

Run = Callable[[JobContext], Awaitable[None]]
Failed = Callable[[str, str], Awaitable[None]]  # object id, why


@dataclass(frozen=True, slots=True)
class Kind:
    """How work of a kind is done, and who is told when it failed for good."""

    run: Run
    failed: Failed


class Jobs:
    """One for each process. `async with Jobs.open(…)` runs what is ordered."""

    def __init__(self, database: Database, concurrency: int) -> None:
        self._database = database
        self._kinds: dict[str, Kind] = {}
        self._free = asyncio.Semaphore(concurrency)
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._starting: set[asyncio.Task[None]] = set()
        self._open = False

    def register(self, kind: str, run: Run, failed: Failed) -> None:
        """Before `running`; `run` may be called again for the same object after a crash."""
        self._kinds[kind] = Kind(run, failed)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Resumes what a crash or stop left, then takes orders; leaves what runs for the next start."""
        global _current
        engine = await asyncio.to_thread(_engine, self._database)
        _configure(engine)
        _current = self
        self._open = True
        await asyncio.get_running_loop().run_in_executor(None, _quiet)
        DBOS.launch()
        reconciling = asyncio.create_task(self._reconcile_forever())
        slowing = asyncio.get_running_loop().call_later(RESUMING_S, _look_every, SLOW_S)
        try:
            await self.reconcile()
            yield self
        finally:
            self._open = False
            slowing.cancel()
            reconciling.cancel()
            await self._stop()
            await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=0)
            # the engine had made its own pool the loop's default, and has shut it down
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
            engine.dispose()
            _current = None

    async def enqueue(
        self,
        transaction: Transaction,
        project_id: str,
        kind: str,
        object_id: str,
        arguments: dict[str, Any] | None = None,
    ) -> str:
        """Orders work; it starts with the commit. The job's id."""
        job = await jobs.add(transaction, project_id, kind, object_id, arguments)
        transaction.after_commit(lambda: self._start_soon(job.id))
        return job.id

    @property
    def active(self) -> int:
        """Jobs that run or wait for one of the places."""
        return len(self._running)

    async def reconcile(self) -> None:
        """Starts what was ordered and never begun, and ends what the engine has given up."""
        async with self._database.read() as transaction:
            rows = await jobs.unfinished(transaction)
        for row in rows:
            if row.id in self._running:
                continue
            status = await DBOS.get_workflow_status_async(row.id)
            if status is None:
                await self._start(row.id)
            elif status.status not in ("PENDING", "ENQUEUED", "DELAYED"):
                await self._finish(row, f"given up by the engine ({status.status})")

    # --- starting

    def _start_soon(self, job_id: str) -> None:
        if self._open:
            task = asyncio.ensure_future(self._start(job_id))
            self._starting.add(task)
            task.add_done_callback(self._started)

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a job could not be started, the next reconciliation tries again", exc_info=error)

    async def _start(self, job_id: str) -> None:
        with SetWorkflowID(job_id):
            await DBOS.start_workflow_async(_workflow, job_id)

    async def _reconcile_forever(self) -> None:
        while True:
            await asyncio.sleep(RECONCILE_S)
            try:
                await self.reconcile()
            except Exception:
                _log.exception("reconciliation failed")

    # --- running

    async def work(self, job_id: str) -> None:
        """The workflow's body."""
        task = asyncio.current_task()
        assert task
        if job_id in self._running:
            return  # the recovery of a start that was already here
        self._running[job_id] = task
        try:
            async with self._free:
                await self._work(job_id)
        finally:
            self._running.pop(job_id, None)

    async def _work(self, job_id: str) -> None:
        async with self._database.write() as transaction:
            row = await jobs.get(transaction, job_id)
            if row is None or row.finished_at is not None:
                return
            row.started_at = row.started_at or clock.now()
        error = None
        try:
            kind = self._kinds[row.kind]
            await kind.run(JobContext(row.id, row.project_id, row.object_id, _run_step, row.arguments))
        except Exception as failure:
            _log.exception("a job failed", job=row.id, kind=row.kind, object=row.object_id)
            error = f"{type(failure).__name__}: {failure}"
        await self._finish(row, error)

    async def _finish(self, row: Job, error: str | None) -> None:
        if error is not None and (kind := self._kinds.get(row.kind)):
            await kind.failed(row.object_id, error)
        async with self._database.write() as transaction:
            found = await jobs.get(transaction, row.id)
            if found is not None:
                await jobs.finish(transaction, found, error)

    async def _stop(self) -> None:
        """What runs is cut off; the engine keeps it as unfinished."""
        tasks = [*self._running.values(), *self._starting]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)


_current: Jobs | None = None


@DBOS.workflow(
    name="job", max_recovery_attempts=MAX_ATTEMPTS, serialization_type=WorkflowSerializationFormat.PORTABLE
)
async def _workflow(job_id: str) -> None:
    if _current is not None:
        await _current.work(job_id)


async def _run_step(name: str, work: Callable[[], Awaitable[Any]]) -> Any:
    async def step() -> Any:
        return await work()

    return await DBOS.run_step_async({"name": name}, step)


# --- the engine's settings


def _configure(engine: sa.Engine) -> None:
    config = DBOSConfig(
        name=NAME,
        system_database_engine=engine,
        system_database_url=engine.url.render_as_string(hide_password=False),
        executor_id=EXECUTOR,
        application_version=VERSION,
        log_level="CRITICAL",
        max_executor_threads=THREADS,
        notification_listener_polling_interval_sec=LISTEN_S,
        scheduler_polling_interval_sec=SLOW_S,
    )
    DBOS(config=config)
    _look_every(RESUME_S)


def _look_every(seconds: float) -> None:
    """The pace of the one queue that the engine has of its own, where it puts what a crash left."""
    dbos._dbos._get_dbos_instance()._registry.get_internal_queue()._polling_interval_sec = seconds


def _engine(database: Database) -> sa.Engine:
    """A synchronous engine on the catalogue's own database; `synchronous=NORMAL`: the order is what must last."""
    url = database.engine.url
    engine = sa.create_engine(url.set(drivername=url.get_backend_name()))
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def connected(connection: Any, _record: Any) -> None:
            connection.isolation_level = "IMMEDIATE"  # the driver begins: the engine's migrations do so themselves
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=30000"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

    return engine


def _quiet() -> None:
    """Its log goes through ours, where it says anything at all."""
    logger = logging.getLogger("dbos")
    logger.propagate = True
    with suppress(ValueError):
        logger.handlers.clear()
