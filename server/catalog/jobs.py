"""Jobs as rows: the order for work, committed with the fact that asks for it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, func, select, update

from server import clock
from server.catalog.database import Transaction
from server.catalog.models import Job

State = Literal["waiting", "running", "done", "failed"]


async def add(
    transaction: Transaction, project_id: str, kind: str, object_id: str, arguments: dict[str, Any] | None = None
) -> Job:
    job = Job(project_id=project_id, kind=kind, object_id=object_id, arguments=arguments or {})
    transaction.add(job)
    await transaction.flush()
    return job


async def get(transaction: Transaction, job_id: str) -> Job | None:
    return await transaction.get(Job, job_id)


async def of_project(
    transaction: Transaction, project_id: str, object_id: str | None = None, limit: int = 100
) -> list[Job]:
    """Newest first, those of one object if it is given."""
    query = select(Job).where(Job.project_id == project_id)
    if object_id is not None:
        query = query.where(Job.object_id == object_id)
    rows = await transaction.scalars(query.order_by(Job.created_at.desc(), Job.id).limit(limit))
    return list(rows)


async def unfinished(transaction: Transaction, kind: str, object_id: str) -> list[str]:
    """Ids of an object's jobs of one kind."""
    query = select(Job.id).where(Job.object_id == object_id, Job.kind == kind, Job.finished_at.is_(None))
    return list(await transaction.scalars(query))


async def suspects(transaction: Transaction) -> set[str]:
    """Ids of those that had begun and neither ended nor were drained when the server last stopped."""
    return set(await transaction.scalars(select(Job.id).where(Job.finished_at.is_(None), Job.attempts > 0)))


async def oldest_waiting(transaction: Transaction, begun: Collection[str]) -> str | None:
    """The id of the unfinished job that was ordered first, leaving out those already begun."""
    query = select(Job.id).where(Job.finished_at.is_(None), Job.id.not_in(begun))
    found: str | None = await transaction.scalar(query.order_by(Job.created_at, Job.id).limit(1))
    return found


async def begin(transaction: Transaction, job: Job) -> None:
    job.attempts += 1
    if job.started_at is None:
        job.started_at = clock.now()


async def take_back(transaction: Transaction, job_ids: Collection[str]) -> None:
    """The attempt that these jobs are in doesn't count: it is the server that ended it, on purpose."""
    await transaction.execute(
        update(Job)
        .where(Job.id.in_(job_ids), Job.finished_at.is_(None), Job.attempts > 0)
        .values(attempts=Job.attempts - 1)
    )


async def finish(transaction: Transaction, job: Job, error: str | None = None) -> None:
    job.finished_at, job.error = clock.now(), error


async def reopen(transaction: Transaction, job: Job) -> None:
    """As if it were ordered anew, in its old place."""
    job.finished_at, job.error, job.started_at, job.attempts = None, None, None, 0


async def depth(transaction: Transaction) -> tuple[int, datetime | None]:
    """How many are unfinished, and when the oldest of them was ordered."""
    row = (
        await transaction.execute(select(func.count(), func.min(Job.created_at)).where(Job.finished_at.is_(None)))
    ).one()
    return row[0], row[1]


async def sweep(transaction: Transaction, before: datetime) -> None:
    """Removes those that finished before a time."""
    await transaction.execute(delete(Job).where(Job.finished_at < before))


def state(job: Job) -> State:
    if job.finished_at is not None:
        return "done" if job.error is None else "failed"
    return "waiting" if job.started_at is None else "running"
