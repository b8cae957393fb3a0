"""Jobs as rows: the order for work, committed with the fact that asks for it, and who is at it."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, select, update

from server import clock
from server.catalog import listing, removal
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import Job

State = Literal["waiting", "running", "done", "failed"]

KEPT = timedelta(days=30)  # rows of those that ended

_UNFINISHED = Job.finished_at.is_(None)
_WAITS = _UNFINISHED & Job.worker.is_(None)
_STATES: dict[State, ColumnElement[bool]] = {
    "waiting": _WAITS,
    "running": _UNFINISHED & Job.worker.is_not(None),
    "done": Job.finished_at.is_not(None) & Job.error.is_(None),
    "failed": Job.finished_at.is_not(None) & Job.error.is_not(None),
}


SORT_COLUMNS = {"createdAt": Job.created_at}


@dataclass(frozen=True, slots=True)
class Filter:
    """None: any."""

    object_id: str | None = None
    state: State | None = None


async def add(
    transaction: Transaction,
    project_id: str,
    kind: str,
    object_id: str,
    arguments: dict[str, Any] | None = None,
    lane: str = "encode",
    priority: int = 2,
) -> Job:
    turn = await _next_turn(transaction, project_id, lane, priority)
    job = Job(
        project_id=project_id, kind=kind, lane=lane, priority=priority, turn=turn, object_id=object_id,
        arguments=arguments or {},
    )  # fmt: skip
    transaction.add(job)
    await transaction.flush()
    return job


async def _next_turn(transaction: Transaction, project_id: str, lane: str, priority: int) -> int:
    """One after the project's own last one; a project for which nothing waits comes in with those whose turn it is."""
    beside = (_WAITS, Job.lane == lane, Job.priority == priority)
    last = await transaction.scalar(select(func.max(Job.turn)).where(*beside, Job.project_id == project_id))
    if last is not None:
        return int(last) + 1
    return int(await transaction.scalar(select(func.min(Job.turn)).where(*beside)) or 0)


async def get(transaction: Transaction, job_id: str) -> Job | None:
    return await transaction.get(Job, job_id)


async def locked(transaction: Transaction, job_id: str) -> Job | None:
    """As it is now, and as nobody else changes it before the end of the transaction."""
    return await transaction.get(Job, job_id, with_for_update=True)


async def of_project(
    transaction: Transaction, project_id: str, object_id: str | None = None, limit: int = 100
) -> list[Job]:
    """Newest first, those of one object if it is given."""
    query = select(Job).where(Job.project_id == project_id)
    if object_id is not None:
        query = query.where(Job.object_id == object_id)
    rows = await transaction.scalars(query.order_by(Job.created_at.desc(), Job.id).limit(limit))
    return list(rows)


async def page(transaction: Transaction, project_id: str, wanted: Filter, paging: Paging) -> Page[Job]:
    """Newest first unless told otherwise."""
    query = select(Job).where(Job.project_id == project_id)
    if wanted.object_id is not None:
        query = query.where(Job.object_id == wanted.object_id)
    if wanted.state is not None:
        query = query.where(_STATES[wanted.state])
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, Job.created_at, Job.id)


async def unfinished(transaction: Transaction, kind: str, object_id: str) -> list[str]:
    """Ids of an object's jobs of one kind."""
    query = select(Job.id).where(Job.object_id == object_id, Job.kind == kind, _UNFINISHED)
    return list(await transaction.scalars(query))


async def unfinished_of(transaction: Transaction, object_id: str, but: Collection[str] = ()) -> list[str]:
    """Ids of the jobs about an object that have not ended, but those of some kinds."""
    query = select(Job.id).where(Job.object_id == object_id, _UNFINISHED, Job.kind.not_in(but))
    return list(await transaction.scalars(query))


async def unfinished_about(transaction: Transaction, object_id: str, kinds: Collection[str]) -> list[Job]:
    """Jobs of some kinds about an object that have not ended."""
    query = select(Job).where(Job.object_id == object_id, Job.kind.in_(kinds), _UNFINISHED)
    return list(await transaction.scalars(query))


