"""Pages of rows: what a list call may ask for, and the slice it gets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, func
from sqlalchemy.orm import InstrumentedAttribute

from server.catalog.database import Transaction

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


async def fetch(
    transaction: Transaction,
    query: Select[Row],
    paging: Paging,
    columns: Mapping[str, InstrumentedAttribute[Any]],
    default: ColumnElement[Any] | InstrumentedAttribute[Any],
    tie: InstrumentedAttribute[Any],
) -> Page[Row]:
    """The page of a query without DISTINCT and groups; rows that sort alike come in the order of `tie`, so that pages
    never overlap. A list without `columns` has one order, of which only the direction can be chosen."""
    column = columns[paging.sort_by] if paging.sort_by and columns else default
    by = [(column, paging.descending), *((columns[name], falling) for name, falling in paging.then)]
    order = [each.desc() if falling else each.asc() for each, falling in [*by, (tie, paging.descending)]]
    rows = list(await transaction.scalars(query.order_by(*order).limit(paging.size).offset(paging.first)))
    # not around it as a subquery, which would name each of its columns
    return await page_of(
        transaction, rows, paging,
        lambda: query.order_by(None).with_only_columns(func.count(), maintain_column_froms=True),
    )  # fmt: skip


async def page_of(
    transaction: Transaction, rows: Sequence[Row], paging: Paging, count: Callable[[], Select[int]]
) -> Page[Row]:
    """The page with these rows; all are counted only where it does not tell how many there are."""
    total = paging.total_by(len(rows))
    return Page(rows, await transaction.scalar(count()) or 0 if total is None else total, paging)
