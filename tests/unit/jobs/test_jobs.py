"""Orders, their start at the commit, and how jobs end; with the real engine, in one process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from server.catalog import jobs as rows
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, Job
from server.jobs import jobs as module
from server.jobs import watch
from server.jobs.context import JobContext
from server.jobs.endings import Endings
from server.jobs.errors import CANCELLED, CRASHING, INTERNAL, UNKNOWN, JobFailed, NotAgain
from server.jobs.jobs import Jobs
from server.jobs.priorities import Priority

START_S = 1.0  # of RECONCILE_S: a machine that does much else may take that long


class Work:
    """A kind of jobs whose runs are written down; `gate` holds them at their only step."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.began_at: list[float] = []
        self.ended: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.most = self.now = 0

    async def run(self, job: JobContext) -> None:
        self.began.append(job.object_id)
        self.began_at.append(asyncio.get_running_loop().time())
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await job.step("wait", self.gate.wait)
        finally:
            self.now -= 1
        self.ended.append(job.object_id)

    async def on_failed(self, transaction: Transaction, job: Job, failure: JobFailed) -> None:
        self.failed.append((job.object_id, failure.code))


@pytest.fixture
def work() -> Work:
    return Work()


@asynccontextmanager
async def running(database: Database, *kinds: tuple[str, Any, Any], concurrency: int = 2) -> AsyncIterator[Jobs]:
    jobs = Jobs(database, {"encode": concurrency})
    for kind, run, on_failed in kinds:
        jobs.register(kind, run, on_failed)
    async with jobs.running():
        yield jobs


@pytest.fixture
async def jobs(database: Database, work: Work) -> AsyncIterator[Jobs]:
    async with running(database, ("work", work.run, work.on_failed)) as jobs:
        yield jobs


async def order(database: Database, jobs: Jobs, object_id: str = "vi1", kind: str = "work") -> str:
    async with database.write() as transaction:
        return await jobs.enqueue(transaction, DEFAULT_PROJECT, kind, object_id)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not condition():
            await asyncio.sleep(0.002)


async def row(database: Database, job_id: str) -> Job:
    async with database.read() as transaction:
        job = await rows.get(transaction, job_id)
    assert job is not None
    return job


async def ended(database: Database, jobs: Jobs, job_id: str) -> Job:
    async with asyncio.timeout(40):
        while (job := await row(database, job_id)).finished_at is None:
            await asyncio.sleep(0.005)
    await until(lambda: jobs.active == 0)
    return job


# --- the hook: from the commit to the start


async def test_a_job_begins_with_the_commit_of_its_order(database: Database, jobs: Jobs, work: Work) -> None:
    """No poll is in between: the only clock of the dispatcher ticks once a minute."""
    delays = []
    for number in range(1, 8):
        async with database.write() as transaction:
            await jobs.enqueue(transaction, DEFAULT_PROJECT, "work", f"vi{number}")
            await asyncio.sleep(0.02)
            assert len(work.began) < number
        committed = asyncio.get_running_loop().time()
        await until(lambda number=number: len(work.ended) == number and not jobs.active)
        delays.append(work.began_at[-1] - committed)

    assert min(delays) < START_S
    assert module.RECONCILE_S >= 60


async def test_an_order_that_is_rolled_back_never_begins(database: Database, jobs: Jobs, work: Work) -> None:
    async def fail() -> None:
        async with database.write() as transaction:
            await jobs.enqueue(transaction, DEFAULT_PROJECT, "work", "lost")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        await fail()
    last = await order(database, jobs, "kept")
    await ended(database, jobs, last)

    assert work.began == ["kept"]