async def claim(
    transaction: Transaction, worker: str, lane: str, suspects: bool, kinds: Collection[str] | None = None
) -> Job | None:
    """Makes the job of a lane that comes first, of some kinds or of any, the worker's, and counts the attempt.

    A suspect is one that was claimed before and never given back: the worker died at it.
    """
    query = select(Job).where(_WAITS, Job.lane == lane)
    if kinds is not None:
        query = query.where(Job.kind.in_(kinds))
    if not suspects:
        query = query.where(Job.attempts == 0)
    first = query.order_by(Job.priority, Job.turn, Job.created_at, Job.id).limit(1)
    job: Job | None = await transaction.scalar(first.with_for_update(skip_locked=True))
    if job is not None:
        job.worker = worker
        job.attempts += 1
        job.started_at = job.started_at or clock.now()
        await transaction.flush()
    return job


async def held(transaction: Transaction, worker: str) -> set[str]:
    """Ids of the unfinished jobs of a worker."""
    return set(await transaction.scalars(select(Job.id).where(_UNFINISHED, Job.worker == worker)))


async def workers(transaction: Transaction) -> set[str]:
    """All that hold an unfinished job."""
    return {worker for worker in await transaction.scalars(select(Job.worker).where(_UNFINISHED).distinct()) if worker}


async def free(transaction: Transaction, worker: str) -> list[str]:
    """Lets others claim what a worker left behind when it died: the ids. Its attempts stay counted."""
    query = update(Job).where(_UNFINISHED, Job.worker == worker).values(worker=None).returning(Job.id)
    return list(await transaction.scalars(query))


async def give_back(transaction: Transaction, worker: str, job_ids: Collection[str]) -> None:
    """These jobs of a worker wait again, as if they had not been claimed: they did nothing wrong."""
    await transaction.execute(
        update(Job)
        .where(Job.id.in_(job_ids), Job.worker == worker, _UNFINISHED)
        .values(worker=None, attempts=Job.attempts - 1)
    )


async def report(
    transaction: Transaction, job_id: str, progress: float, message: str | None, ends_at: datetime | None
) -> None:
    """How far it is, unless it has ended."""
    await transaction.execute(
        update(Job).where(Job.id == job_id, _UNFINISHED).values(progress=progress, message=message, ends_at=ends_at)
    )


async def finish(transaction: Transaction, job: Job, error: str | None = None) -> None:
    job.finished_at, job.error, job.ends_at = clock.now(), error, None
    if error is None:
        job.progress = 1.0


async def reopen(transaction: Transaction, job: Job) -> None:
    """As if it were ordered anew, in its old place."""
    job.finished_at, job.error, job.started_at, job.ends_at, job.message = None, None, None, None, None
    job.worker, job.attempts, job.progress = None, 0, 0.0


async def depth(transaction: Transaction) -> tuple[int, datetime | None]:
    """How many are unfinished, and when the oldest of them was ordered."""
    row = (
        await transaction.execute(select(func.count(), func.min(Job.created_at)).where(_UNFINISHED))
    ).one()
    return row[0], row[1]


@dataclass(frozen=True, slots=True)
class Backlog:
    """Of one kind: what has not ended."""

    waiting: int
    running: int
    oldest: datetime  # when the first of those that wait was ordered; of those that run, if none waits


async def backlog(transaction: Transaction) -> dict[str, Backlog]:
    """By kind."""
    waits = Job.worker.is_(None)
    query = select(Job.kind, waits, func.count(), func.min(Job.created_at)).where(_UNFINISHED).group_by(Job.kind, waits)
    found: dict[str, Backlog] = {}
    for kind, waiting, count, oldest in sorted(await transaction.execute(query), key=lambda row: bool(row[1])):
        before = found.get(kind)
        found[kind] = Backlog(count, before.running if before else 0, oldest) if waiting else Backlog(0, count, oldest)
    return found


async def failed_since(transaction: Transaction, since: datetime, limit: int = 10_000) -> dict[tuple[str, ...], int]:
    """How many failed for good since then, by kind and code."""
    failed = Job.finished_at >= since, Job.error.is_not(None)
    rows = await transaction.execute(select(Job.kind, Job.error).where(*failed).limit(limit))
    return dict(Counter((kind, (error or "").partition(":")[0]) for kind, error in rows))


async def sweep(transaction: Transaction, now: datetime) -> bool:
    """Removes some of those that ended long ago; whether there may be more."""
    return await removal.some(transaction, Job.id, Job.finished_at < now - KEPT)


def state(job: Job) -> State:
    if job.finished_at is not None:
        return "done" if job.error is None else "failed"
    return "waiting" if job.worker is None else "running"
