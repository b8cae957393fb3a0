"""dbos 3.4.0 (core, MIT, pinned), for two things: steps that are remembered, and workflows run again after a crash.

It keeps its tables in the catalogue's database. None of its queues, schedules and deadlines is used, so the threads
that look for work on them once a second (1.2 % of a core) are stopped at once, and it costs nothing while no job runs.
Nor does it resume anything by itself, for no process has the name of one before: whoever claims a job's row goes on
with its workflow. The names with an underscore, and what `_quiet` relies on, are no documented interface of it;
tests/unit/jobs/test_engine.py holds them to what they are used for.

Never set conductor_key, auto_upgrade, sharding or transact_enterprise_key: they are for its paid product.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from dbos import (
    DBOS,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    PortableWorkflowError,
    SetWorkflowID,
    StepOptions,
    WorkflowSerializationFormat,
    error,
)
from dbos._core import execute_dequeued_workflow

from server import clock, log
from server.jobs.errors import INTERNAL, JobFailed, StepsChanged

NAME = "sluice"
WORKFLOW = "job"  # the only one: kinds of jobs are ours
VERSION = "1"  # by default a hash of the code: after an upgrade what was running would never be resumed
# It makes its pool the loop's default one too, where aiohttp and aiofiles read files: threads start when needed.
THREADS = 16
POOL = 5  # connections
BUSY_MS = 30_000  # the catalogue writes to the same file
LISTEN_S = 0.25  # a thread of its sleeps so long, which a stop has to wait for; it looks at nothing
FORGET_BATCH = 500
LAUNCH_LOCK = "advisory lock (7302, 2)"  # as pg_locks tells who holds it
TRY_LAUNCH = sa.text("SELECT pg_try_advisory_lock(7302, 2)")
LAUNCHED = sa.text("SELECT pg_advisory_unlock(7302, 2)")
LAUNCH_S = 0.1
LAUNCH_LIMIT_S = 300.0  # of others' launches, a second each; one that is frozen holds the lock for as long as it lives

RUNNING = ["ENQUEUED", "PENDING"]
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]

_NO_HANDLER = logging.NullHandler()
_log = log.get("jobs")

Result = TypeVar("Result")


class Engine:
    """One in a process. What it is told to start runs as `work(job_id)`, on the loop."""

    def __init__(self, url: sa.URL, worker: str, work: Callable[[str], Awaitable[None]]) -> None:
        # the drivers that need no loop
        self._url = url.set(drivername="sqlite" if url.get_backend_name() == "sqlite" else "postgresql+psycopg")
        self._worker = worker

        async def job(job_id: str) -> None:
            await work(job_id)

        # Attempts are counted by `Jobs`: dbos counts a claim of every job that a crash left, begun again or not.
        self._workflow = DBOS.workflow(
            name=WORKFLOW, max_recovery_attempts=None, serialization_type=WorkflowSerializationFormat.PORTABLE
        )(job)

    @asynccontextmanager
    async def launched(self) -> AsyncIterator[None]:
        """Runs what is started until the end of the block."""
        logger = logging.getLogger("dbos")
        logger.addHandler(_NO_HANDLER)  # or it adds one that writes past our log
        database = _database(self._url)
        try:
            self._instance = DBOS(config=_config(database, self._url, self._worker))
            logger.addFilter(_as_ours)  # after its own
            async with _alone(database):
                DBOS.launch()
            _quiet(self._instance)
            yield
        finally:
            await _destroy()
            logger.removeFilter(_as_ours)
            database.dispose()

    async def start(self, job_id: str) -> None:
        """Begins a job that nobody runs, or goes on with it after the steps that it finished; returns when that is
        recorded. Whoever ran it before can't record anything of it from now on.

        One that has ended here and not in its row begins from the first step.
        """
        try:
            await self._start(job_id)
        except error.DBOSWorkflowIDInUseError:
            if await asyncio.to_thread(self._adopt, job_id):
                return
            _log.warning("a job is begun again from its first step", job=job_id)
            await self.forget([job_id])
            await self._start(job_id)

    def _adopt(self, job_id: str) -> bool:
        """Takes over the workflow of a process that died or stopped, as dbos's queues take one over; in a thread."""
        database, token = self._instance._sys_db, uuid.uuid4().hex
        table = database.tables.workflow_status.c
        unfinished = (table.workflow_uuid == job_id, table.status.in_(RUNNING))
        ours = {"status": "PENDING", "executor_id": self._worker, "owner_xid": token}
        claim = sa.update(database.tables.workflow_status).where(*unfinished).values(ours)
        with database.engine.begin() as connection:
            if not connection.execute(claim).rowcount:
                return False
        status = database.get_workflow_status(job_id)
        if status is None:
            return False
        execute_dequeued_workflow(self._instance, status, token)
        return True

    async def _start(self, job_id: str) -> None:
        with SetWorkflowID(job_id, workflow_id_reuse_policy="reject"):
            await DBOS.start_workflow_async(self._workflow, job_id)

    async def step(self, name: str, work: Callable[[], Awaitable[Result]]) -> Result:
        """Within a job: the result of `work`, or what it was when this step was finished.

        Raises JobFailed; StepsChanged.
        """

        async def done() -> Result:
            return await work()

        try:
            return await DBOS.run_step_async(StepOptions(name=name), done)
        except PortableWorkflowError as replayed:
            raise JobFailed(str(replayed.code or INTERNAL), replayed.message) from None
        except error.DBOSUnexpectedStepError as changed:
            raise StepsChanged(str(changed)) from None

    async def sleep(self, seconds: float) -> None:
        """Within a job: until `seconds` after the first time that it came here."""
        await DBOS.sleep_async(seconds)

    async def forget(self, job_ids: Collection[str]) -> None:
        """Drops what is remembered of jobs that don't run."""
        await DBOS.delete_workflows_async(list(job_ids))

    async def forget_ended(self) -> None:
        """The same for all that ended."""
        while ended := await DBOS.list_workflows_async(
            status=ENDED, limit=FORGET_BATCH, load_input=False, load_output=False
        ):
            await self.forget([workflow.workflow_id for workflow in ended])