async def test_an_order_that_nobody_was_woken_for_is_found(
    database: Database, jobs: Jobs, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECONCILE_S", 0.05)
    await ended(database, jobs, await order(database, jobs, "first"))  # the next wait is a short one
    async with database.write() as transaction:
        job = await rows.add(transaction, DEFAULT_PROJECT, "work", "behind its back")

    await ended(database, jobs, job.id)

    assert work.began == ["first", "behind its back"]


async def test_a_job_that_is_known_is_not_begun_twice(database: Database, jobs: Jobs, work: Work) -> None:
    work.gate.clear()
    job_id = await order(database, jobs)
    await until(lambda: bool(work.began))

    for _ in range(3):
        jobs._wake.set()
        await asyncio.sleep(0.01)
    work.gate.set()
    await ended(database, jobs, job_id)
    jobs._wake.set()
    await asyncio.sleep(0.05)

    assert work.began == ["vi1"]


async def test_jobs_of_an_unknown_kind_are_refused(database: Database, jobs: Jobs) -> None:
    with pytest.raises(ValueError, match="no jobs of kind other"):
        await order(database, jobs, kind="other")


async def test_a_kind_is_registered_once(jobs: Jobs, work: Work) -> None:
    with pytest.raises(ValueError, match="registered already"):
        jobs.register("work", work.run)


# --- order and places


async def test_so_many_at_once_in_the_order_they_were_ordered(database: Database, work: Work) -> None:
    names = [f"vi{number}" for number in range(8)]
    work.gate.clear()
    async with running(database, ("work", work.run, None), concurrency=2) as jobs:
        async with database.write() as transaction:
            for name in names:
                await jobs.enqueue(transaction, DEFAULT_PROJECT, "work", name)
        await until(lambda: len(work.began) == 2)
        await asyncio.sleep(0.05)
        assert work.began == names[:2]
        work.gate.set()
        await until(lambda: len(work.ended) == 8)

    assert work.began == names
    assert work.most == 2


async def test_a_sleeper_lets_others_run(database: Database, work: Work) -> None:
    woken = []

    async def sleeper(job: JobContext) -> None:
        await job.sleep(0.3)
        woken.append(list(work.ended))

    async with running(database, ("sleep", sleeper, None), ("work", work.run, None), concurrency=1) as jobs:
        first = await order(database, jobs, "vi1", "sleep")
        await order(database, jobs, "vi2")
        await ended(database, jobs, first)

    assert woken == [["vi2"]]


async def test_what_is_short_waits_behind_no_encoding(database: Database, work: Work) -> None:
    work.gate.clear()
    jobs = Jobs(database, {"encode": 1, "short": 1})
    jobs.register("work", work.run)
    jobs.register("probe", work.run, None, "short", Priority.SHORT)
    jobs.register("fetch", work.run, None, "io")
    async with jobs.running():
        for number in range(3):
            await order(database, jobs, f"encode{number}")
        await order(database, jobs, "fetch0", "fetch")
        await order(database, jobs, "probe0", "probe")
        await until(lambda: len(work.began) == 2)
        assert {*work.began} == {"encode0", "probe0"}
        work.gate.set()
        await until(lambda: len(work.ended) == 4 and not jobs.active)

    assert "fetch0" not in work.began  # this process has no places for such


async def test_a_priority_given_goes_before_the_kinds_own(database: Database, work: Work) -> None:
    work.gate.clear()
    async with running(database, ("work", work.run, None), concurrency=1) as jobs:
        await order(database, jobs, "runs")
        await until(lambda: bool(work.began))
        for priority in (Priority.BULK, None, Priority.INTERACTIVE):
            async with database.write() as transaction:
                await jobs.enqueue(transaction, DEFAULT_PROJECT, "work", str(priority), priority=priority)
        work.gate.set()
        await until(lambda: len(work.ended) == 4)

    assert work.began == ["runs", str(Priority.INTERACTIVE), "None", str(Priority.BULK)]


async def test_a_job_orders_others(database: Database, work: Work) -> None:
    jobs: Jobs

    async def parent(job: JobContext) -> None:
        async def plan() -> None:
            async with database.write() as transaction:
                for number in range(3):
                    await jobs.enqueue(transaction, job.project_id, "work", f"{job.object_id}.{number}")

        await job.step("plan", plan)

    async with running(database, ("parent", parent, None), ("work", work.run, None), concurrency=1) as jobs:
        await order(database, jobs, "vi1", "parent")
        await until(lambda: len(work.ended) == 3)

    assert work.began == ["vi1.0", "vi1.1", "vi1.2"]


# --- progress


async def test_progress_is_in_the_row_while_the_job_runs(
    database: Database, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "EVERY_S", 0.02)

    async def run(job: JobContext) -> None:
        for part in range(50):
            job.progress(part / 100, f"part {part}")
        await work.run(job)

    work.gate.clear()
    async with running(database, ("work", run, None)) as jobs:
        job_id = await order(database, jobs)
        async with asyncio.timeout(40):
            while not (job := await row(database, job_id)).progress:
                await asyncio.sleep(0.01)
        assert (job.progress, job.message) == (0.49, "part 49")
        work.gate.set()
        assert (await ended(database, jobs, job_id)).progress == 1


# --- ends


async def test_a_job_that_ended_says_when(database: Database, jobs: Jobs) -> None:
    job = await ended(database, jobs, await order(database, jobs))

    assert rows.state(job) == "done"
    assert job.attempts == 1
    assert job.started_at is not None
    assert job.created_at <= job.started_at <= job.finished_at  # type: ignore[operator]


async def fails(job: JobContext) -> None:
    async def step() -> None:
        raise JobFailed("unsupported", "no video in it")

    await job.step("probe", step)


async def breaks(job: JobContext) -> None:
    raise KeyError("size")


async def cuts_itself_off(job: JobContext) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("run", "error"),
    [
        (fails, "unsupported: no video in it"),
        (breaks, f"{INTERNAL}: KeyError: 'size'"),
        (cuts_itself_off, f"{INTERNAL}: it was cut off from within"),
    ],
)
async def test_a_job_that_fails_tells_its_kind_once(database: Database, work: Work, run: Any, error: str) -> None:
    async with running(database, ("work", run, work.on_failed)) as jobs:
        job = await ended(database, jobs, await order(database, jobs))

    assert (rows.state(job), job.error) == ("failed", error)
    assert work.failed == [("vi1", error.split(":")[0])]


