"""How others order jobs."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from server.catalog import jobs
from server.catalog.database import Transaction
from server.jobs.priorities import Lane, Priority

WAITING = "jobs waiting"  # announced with a commit: there is something to claim

# jobs.Jobs.enqueue, within the caller's transaction: project, kind, what the job is about, arguments
Enqueue = Callable[[Transaction, str, str, str, Mapping[str, Any]], Awaitable[object]]


async def once(
    transaction: Transaction, project_id: str, kind: str, object_id: str, lane: Lane, priority: Priority
) -> None:
    """For who has no `Enqueue` at hand: a job that is registered so, unless one of this kind is to come of the object
    anyway."""
    if not await jobs.unfinished(transaction, kind, object_id):
        await jobs.add(transaction, project_id, kind, object_id, lane=lane, priority=priority)
        transaction.announce(WAITING)
