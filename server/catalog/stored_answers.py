"""Answers that are kept for callers who ask again with the same Idempotency-Key."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm.attributes import set_committed_value

from server.catalog import removal
from server.catalog.access_models import StoredAnswer
from server.catalog.database import Transaction
from server.catalog.flushing import Addition
from server.catalog.prepared import Prepared

_OF_KEY = (StoredAnswer.project_id == bindparam("project_id"), StoredAnswer.key_hash == bindparam("key_hash"))
_FOUND: Prepared[StoredAnswer] = Prepared(select(StoredAnswer).where(*_OF_KEY))
_SEALED: Prepared[bytes] = Prepared(select(StoredAnswer.sealed).where(*_OF_KEY))  # it may be long
_ADD = Addition(StoredAnswer)


async def find(transaction: Transaction, project_id: str, key_hash: str, now: datetime) -> StoredAnswer | None:
    """The one that has not expired."""
    key: dict[str, Any] = {"project_id": project_id, "key_hash": key_hash}
    row = await _FOUND.one(transaction, **key)
    if row is None or row.expires_at <= now:
        return None
    set_committed_value(row, "sealed", await _SEALED.one(transaction, **key))
    return row


async def keep(transaction: Transaction, answer: StoredAnswer) -> None:
    """In place of an expired one."""
    if await _FOUND.one(transaction, project_id=answer.project_id, key_hash=answer.key_hash) is None:
        await _ADD.add(transaction, answer)
        return
    await transaction.merge(answer)
    await transaction.flush()


async def sweep(transaction: Transaction, now: datetime) -> bool:
    """Removes some of those that have expired; whether there may be more."""
    return await removal.some(transaction, StoredAnswer.key_hash, StoredAnswer.expires_at <= now)
