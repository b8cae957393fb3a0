"""Playback restrictions: who may watch, by page, browser, country and address."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from server.catalog import events, listing
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.playback_models import PlaybackRestriction

SORT_COLUMNS = {"createdAt": PlaybackRestriction.created_at, "name": PlaybackRestriction.name}


async def add(transaction: Transaction, row: PlaybackRestriction) -> PlaybackRestriction:
    transaction.add(row)
    await transaction.flush()
    await _tell(transaction, row, "created")
    return row


async def find(transaction: Transaction, restriction_id: str) -> PlaybackRestriction | None:
    """One of whatever project: for watching."""
    return await transaction.get(PlaybackRestriction, restriction_id)


async def get(transaction: Transaction, project_id: str, restriction_id: str) -> PlaybackRestriction | None:
    row = await find(transaction, restriction_id)
    return row if row is not None and row.project_id == project_id else None


async def count(transaction: Transaction, project_id: str) -> int:
    return await transaction.scalar(select(func.count()).where(PlaybackRestriction.project_id == project_id)) or 0


async def page(transaction: Transaction, project_id: str, paging: Paging) -> Page[PlaybackRestriction]:
    """Newest first unless told otherwise."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    query = select(PlaybackRestriction).where(PlaybackRestriction.project_id == project_id)
    return await listing.fetch(
        transaction, query, paging, SORT_COLUMNS, PlaybackRestriction.created_at, PlaybackRestriction.id
    )


async def change(
    transaction: Transaction, row: PlaybackRestriction, name: str | None, rules: Mapping[str, Any]
) -> None:
    """A rule that is given takes the place of the one that was; a name of None stays."""
    changed = sorted(rules) + (["name"] if name is not None else [])
    if name is not None:
        row.name = name
    row.rules = {**row.rules, **rules}
    await _tell(transaction, row, "updated", changed=changed)


async def remove(transaction: Transaction, row: PlaybackRestriction) -> None:
    """Tokens that name it open nothing any more."""
    await transaction.delete(row)
    await _tell(transaction, row, "deleted")


async def _tell(transaction: Transaction, row: PlaybackRestriction, what: str, **more: object) -> None:
    payload = {"restrictionId": row.id, "name": row.name, **more}
    await events.record(transaction, row.project_id, row.id, f"playback-restriction.{what}", payload)
