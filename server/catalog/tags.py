"""The tags that a project's videos have."""

import asyncio
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select, true
from sqlalchemy.dialects.postgresql import JSONB

from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import Video


@dataclass(frozen=True, slots=True)
class Tag:
    value: str
    videos: int  # that have it


async def page(transaction: Transaction, project_id: str, value: str | None, paging: Paging) -> Page[Tag]:
    """By their words unless sorted by `videoCount`; `value` is contained in them, whatever case and accents."""
    rows = await transaction.execute(_counts(transaction, project_id))
    counted = [Tag(row[0], row[1]) for row in rows]
    found = await asyncio.to_thread(_found, counted, _folded(value or ""), paging)  # they may be very many
    start = (paging.page - 1) * paging.size
    return Page(found[start : start + paging.size], len(found), paging)


def _found(counted: Sequence[Tag], needle: str, paging: Paging) -> list[Tag]:
    """Those that the needle, folded, is contained in, sorted."""
    found = [tag for tag in counted if needle in _folded(tag.value)]
    found.sort(key=lambda tag: (_folded(tag.value), tag.value))
    if paging.sort_by == "videoCount":
        found.sort(key=lambda tag: tag.videos, reverse=paging.descending)
    elif paging.descending:
        found.reverse()
    return found


def _counts(transaction: Transaction, project_id: str) -> Select[Any]:
    if transaction.get_bind().dialect.name == "sqlite":
        each = func.json_each(Video.tags).table_valued("value")
    else:
        each = func.jsonb_array_elements_text(Video.tags.cast(JSONB)).table_valued("value").render_derived()
    wanted = select(each.c.value, func.count(Video.id.distinct())).select_from(Video).join(each, true())
    wanted = wanted.where(
        Video.project_id == project_id, Video.version_of.is_(None), Video.discarded_at.is_(None)
    )
    return wanted.group_by(each.c.value)


def _folded(text: str) -> str:
    """Without case and accents."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