async def test_a_failure_and_what_it_means_are_one_transaction(database: Database) -> None:
    async def on_failed(transaction: Transaction, job: Job, failure: JobFailed) -> None:
        await transaction.execute(text("update projects set name = :name"), {"name": failure.detail})
        raise RuntimeError("a bug")

    async with running(database, ("work", fails, on_failed)) as jobs:
        job = await ended(database, jobs, await order(database, jobs))

    assert rows.state(job) == "failed"
    async with database.read() as transaction:
        assert await transaction.scalar(text("select name from projects")) != "no video in it"


async def test_a_result_that_is_no_json_fails_the_job(database: Database) -> None:
    async def run(job: JobContext) -> None:
        async def step() -> object:
            return object()

        await job.step("probe", step)

    async with running(database, ("work", run, None)) as jobs:
        job = await ended(database, jobs, await order(database, jobs))

    assert "not portable JSON" in str(job.error)


async def test_a_job_whose_kind_is_gone_fails(database: Database, work: Work) -> None:
    async with database.write() as transaction:
        job = await rows.add(transaction, DEFAULT_PROJECT, "old", "vi1")

    async with running(database, ("work", work.run, None)) as jobs:
        job = await ended(database, jobs, job.id)

    assert str(job.error).startswith(UNKNOWN)


# --- cancelling and redriving


async def test_a_running_job_is_cancelled(database: Database, jobs: Jobs, work: Work) -> None:
    work.gate.clear()
    job_id = await order(database, jobs)
    await until(lambda: work.now == 1)

    assert await jobs.cancel(job_id)

    assert str((await row(database, job_id)).error).startswith(CANCELLED)
    assert work.failed == [("vi1", CANCELLED)]
    assert (work.now, work.ended) == (0, [])
    assert not await jobs.cancel(job_id)


async def test_a_waiting_job_is_cancelled_and_never_begins(database: Database, jobs: Jobs, work: Work) -> None:
    work.gate.clear()
    ids = [await order(database, jobs, f"vi{number}") for number in range(3)]
    await until(lambda: work.now == 2)

    assert await jobs.cancel(ids[2])
    work.gate.set()
    await until(lambda: len(work.ended) == 2 and not jobs.active)

    assert work.began == ["vi0", "vi1"]
    assert work.failed == [("vi2", CANCELLED)]


async def test_cancelling_what_is_not_there_is_no_error(jobs: Jobs) -> None:
    assert not await jobs.cancel("jo-unknown")


async def test_all_jobs_about_an_object_are_cancelled(database: Database, work: Work) -> None:
    work.gate.clear()
    async with running(database, ("work", work.run, work.on_failed), concurrency=1) as jobs:
        for name in ("deleted", "deleted", "deleted", "other"):
            await order(database, jobs, name)
        await until(lambda: work.now == 1)

        assert await jobs.cancel_of("deleted") == 3
        assert await jobs.cancel_of("deleted") == 0
        work.gate.set()
        await until(lambda: work.ended == ["other"])

    assert work.began == ["deleted", "other"]
    assert work.failed == [("deleted", CANCELLED)] * 3


async def test_a_job_that_was_cancelled_elsewhere_is_cut_off(
    database: Database, jobs: Jobs, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "EVERY_S", 0.02)
    work.gate.clear()
    job_id = await order(database, jobs)
    await until(lambda: work.now == 1)

    await Endings(database, "wo-other", {}).fail(job_id, JobFailed(CANCELLED, "by another process"))
    await until(lambda: not jobs.active)

    assert (work.now, work.ended, work.failed) == (0, [], [])
    assert str((await row(database, job_id)).error) == f"{CANCELLED}: by another process"


