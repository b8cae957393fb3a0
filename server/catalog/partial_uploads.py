"""Partial uploads. They are nobody's news: what they are joined to is."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, delete, select

from server.catalog.database import Transaction
from server.catalog.models import Upload
from server.catalog.upload_models import PartialUpload
from server.catalog.uploads import OPEN


async def add(transaction: Transaction, partial: PartialUpload) -> None:
    transaction.add(partial)
    await transaction.flush()


async def get(transaction: Transaction, partial_id: str) -> PartialUpload | None:
    return await transaction.get(PartialUpload, partial_id)


async def named(transaction: Transaction, ids: Collection[str]) -> list[PartialUpload]:
    """Those of them that there are, in their order."""
    rows = await transaction.scalars(select(PartialUpload).where(PartialUpload.id.in_(ids)))
    known = {row.id: row for row in rows}
    return [known[id] for id in ids if id in known]


async def of_upload(transaction: Transaction, upload_id: str) -> list[PartialUpload]:
    """What it is made of, in order."""
    query = select(PartialUpload).where(PartialUpload.upload_id == upload_id).order_by(PartialUpload.number)
    return list(await transaction.scalars(query))


async def expired(transaction: Transaction, now: datetime, limit: int = 100) -> list[str]:
    """Ids of those whose time is over, but for those that are being joined."""
    return list(await transaction.scalars(_expired(now).limit(limit)))


async def is_expired(transaction: Transaction, partial_id: str, now: datetime) -> bool:
    """Whether it is one of those."""
    return await transaction.scalar(_expired(now).where(PartialUpload.id == partial_id)) is not None


def _expired(now: datetime) -> Select[str]:
    joining = select(Upload.id).where(Upload.id == PartialUpload.upload_id, Upload.state.in_(OPEN)).exists()
    return select(PartialUpload.id).where(PartialUpload.expires_at <= now, ~joining)


async def remove(transaction: Transaction, partial_id: str) -> None:
    await transaction.execute(delete(PartialUpload).where(PartialUpload.id == partial_id))
