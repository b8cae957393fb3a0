"""Pages of a list: page, per_page, and order=created_at.desc,title.asc."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from server.catalog.listing import Page, Paging
from server.web import validation
from server.web.kinescope.shapes import Listed, Meta, One, Pagination, Query
from server.web.pagination import PAGE_LIMIT, PAGE_SIZE_LIMIT
from server.web.shapes import WHOLE, Text

ORDERS_LIMIT = 4  # columns; more decide nothing


class PageQuery(Query):
    """To be extended with filters. `SORTABLE`: the dialect's name of a column -> the repository's; the first one is the
    order of a list that none is asked of."""

    SORTABLE: ClassVar[Mapping[str, str]] = {"created_at": "createdAt"}
    DEFAULT: ClassVar[Sequence[tuple[str, str]]] = (("created_at", "desc"),)

    page: Annotated[int, Field(ge=1, le=PAGE_LIMIT, description="Page to give, from 1."), WHOLE] = 1
    per_page: Annotated[int, Field(ge=1, le=PAGE_SIZE_LIMIT, description="Objects on a page."), WHOLE] = (
        PAGE_SIZE_LIMIT
    )
    order: Annotated[
        Text | None,
        Field(description="Columns and directions, such as created_at.desc,title.asc.", max_length=200),
    ] = None

    def orders(self) -> Sequence[tuple[str, str]]:
        """Columns, as the dialect names them, and directions. Raises Problem."""
        if not self.order:
            return self.DEFAULT
        found: dict[str, str] = {}
        for each in self.order.split(","):
            column, _, direction = each.strip().partition(".")
            if column not in self.SORTABLE:
                raise validation.of_parameter("order", f"Sort by {' or '.join(self.SORTABLE)}.")
            if direction not in ("", "asc", "desc"):
                raise validation.of_parameter("order", "A direction is asc or desc.")
            found.setdefault(column, direction or "asc")
        if len(found) > ORDERS_LIMIT:
            raise validation.of_parameter("order", f"There are more than {ORDERS_LIMIT} columns.")
        return tuple(found.items())

    def ordering(self) -> Sequence[tuple[str, bool]]:
        """The repository's names of columns, and whether they fall. Raises Problem."""
        return tuple((self.SORTABLE[column], direction == "desc") for column, direction in self.orders())

    def paging(self) -> Paging:
        """Raises Problem."""
        (sort_by, descending), *then = self.ordering()
        return Paging(self.page, self.per_page, sort_by, descending, tuple(then))


def listed(query: PageQuery, page: Page[Any], data: Sequence[One]) -> Listed[One]:
    """The envelope of a page that was read as the query wanted it."""
    return enveloped(query, page.total, data)


def enveloped(query: PageQuery, total: int, data: Sequence[One]) -> Listed[One]:
    pagination = Pagination(page=query.page, per_page=query.per_page, total=total)
    return Listed(meta=Meta(pagination=pagination, order=dict(query.orders())), data=data)  # type: ignore[arg-type]
