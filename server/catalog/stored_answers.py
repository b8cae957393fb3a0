"""Answers that are kept for callers who ask again with the same Idempotency-Key."""

from datetime import datetime

from server.catalog import removal
from server.catalog.access_models import StoredAnswer
from server.catalog.database import Transaction


async def find(transaction: Transaction, project_id: str, key_hash: str, now: datetime) -> StoredAnswer | None:
    """The one that has not expired."""
    row = await transaction.get(StoredAnswer, (project_id, key_hash))
    if row is None or row.expires_at <= now:
        return None
    await transaction.refresh(row, ["sealed"])  # it may be long; rarely is there any
    return row


async def keep(transaction: Transaction, answer: StoredAnswer) -> None:
    """In place of an expired one."""
    await transaction.merge(answer)
    await transaction.flush()


async def sweep(transaction: Transaction, now: datetime) -> bool:
    """Removes some of those that have expired; whether there may be more."""
    return await removal.some(transaction, StoredAnswer.key_hash, StoredAnswer.expires_at <= now)