@asynccontextmanager
async def _alone(database: sa.Engine) -> AsyncIterator[None]:
    """It makes its tables at a launch, which processes that start together must not all do at once.

    They ask again and again for the lock: a statement that waits for it keeps `CREATE INDEX CONCURRENTLY` waiting.
    Raises RuntimeError where it can't be had.
    """
    if database.dialect.name == "sqlite":
        yield
        return
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        ends = clock.monotonic() + LAUNCH_LIMIT_S
        while not connection.scalar(TRY_LAUNCH):
            if clock.monotonic() > ends:
                raise RuntimeError(f"another process of this database does not get on with its start: {LAUNCH_LOCK}")
            await asyncio.sleep(LAUNCH_S)
        try:
            yield
        finally:
            connection.execute(LAUNCHED)


def _quiet(instance: DBOS) -> None:
    """Stops the threads that poll: queue manager, queue workers, schedules; delays and deadlines."""
    for stopping in instance.background_thread_stop_events:
        stopping.set()
    instance._background_jobs_stop_event.set()


async def _destroy() -> None:
    """Not in dbos's own pool, which this ends, and the loop has to have another one afterwards."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="loop"))
    with ThreadPoolExecutor(1, thread_name_prefix="jobs-stop") as pool:
        await loop.run_in_executor(pool, lambda: DBOS.destroy(destroy_registry=True))


def _config(database: sa.Engine, url: sa.URL, worker: str) -> DBOSConfig:
    return DBOSConfig(
        name=NAME,
        system_database_engine=database,
        system_database_url=url.render_as_string(hide_password=False),
        executor_id=worker,
        application_version=VERSION,
        serializer=DBOSPortableJSONSerializer(),  # for steps; the default one is pickle, which runs what it reads
        max_executor_threads=THREADS,
        notification_listener_polling_interval_sec=LISTEN_S,
        use_listen_notify=False,
        log_level="WARNING",
    )


def _database(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, pool_size=POOL, hide_parameters=True)
        sa.event.listen(engine, "connect", _prepare)
        return engine
    return sa.create_engine(url, pool_size=POOL, pool_pre_ping=True, hide_parameters=True)


def _prepare(connection: Any, _record: Any) -> None:
    # The driver begins before what writes, and not before what reads: dbos's migrations begin by themselves.
    connection.isolation_level = "IMMEDIATE"
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",  # a step lost with the power is repeated; an order is committed by the catalogue: FULL
        "foreign_keys=ON",
        f"busy_timeout={BUSY_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _as_ours(record: logging.LogRecord) -> bool:
    """Its lines name the job; those on every job that a stop cuts off say nothing."""
    for constant in ("applicationID", "applicationVersion", "executorID"):
        record.__dict__.pop(constant, None)
    if job := record.__dict__.pop("operationUUID", None):
        record.__dict__["job"] = job
    return not str(record.msg).startswith("Asyncio task cancelled")
