"""Lists of videos: narrowed, searched, sorted, a page at a time, however many there are.

First the ids of a page, then its rows alone; the first pages of a list that nothing narrows are read at once.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, bindparam, select

from server.catalog import words
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging, page_of
from server.catalog.models import Video
from server.catalog.organisation_models import CustomField
from server.catalog.video_queries import Asked, Filter, Ids, first_of

NEAR = 1000  # videos before a page that are walked past in the index; behind that, the nearer end is looked for

_ROWS = select(Video).where(Video.id.in_(bindparam("ids", expanding=True)))


async def page(
    transaction: Transaction, project_id: str, wanted: Filter, paging: Paging, also: Sequence[ColumnElement[bool]] = (),
    by: CustomField | None = None,
) -> Page[Video]:  # fmt: skip
    """Newest first unless told otherwise; `also` must hold, too. `by` a custom field: those without a value come at the
    end."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", by is None or paging.descending)
    if wanted.search is not None and not words.of_search(wanted.search):
        return Page([], 0, paging)
    asked = Asked(transaction.get_bind().dialect.name, project_id, wanted, also, by is not None)
    first, size = paging.first, paging.size
    if asked.plain and by is None and first < NEAR:
        query = first_of(wanted.discarded, paging.sort_by or "createdAt", paging.descending)
        near = await query.all(transaction, project_id=project_id, size=size, first=first)
        return await page_of(near, paging, lambda: asked.count(transaction))
    total = await asked.count(transaction)
    if first >= total:
        return Page([], total, paging)
    if by is not None:
        ids = await _by_field(transaction, asked, by, paging, total)
    else:
        ids = await _by_column(transaction, asked, paging, total)
    rows = {row.id: row for row in await transaction.scalars(_ROWS, {"ids": ids})}
    return Page([rows[id] for id in ids if id in rows], total, paging)


async def _by_column(transaction: Transaction, asked: Asked, paging: Paging, total: int) -> list[str]:
    name, first, size = paging.sort_by or "createdAt", paging.first, paging.size
    near = asked.near(name, paging.descending, first + size, total)
    if near is not None:
        ids = list(await transaction.scalars(near.limit(size).offset(first)))
        if len(ids) == size:
            return ids
    return await _slice(
        transaction, lambda turned: asked.order(name, paging.descending != turned, total), first, size, total
    )


async def _slice(
    transaction: Transaction, order: Callable[[bool], Ids], first: int, size: int, total: int
) -> list[str]:
    """Of `total` ids, from whichever end is nearer; `order` gives them, or turned around."""
    size = min(size, total - first)
    behind = total - first - size
    turned = behind < first
    ids = list(await transaction.scalars(order(turned).limit(size).offset(behind if turned else first)))
    return ids[::-1] if turned else ids


async def _by_field(transaction: Transaction, asked: Asked, by: CustomField, paging: Paging, total: int) -> list[str]:
    first, size, ids = paging.first, paging.size, list[str]()
    if first < max(NEAR, total // 2):  # maybe it needs no count of those that have a value
        near = asked.by_value(by, paging.descending)
        ids = list(await transaction.scalars(near.limit(size).offset(first)))
        if len(ids) == size:
            return ids
    with_value = first + len(ids) if ids else await asked.count_with(transaction, by, total)
    if not ids and first < with_value:
        ids = await _slice(
            transaction, lambda turned: asked.by_value(by, paging.descending != turned),
            first, min(size, with_value - first), with_value,
        )  # fmt: skip
    rest, before = total - with_value, max(first - with_value, 0)
    if len(ids) == size or before >= rest:
        return ids
    others = await _slice(
        transaction, lambda turned: asked.without_value(by, not turned), before, size - len(ids), rest
    )
    return list(dict.fromkeys(ids + others))  # on PostgreSQL one may have lost its value between the two