async def test_a_job_that_was_taken_over_is_cut_off_and_left_to_the_other(
    database: Database, jobs: Jobs, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "EVERY_S", 0.02)
    work.gate.clear()
    job_id = await order(database, jobs)
    await until(lambda: work.now == 1)
    async with database.write() as transaction:
        (job,) = await rows.of_project(transaction, DEFAULT_PROJECT)
        job.worker = "wo-other"

    await until(lambda: not jobs.active)
    job = await row(database, job_id)

    assert (job.worker, job.attempts, rows.state(job)) == ("wo-other", 1, "running")
    assert (work.now, work.failed) == (0, [])


async def test_a_failed_job_is_redriven_from_its_first_step(database: Database, work: Work) -> None:
    good = False

    async def run(job: JobContext) -> None:
        await work.run(job)
        if not good:
            raise JobFailed("unsupported", "not yet")

    async with running(database, ("work", run, work.on_failed)) as jobs:
        job_id = await order(database, jobs)
        assert rows.state(await ended(database, jobs, job_id)) == "failed"
        good = True
        await jobs.redrive(job_id)
        await until(lambda: len(work.ended) == 2)
        job = await ended(database, jobs, job_id)

        assert (rows.state(job), job.attempts) == ("done", 1)
        with pytest.raises(LookupError):
            await jobs.redrive(job_id)


async def test_who_knows_a_kind_opens_its_object_before_it_runs_again_or_says_why_not(
    database: Database, work: Work
) -> None:
    async def fail(job: JobContext) -> None:
        await work.run(job)
        raise JobFailed("unsupported", "never")

    opened: list[str] = []

    async def again(transaction: Transaction, job: Job) -> None:
        if opened:
            raise NotAgain("It was tried again once.")
        opened.append(job.object_id)

    jobs = Jobs(database, {"encode": 1})
    jobs.register("work", fail, work.on_failed, on_redrive=again)
    async with jobs.running():
        job_id = await order(database, jobs)
        await ended(database, jobs, job_id)
        await jobs.redrive(job_id)
        await until(lambda: len(work.ended) == 2)
        job = await ended(database, jobs, job_id)
        with pytest.raises(NotAgain, match="once"):
            await jobs.redrive(job_id)

    assert opened == [job.object_id]
    assert rows.state(await row(database, job_id)) == "failed"


async def test_jobs_are_listed_newest_first(database: Database, jobs: Jobs) -> None:
    ids = [await order(database, jobs, object_id) for object_id in ("vi1", "vi2", "vi1")]

    assert [job.id for job in await jobs.list(DEFAULT_PROJECT)] == ids[::-1]
    assert [job.id for job in await jobs.list(DEFAULT_PROJECT, "vi1", limit=1)] == [ids[2]]
    assert await jobs.list("another") == []


# --- stopping and starting again


async def test_a_drain_cuts_a_step_off_and_the_next_start_repeats_only_that(database: Database) -> None:
    steps: list[str] = []
    held = asyncio.Event()

    async def run(job: JobContext) -> None:
        async def step(name: str, wait: asyncio.Event | None = None) -> str:
            steps.append(name)
            if wait is not None:
                await wait.wait()
            return name

        assert await job.step("one", lambda: step("one")) == "one"
        await job.step("two", lambda: step("two", held))
        await job.step("three", lambda: step("three"))

    loop = asyncio.get_running_loop()
    async with running(database, ("work", run, None)) as jobs:
        job_id = await order(database, jobs)
        await until(lambda: steps == ["one", "two"])
        drained = loop.time()
    assert loop.time() - drained < 5
    job = await row(database, job_id)
    assert (rows.state(job), job.attempts) == ("waiting", 0)

    held.set()
    async with running(database, ("work", run, None)) as jobs:
        job = await ended(database, jobs, job_id)

    assert steps == ["one", "two", "two", "three"]
    assert (rows.state(job), job.attempts) == ("done", 1)


async def test_what_waits_at_a_drain_begins_at_the_next_start(database: Database, work: Work) -> None:
    work.gate.clear()
    async with running(database, ("work", work.run, None), concurrency=1) as jobs:
        ids = [await order(database, jobs, f"vi{number}") for number in range(3)]
        await until(lambda: work.now == 1)

    work.gate.set()
    async with running(database, ("work", work.run, None), concurrency=1) as jobs:
        for job_id in ids:
            assert rows.state(await ended(database, jobs, job_id)) == "done"

    assert work.began == ["vi0", "vi0", "vi1", "vi2"]


