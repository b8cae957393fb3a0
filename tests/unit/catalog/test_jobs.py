"""Orders for work as rows."""

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from server import clock
from server.app import sweeping
from server.catalog import jobs, removal
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, Job, Project


async def order(transaction: Transaction, object_id: str = "vi1", **arguments: object) -> Job:
    return await jobs.add(transaction, DEFAULT_PROJECT, "vod", object_id, arguments)


async def test_the_depth_of_jobs_counts_what_is_not_finished(database: Database) -> None:
    async with database.write() as transaction:
        first = await order(transaction, "vi1")
        second = await order(transaction, "vi2", a=1)
        await jobs.finish(transaction, first)

        assert await jobs.depth(transaction) == (1, second.created_at)


async def claimed(transaction: Transaction, worker: str = "wo1", lane: str = "encode") -> list[str]:
    """What the lane's jobs are about, in the order that they are claimed."""
    found = []
    while job := await jobs.claim(transaction, worker, lane, suspects=True):
        found.append(job.object_id)
    return found


async def test_jobs_are_claimed_by_priority_and_age(database: Database) -> None:
    async with database.write() as transaction:
        for name, priority in (("bulk", 3), ("first", 1), ("now", 0), ("second", 1)):
            await jobs.add(transaction, DEFAULT_PROJECT, "vod", name, priority=priority)
        await jobs.add(transaction, DEFAULT_PROJECT, "vod", "elsewhere", lane="io")
        ended = await order(transaction, "ended")
        await jobs.finish(transaction, ended)

        assert await claimed(transaction) == ["now", "first", "second", "bulk"]
        assert await claimed(transaction, lane="io") == ["elsewhere"]
        assert await jobs.held(transaction, "wo1") == {job.id for job in await jobs.of_project(
            transaction, DEFAULT_PROJECT) if job.object_id != "ended"}  # fmt: skip


async def test_projects_take_turns_within_a_priority(database: Database) -> None:
    async with database.write() as transaction:
        transaction.add_all([Project(id=name, name=name) for name in ("prA", "prB", "prC")])
        await transaction.flush()
        for number in range(1, 6):
            await jobs.add(transaction, "prA", "vod", f"a{number}")
        for number in range(1, 4):
            await jobs.add(transaction, "prB", "vod", f"b{number}")
        begun = [(await next_of(transaction)).object_id for _ in range(3)]
        await jobs.add(transaction, "prC", "vod", "c1")
        await jobs.add(transaction, "prA", "vod", "a0", priority=0)

        assert begun == ["a1", "b1", "a2"]
        assert await claimed(transaction) == ["a0", "b2", "c1", "a3", "b3", "a4", "a5"]


async def next_of(transaction: Transaction) -> Job:
    job = await jobs.claim(transaction, "wo1", "encode", suspects=True)
    assert job is not None
    return job


async def test_a_suspect_waits_until_suspects_are_taken(database: Database) -> None:
    async with database.write() as transaction:
        await order(transaction, "suspect")
        await next_of(transaction)
        await jobs.free(transaction, "wo1")
        await order(transaction, "other")

        other = await jobs.claim(transaction, "wo2", "encode", suspects=False)
        suspect = await jobs.claim(transaction, "wo2", "encode", suspects=True)

    assert other is not None
    assert suspect is not None
    assert [(job.object_id, job.attempts) for job in (other, suspect)] == [("other", 1), ("suspect", 2)]


async def test_the_life_of_a_job(database: Database) -> None:
    async with database.write() as transaction:
        job = await order(transaction)
        states = [jobs.state(job)]
        await next_of(transaction)
        states.append(jobs.state(job))
        await jobs.finish(transaction, job, "unsupported: no video in it")
        states.append(jobs.state(job))
        await jobs.reopen(transaction, job)
        states.append(jobs.state(job))
        await next_of(transaction)
        await jobs.finish(transaction, job)
        states.append(jobs.state(job))

    assert states == ["waiting", "running", "failed", "waiting", "done"]
    assert (job.attempts, job.progress) == (1, 1.0)


async def test_claiming_again_counts_and_keeps_the_first_time(database: Database) -> None:
    async with database.write() as transaction:
        job = await order(transaction)
        await next_of(transaction)
        began = job.started_at
        await jobs.free(transaction, "wo1")
        await transaction.refresh(job)
        await next_of(transaction)

    assert job.attempts == 2
    assert job.started_at == began


