"""The end of a job in its row, whatever the database and the owner of the job do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from server.catalog import jobs as rows
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, Job
from server.jobs import endings as module
from server.jobs.context import JobContext
from server.jobs.endings import Endings, Kind
from server.jobs.errors import JobFailed

FAILURE = JobFailed("unsupported", "no video in it")
WORKER = "wo1"


async def run(job: JobContext) -> None:
    raise AssertionError("not run here")


class Told:
    """Whom failures are told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.failures: list[str] = []
        self.error = error

    async def on_failed(self, transaction: Transaction, job: Job, failure: JobFailed) -> None:
        self.failures.append(failure.text)
        if self.error is not None:
            raise self.error


@pytest.fixture
async def job(database: Database) -> Job:
    async with database.write() as transaction:
        await rows.add(transaction, DEFAULT_PROJECT, "work", "vi1")
        job = await rows.claim(transaction, WORKER, "encode", suspects=False)
    assert job is not None
    return job


async def state(database: Database, job: Job) -> tuple[str, str | None]:
    async with database.read() as transaction:
        found = await rows.get(transaction, job.id)
    assert found is not None
    return rows.state(found), found.error


def endings(database: Database, told: Told) -> Endings:
    return Endings(database, WORKER, {"work": Kind(run, told.on_failed)})


def refuse(monkeypatch: pytest.MonkeyPatch, database: Database, times: int) -> list[str]:
    """The disk is full for so many transactions."""
    refused: list[str] = []
    write = database.write

    @asynccontextmanager
    async def full() -> AsyncIterator[Transaction]:
        async with write() as transaction:
            yield transaction
            if len(refused) < times:
                refused.append("full")
                raise OperationalError("COMMIT", {}, OSError("database or disk is full"))

    monkeypatch.setattr(database, "write", full)
    monkeypatch.setattr(module, "RETRY_S", 0)
    return refused


@pytest.mark.parametrize(
    ("failure", "ended"), [(None, ("done", None)), (FAILURE, ("failed", "unsupported: no video in it"))]
)
async def test_an_end_is_written_when_the_database_takes_it_again(
    database: Database,
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
    failure: JobFailed | None,
    ended: tuple[str, str | None],
) -> None:
    refused = refuse(monkeypatch, database, 3)

    await endings(database, Told()).end(job.id, failure)

    assert len(refused) == 3
    assert await state(database, job) == ended


async def test_the_first_end_stays(database: Database, job: Job) -> None:
    told = Told()
    ending = endings(database, told)

    await ending.end(job.id, None)
    await ending.end(job.id, FAILURE)
    assert not await ending.fail(job.id, FAILURE)

    assert await state(database, job) == ("done", None)
    assert told.failures == []


async def test_a_fault_in_what_is_told_does_not_keep_the_job_alive(database: Database, job: Job) -> None:
    told = Told(RuntimeError("a bug"))

    await endings(database, told).end(job.id, FAILURE)

    assert told.failures == [FAILURE.text]
    assert (await state(database, job))[0] == "failed"


async def test_what_is_told_waits_for_the_database_too(
    database: Database, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, database, 2)
    told = Told()

    await endings(database, told).end(job.id, FAILURE)

    assert told.failures == [FAILURE.text] * 3  # and two of them rolled back
    assert (await state(database, job))[0] == "failed"


async def test_what_is_told_waits_for_a_connection(
    database: Database, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0)
    told = Told(NoConnectionFree())
    ending = asyncio.create_task(endings(database, told).end(job.id, FAILURE))
    async with asyncio.timeout(20):
        while len(told.failures) < 3:
            await asyncio.sleep(0.001)
        told.error = None
        await ending

    assert (await state(database, job))[0] == "failed"


class BrokenOff(Exception):
    sqlstate = "57014"


async def test_what_is_told_is_left_out_where_the_database_always_breaks_it_off(
    database: Database, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0)
    told = Told(OperationalError("UPDATE", {}, BrokenOff("canceling statement due to statement timeout")))

    async with asyncio.timeout(20):
        await endings(database, told).end(job.id, FAILURE)

    assert told.failures == [FAILURE.text] * module.TOLD_ATTEMPTS
    assert (await state(database, job))[0] == "failed"


async def test_a_job_that_is_gone_needs_no_end(database: Database) -> None:
    ending = endings(database, Told())

    await ending.end("jo-gone", None)
    assert not await ending.fail("jo-gone", FAILURE)


async def test_what_another_took_over_ends_there(database: Database, job: Job) -> None:
    told = Told()
    ending = Endings(database, "wo2", {"work": Kind(run, told.on_failed)})

    await ending.end(job.id, None)
    await ending.end(job.id, FAILURE)
    assert await state(database, job) == ("running", None)
    assert told.failures == []

    assert await ending.fail(job.id, FAILURE)  # who cancels need not be at it
    assert (await state(database, job))[0] == "failed"
