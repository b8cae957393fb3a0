"""Watermarks of a project."""

from sqlalchemy import func, select

from server.catalog import events, listing
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import Watermark

SORT_COLUMNS = {"createdAt": Watermark.created_at}


async def add(transaction: Transaction, watermark: Watermark) -> Watermark:
    """A new watermark and its event."""
    transaction.add(watermark)
    await transaction.flush()
    await _tell(transaction, watermark, "created")
    return watermark


async def get(transaction: Transaction, project_id: str, watermark_id: str) -> Watermark | None:
    row = await transaction.get(Watermark, watermark_id)
    return row if row is not None and row.project_id == project_id else None


async def count(transaction: Transaction, project_id: str) -> int:
    wanted = select(func.count()).select_from(Watermark).where(Watermark.project_id == project_id)
    return await transaction.scalar(wanted) or 0


async def page(transaction: Transaction, project_id: str, paging: Paging) -> Page[Watermark]:
    """Newest first unless told otherwise."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    query = select(Watermark).where(Watermark.project_id == project_id)
    return await listing.fetch(
        transaction, query, paging, SORT_COLUMNS, Watermark.created_at, Watermark.id
    )


async def all_ids(transaction: Transaction) -> set[str]:
    """Of whatever project."""
    return set(await transaction.scalars(select(Watermark.id)))


async def remove(transaction: Transaction, watermark: Watermark) -> None:
    """The row goes; the file is the caller's to delete after the commit."""
    await transaction.delete(watermark)
    await _tell(transaction, watermark, "deleted")


async def _tell(transaction: Transaction, watermark: Watermark, what: str) -> None:
    payload = {"watermarkId": watermark.id}
    await events.record(transaction, watermark.project_id, watermark.id, f"watermark.{what}", payload)