async def test_what_is_given_back_waits_in_its_old_place_as_if_it_had_not_been_claimed(database: Database) -> None:
    async with database.write() as transaction:
        given, ended, others, kept = [await order(transaction, name) for name in ("given", "ended", "others", "kept")]
        for worker in ("wo1", "wo1", "wo2", "wo1"):
            await jobs.claim(transaction, worker, "encode", suspects=False)
        await jobs.finish(transaction, ended)
    async with database.write() as transaction:
        await jobs.give_back(transaction, "wo1", [given.id, ended.id, others.id])

    async with database.write() as transaction:
        listed = await jobs.of_project(transaction, DEFAULT_PROJECT)
        found = {job.object_id: (job.worker, job.attempts) for job in listed}
        assert found == {"given": (None, 0), "ended": ("wo1", 1), "others": ("wo2", 1), "kept": ("wo1", 1)}
        assert await jobs.held(transaction, "wo1") == {kept.id}
        assert await jobs.workers(transaction) == {"wo1", "wo2"}
        assert (await next_of(transaction)).object_id == "given"


async def test_progress_is_kept_until_the_end(database: Database) -> None:
    ends_at = clock.now() + timedelta(minutes=5)
    async with database.write() as transaction:
        job = await order(transaction)
        await jobs.report(transaction, job.id, 0.25, "rendition 2 of 4", ends_at)
        await transaction.refresh(job)
        assert (job.progress, job.message, job.ends_at) == (0.25, "rendition 2 of 4", ends_at)
        await jobs.finish(transaction, job, "unsupported: no video in it")
        await transaction.flush()
        await jobs.report(transaction, job.id, 0.5, None, ends_at)
        await transaction.refresh(job)

    assert (job.progress, job.ends_at) == (0.25, None)


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
        old.finished_at, recent.finished_at = now - jobs.KEPT - timedelta(days=1), now
        unfinished.created_at = now - 2 * jobs.KEPT
    async with database.write() as transaction:
        assert not await jobs.sweep(transaction, now)

    async with database.read() as transaction:
        left = {job.object_id for job in await jobs.of_project(transaction, DEFAULT_PROJECT)}
    assert left == {"recent", "unfinished"}


async def test_however_many_old_ends_there_are_a_round_takes_them_all(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAUSE_S", 0)
    ended = clock.now() - jobs.KEPT - timedelta(days=1)
    old = {"project_id": DEFAULT_PROJECT, "kind": "vod", "object_id": "old", "finished_at": ended}
    async with database.write() as transaction:
        await transaction.execute(insert(Job), [old] * (2 * removal.AT_ONCE + 1))
    await sweeping.sweep(database)

    async with database.read() as transaction:
        assert await transaction.scalar(select(func.count()).select_from(Job)) == 0


async def test_failures_are_told_by_kind_and_code(database: Database) -> None:
    async with database.write() as transaction:
        for kind, error, ago_h in (("vod", "timeout: long", 0), ("vod", "timeout: longer", 0), ("vod", "lost", 0),
                                   ("probe", "timeout: long", 2), ("probe", None, 0)):  # fmt: skip
            job = await jobs.add(transaction, DEFAULT_PROJECT, kind, "vi1")
            job.finished_at, job.error = clock.now() - timedelta(hours=ago_h), error
        await transaction.flush()
        found = await jobs.failed_since(transaction, clock.now() - timedelta(hours=1))

    assert found == {("vod", "timeout"): 2, ("vod", "lost"): 1}


async def test_the_backlog_is_told_by_kind(database: Database) -> None:
    async with database.write() as transaction:
        first = await order(transaction, "vi1")
        second = await order(transaction, "vi2")
        first.created_at -= timedelta(hours=1)
        probe = await jobs.add(transaction, DEFAULT_PROJECT, "probe", "vi1", lane="short")
        await jobs.finish(transaction, await jobs.add(transaction, DEFAULT_PROJECT, "done", "vi1"))
        await transaction.flush()
        await next_of(transaction)

        assert await jobs.backlog(transaction) == {
            "vod": jobs.Backlog(1, 1, second.created_at),
            "probe": jobs.Backlog(1, 0, probe.created_at),
        }
