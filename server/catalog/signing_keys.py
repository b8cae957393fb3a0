"""Keys that products sign playback tokens with: their public halves."""

from sqlalchemy import func, select

from server.catalog import events, listing
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.playback_models import SigningKey

SORT_COLUMNS = {"createdAt": SigningKey.created_at, "name": SigningKey.name}


async def add(transaction: Transaction, row: SigningKey) -> SigningKey:
    transaction.add(row)
    await transaction.flush()
    await _tell(transaction, row, "created")
    return row


async def find(transaction: Transaction, key_id: str) -> SigningKey | None:
    """One of whatever project: for watching."""
    return await transaction.get(SigningKey, key_id)


async def get(transaction: Transaction, project_id: str, key_id: str) -> SigningKey | None:
    row = await find(transaction, key_id)
    return row if row is not None and row.project_id == project_id else None


async def count(transaction: Transaction, project_id: str) -> int:
    return await transaction.scalar(select(func.count()).where(SigningKey.project_id == project_id)) or 0


async def page(transaction: Transaction, project_id: str, paging: Paging) -> Page[SigningKey]:
    """Newest first unless told otherwise."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    query = select(SigningKey).where(SigningKey.project_id == project_id)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, SigningKey.created_at, SigningKey.id)


async def rename(transaction: Transaction, row: SigningKey, name: str) -> None:
    row.name = name
    await _tell(transaction, row, "updated")


async def remove(transaction: Transaction, row: SigningKey) -> None:
    """Its tokens, and the sessions that they began, end."""
    await transaction.delete(row)
    await _tell(transaction, row, "deleted")


async def _tell(transaction: Transaction, row: SigningKey, what: str) -> None:
    payload = {"signingKeyId": row.id, "name": row.name, "algorithm": row.algorithm}
    await events.record(transaction, row.project_id, row.id, f"signing-key.{what}", payload)
