"""Orders for work as rows."""

from datetime import timedelta

import pytest

from server import clock
from server.catalog import jobs
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, Job


async def order(transaction: Transaction, object_id: str = "vi1", **arguments: object) -> Job:
    return await jobs.add(transaction, DEFAULT_PROJECT, "vod", object_id, arguments)


async def test_the_depth_of_jobs_counts_what_is_not_finished(database: Database) -> None:
    async with database.write() as transaction:
        first = await order(transaction, "vi1")
        second = await order(transaction, "vi2", a=1)
        await jobs.finish(transaction, first)

        assert await jobs.depth(transaction) == (1, second.created_at)


async def test_the_oldest_that_waits_comes_first(database: Database) -> None:
    async with database.write() as transaction:
        made = [await order(transaction) for _ in range(4)]
        for age, job in enumerate(made):
            job.created_at = clock.now() - timedelta(hours=age)
        await jobs.finish(transaction, made[3])
        await transaction.flush()

        assert await jobs.oldest_waiting(transaction, []) == made[2].id
        assert await jobs.oldest_waiting(transaction, [made[2].id]) == made[1].id
        assert await jobs.oldest_waiting(transaction, [job.id for job in made]) is None


async def test_the_life_of_a_job(database: Database) -> None:
    async with database.write() as transaction:
        job = await order(transaction)
        states = [jobs.state(job)]
        await jobs.begin(transaction, job)
        states.append(jobs.state(job))
        await jobs.finish(transaction, job, "unsupported: no video in it")
        states.append(jobs.state(job))
        await jobs.reopen(transaction, job)
        states.append(jobs.state(job))
        await jobs.begin(transaction, job)
        await jobs.finish(transaction, job)
        states.append(jobs.state(job))

    assert states == ["waiting", "running", "failed", "waiting", "done"]
    assert job.attempts == 1


async def test_beginning_again_counts_and_keeps_the_first_time(database: Database) -> None:
    async with database.write() as transaction:
        job = await order(transaction)
        await jobs.begin(transaction, job)
        began = job.started_at
        await jobs.begin(transaction, job)

    assert job.attempts == 2
    assert job.started_at == began


async def test_an_attempt_is_taken_back_from_what_runs_alone(database: Database) -> None:
    async with database.write() as transaction:
        running, waiting, ended, other = [await order(transaction, name) for name in ("run", "wait", "end", "other")]
        for job in (running, ended, other):
            await jobs.begin(transaction, job)
        await jobs.finish(transaction, ended)
    async with database.write() as transaction:
        await jobs.take_back(transaction, [running.id, waiting.id, ended.id])

    async with database.read() as transaction:
        found = {job.object_id: job.attempts for job in await jobs.of_project(transaction, DEFAULT_PROJECT)}
        assert found == {"run": 0, "wait": 0, "end": 1, "other": 1}
        assert await jobs.suspects(transaction) == {other.id}


@pytest.mark.parametrize(("object_id", "found"), [(None, ["vi2", "vi1"]), ("vi1", ["vi1"]), ("vi3", [])])
async def test_jobs_of_a_project_newest_first(database: Database, object_id: str | None, found: list[str]) -> None:
    async with database.write() as transaction:
        older = await order(transaction, "vi1")
        await order(transaction, "vi2")
        older.created_at -= timedelta(hours=1)

    async with database.read() as transaction:
        listed = await jobs.of_project(transaction, DEFAULT_PROJECT, object_id)
        assert [job.object_id for job in listed] == found
        assert await jobs.of_project(transaction, "another") == []


async def test_old_ends_are_swept_and_nothing_else(database: Database) -> None:
    now = clock.now()
    async with database.write() as transaction:
        old, recent, unfinished = [await order(transaction, name) for name in ("old", "recent", "unfinished")]
        old.finished_at, recent.finished_at = now - timedelta(days=2), now
        unfinished.created_at = now - timedelta(days=9)
    async with database.write() as transaction:
        await jobs.sweep(transaction, now - timedelta(days=1))

    async with database.read() as transaction:
        left = {job.object_id for job in await jobs.of_project(transaction, DEFAULT_PROJECT)}
    assert left == {"recent", "unfinished"}
