"""Jobs as rows: the order for work, committed with the fact that asks for it."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from server import clock
from server.catalog.database import Transaction
from server.catalog.models import Job


async def add(
    transaction: Transaction, project_id: str, kind: str, object_id: str, arguments: dict[str, Any] | None = None
) -> Job:
    job = Job(project_id=project_id, kind=kind, object_id=object_id, arguments=arguments or {})
    transaction.add(job)
    await transaction.flush()
    return job


async def get(transaction: Transaction, job_id: str) -> Job | None:
    return await transaction.get(Job, job_id)


async def unfinished(transaction: Transaction) -> list[Job]:
    """Oldest first."""
    rows = await transaction.scalars(select(Job).where(Job.finished_at.is_(None)).order_by(Job.created_at))
    return list(rows)


async def finish(transaction: Transaction, job: Job, error: str | None = None) -> None:
    job.finished_at, job.error = clock.now(), error


async def depth(transaction: Transaction) -> tuple[int, datetime | None]:
    """How many are unfinished, and when the oldest of them was ordered."""
    row = (
        await transaction.execute(select(func.count(), func.min(Job.created_at)).where(Job.finished_at.is_(None)))
    ).one()
    return row[0], row[1]