async def test_a_failed_step_fails_again_after_a_restart(database: Database) -> None:
    """The same error whether the step just failed or is replayed."""
    seen: list[tuple[str, str]] = []
    held = asyncio.Event()

    async def run(job: JobContext) -> None:
        try:
            await fails(job)
        except JobFailed as failure:
            seen.append((failure.code, failure.detail))
        await job.step("wait", held.wait)

    async with running(database, ("work", run, None)) as jobs:
        job_id = await order(database, jobs)
        await until(lambda: len(seen) == 1)
    held.set()
    async with running(database, ("work", run, None)) as jobs:
        await ended(database, jobs, job_id)

    assert seen == [("unsupported", "no video in it")] * 2


async def test_a_job_whose_steps_an_upgrade_changed_begins_again(database: Database, work: Work) -> None:
    async def renamed(job: JobContext) -> None:
        work.began.append("renamed")
        await job.step("another name", work.gate.wait)

    held = asyncio.Event()

    async def before(job: JobContext) -> None:
        await work.run(job)
        await job.step("hold", held.wait)

    async with running(database, ("work", before, None)) as jobs:
        job_id = await order(database, jobs)
        await until(lambda: bool(work.ended))
        await asyncio.sleep(0.05)

    async with running(database, ("work", renamed, None)) as jobs:
        job = await ended(database, jobs, job_id)

    assert rows.state(job) == "done"
    assert work.began == ["vi1", "renamed", "renamed"]


async def test_a_job_in_which_the_server_died_too_often_fails(database: Database, work: Work) -> None:
    work.gate.clear()
    async with running(database, ("work", work.run, work.on_failed)) as jobs:
        job_id = await order(database, jobs)
        await until(lambda: work.now == 1)
    async with database.write() as transaction:  # as if it had been crashes
        job = await rows.get(transaction, job_id)
        assert job is not None
        job.attempts, job.worker = module.MAX_ATTEMPTS, "wo-dead"

    async with running(database, ("work", work.run, work.on_failed)) as jobs:
        await ended(database, jobs, job_id)

    assert work.began == ["vi1"]
    assert work.failed == [("vi1", CRASHING)]


async def test_the_loop_has_a_pool_of_threads_afterwards(database: Database, work: Work) -> None:
    async with running(database, ("work", work.run, None)):
        pass

    assert await asyncio.to_thread(lambda: "done") == "done"


# --- a database that refuses


@pytest.mark.parametrize(
    "fault", [OperationalError("INSERT", {}, OSError("database or disk is full")), NoConnectionFree()]
)
async def test_a_job_that_the_database_stopped_is_begun_again(
    database: Database, work: Work, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """What a step raises is a JobFailed; a bare error of the database is the engine's."""
    monkeypatch.setattr(module, "GIVE_BACK_S", 0.01)
    faults = [fault] * 2

    async def run(job: JobContext) -> None:
        await work.run(job)
        if faults:
            raise faults.pop()

    async with running(database, ("work", run, work.on_failed)) as jobs:
        job = await ended(database, jobs, await order(database, jobs))

    assert rows.state(job) == "done"
    assert work.began == ["vi1"] * 3
    assert work.failed == []


async def test_a_job_that_waits_for_the_database_can_be_cancelled(database: Database, work: Work) -> None:
    async def run(job: JobContext) -> None:
        await work.run(job)
        raise OperationalError("INSERT", {}, OSError("database or disk is full"))

    async with running(database, ("work", run, work.on_failed)) as jobs:
        job_id = await order(database, jobs)
        await until(lambda: bool(work.ended))
        await asyncio.sleep(0.05)
        assert await jobs.cancel(job_id)
        assert rows.state(await row(database, job_id)) == "failed"

    assert work.failed == [("vi1", CANCELLED)]


async def test_the_dispatcher_outlives_faults(
    database: Database, jobs: Jobs, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0)
    faults = [RuntimeError("a bug"), OperationalError("BEGIN", {}, OSError("locked"))]
    start = jobs._engine.start

    async def faulty(job_id: str) -> None:
        if faults:
            raise faults.pop()
        await start(job_id)

    monkeypatch.setattr(jobs._engine, "start", faulty)

    job = await ended(database, jobs, await order(database, jobs))

    assert rows.state(job) == "done"
    assert work.began == ["vi1"]


# --- tidying


async def test_what_ended_is_forgotten_now_and_then(
    database: Database, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await order(database, jobs)
    await ended(database, jobs, first)
    monkeypatch.setattr(module, "SWEEP_S", 0)

    async def left(table: str) -> int:
        async with database.read() as transaction:
            return int(await transaction.scalar(text(f"select count(*) from {table}")) or 0)

    second = await order(database, jobs)
    await ended(database, jobs, second)
    async with asyncio.timeout(40):
        while await left("workflow_status"):
            jobs._wake.set()
            await asyncio.sleep(0.02)

    assert await left("operation_outputs") == 0
