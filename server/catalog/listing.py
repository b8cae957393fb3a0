"""Pages of rows: what a list call may ask for, and the slice it gets."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, bindparam, func
from sqlalchemy.orm import InstrumentedAttribute

from server.catalog.database import Transaction
from server.catalog.prepared import Prepared

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Paging:
    """Which slice: `page` counts from 1; `sort_by` is a key of the repository's table of columns, as are those of
    `then`, which order rows that are alike, each ascending or, with True, descending."""

    page: int = 1
    size: int = 25
    sort_by: str | None = None
    descending: bool = False
    then: Sequence[tuple[str, bool]] = ()

    @property
    def first(self) -> int:
        """How many come before the slice."""
        return (self.page - 1) * self.size

    def total_by(self, found: int) -> int | None:
        """Of all rows, by the number of those in the slice; None where it does not tell: they are to be counted."""
        return self.first + found if found < self.size and (found or not self.first) else None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A slice of all the rows that match."""

    rows: Sequence[Row]
    total: int
    paging: Paging

    @property
    def pages(self) -> int:
        return -(-self.total // self.paging.size)


class Listing(Generic[Row]):
    """The rows of a query without DISTINCT and groups, page by page; those that sort alike come in the order of `tie`,
    so that pages never overlap. A list without `columns` has one order, of which only the direction can be chosen."""

    def __init__(
        self,
        query: Select[Row],
        columns: Mapping[str, InstrumentedAttribute[Any]],
        default: ColumnElement[Any] | InstrumentedAttribute[Any],
        tie: InstrumentedAttribute[Any],
    ) -> None:
        self._query = query
        self._columns = columns
        self._default = default
        self._tie = tie
        self._pages: dict[tuple[str | None, bool], Prepared[Row]] = {}  # there are few without a `then`
        self._count: Prepared[int] = Prepared(counted(query))

    async def page(self, transaction: Transaction, paging: Paging, **parameters: Any) -> Page[Row]:
        """`parameters`: the query's."""
        found = await self._page(paging).all(transaction, size=paging.size, first=paging.first, **parameters)
        return await page_of(found, paging, lambda: self._count.one(transaction, **parameters))

    def _page(self, paging: Paging) -> Prepared[Row]:
        order = (paging.sort_by if self._columns else None, paging.descending)
        known = None if paging.then else self._pages.get(order)
        if known is not None:
            return known
        ordered = _ordered(self._query, paging, self._columns, self._default, self._tie)
        made: Prepared[Row] = Prepared(ordered.limit(bindparam("size")).offset(bindparam("first")))
        if not paging.then:
            self._pages[order] = made
        return made


async def fetch(
    transaction: Transaction,
    query: Select[Row],
    paging: Paging,
    columns: Mapping[str, InstrumentedAttribute[Any]],
    default: ColumnElement[Any] | InstrumentedAttribute[Any],
    tie: InstrumentedAttribute[Any],
) -> Page[Row]:
    """The page of a query that is made for this call, as that of a `Listing`."""
    ordered = _ordered(query, paging, columns, default, tie)
    rows = list(await transaction.scalars(ordered.limit(paging.size).offset(paging.first)))
    return await page_of(rows, paging, lambda: transaction.scalar(counted(query)))


def counted(query: Select[Any]) -> Select[int]:
    """How many it finds. Not around it as a subquery, which would name each of its columns."""
    return query.order_by(None).with_only_columns(func.count(), maintain_column_froms=True)


def _ordered(
    query: Select[Row],
    paging: Paging,
    columns: Mapping[str, InstrumentedAttribute[Any]],
    default: ColumnElement[Any] | InstrumentedAttribute[Any],
    tie: InstrumentedAttribute[Any],
) -> Select[Row]:
    column = columns[paging.sort_by] if paging.sort_by and columns else default
    by = [(column, paging.descending), *((columns[name], falling) for name, falling in paging.then)]
    by.append((tie, paging.descending))
    return query.order_by(*(each.desc() if falling else each.asc() for each, falling in by))


async def page_of(rows: Sequence[Row], paging: Paging, count: Callable[[], Awaitable[int | None]]) -> Page[Row]:
    """The page with these rows; all are counted only where it does not tell how many there are."""
    total = paging.total_by(len(rows))
    return Page(rows, await count() or 0 if total is None else total, paging)
