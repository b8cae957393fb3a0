"""Addresses that are asked before a key is given out."""

from typing import Any

from sqlalchemy import select

from server import clock
from server.catalog import events
from server.catalog.database import Transaction
from server.catalog.sharing_models import DrmCallback


async def get(transaction: Transaction, project_id: str, parent_id: str = "") -> DrmCallback | None:
    """The one of what is kept in a place; of all others where none is named."""
    found: DrmCallback | None = await transaction.scalar(
        select(DrmCallback).where(DrmCallback.project_id == project_id, DrmCallback.parent_id == parent_id)
    )
    return found


async def put(transaction: Transaction, project_id: str, parent_id: str, **values: Any) -> DrmCallback:
    """In the place of the one that is there. `values`: url, login, password, strict."""
    row = await get(transaction, project_id, parent_id)
    if row is None:
        row = DrmCallback(project_id=project_id, parent_id=parent_id)
        transaction.add(row)
    else:
        row.updated_at = clock.now()
    for name, value in values.items():
        setattr(row, name, value)
    await transaction.flush()
    await _tell(transaction, row, "set")
    return row


async def remove(transaction: Transaction, row: DrmCallback) -> None:
    await transaction.delete(row)
    await _tell(transaction, row, "deleted")


async def _tell(transaction: Transaction, row: DrmCallback, what: str) -> None:
    payload = {"drmCallbackId": row.id, "parentId": row.parent_id or None}
    await events.record(transaction, row.project_id, row.id, f"drm-callback.{what}", payload)
