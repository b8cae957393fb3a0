"""Pages of a list: what a client may ask for, and what it is told about where it is."""

from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from aiohttp import web
from pydantic import Field

from server.catalog.listing import Page, Paging, Row
from server.web.shapes import WHOLE, Answer, Query

PAGE_SIZE = 25
PAGE_SIZE_LIMIT = 100
PAGE_LIMIT = 10_000_000  # keeps the offset far below what a database counts to


_NOT_KEPT = ("currentPage", "pageSize", "token", "access_token")  # what links give themselves, and credentials


class PageQuery(Query):
    """To be extended with `sort_by` and filters."""

    current_page: Annotated[int, Field(ge=1, le=PAGE_LIMIT, description="Page to give, from 1."), WHOLE] = 1
    page_size: Annotated[int, Field(ge=1, le=PAGE_SIZE_LIMIT, description="Objects on a page."), WHOLE] = PAGE_SIZE
    sort_order: Annotated[
        Literal["asc", "desc"] | None, Field(description="asc when sortBy is given, else newest first.")
    ] = None

    def paging(self, sort_by: str | None) -> Paging:
        descending = self.sort_order == "desc"
        if sort_by is None and self.sort_order:
            sort_by = "createdAt"
        return Paging(self.current_page, self.page_size, sort_by, descending)


class PageLink(Answer):
    rel: Literal["self", "first", "previous", "next", "last"]
    uri: str


class Pagination(Answer):
    current_page: int
    current_page_items: int
    page_size: int
    pages_total: int
    items_total: int
    links: list[PageLink]


def pagination(request: web.Request, page: Page[Row]) -> Pagination:
    """The links keep the request's filters and order."""
    number, last = page.paging.page, max(page.pages, 1)
    pages = {
        "self": number,
        "first": 1,
        "previous": number - 1 if number > 1 else None,
        "next": number + 1 if number < last else None,
        "last": last,
    }
    others = [pair for pair in request.query.items() if pair[0] not in _NOT_KEPT]
    return Pagination(
        current_page=number,
        current_page_items=len(page.rows),
        page_size=page.paging.size,
        pages_total=page.pages,
        items_total=page.total,
        links=[
            PageLink(rel=rel, uri=_uri(request.path, others, at, page.paging.size))  # type: ignore[arg-type]
            for rel, at in pages.items()
            if at is not None
        ],
    )


def _uri(path: str, others: Sequence[tuple[str, str]], number: int, size: int) -> str:
    query = urlencode([*others, ("currentPage", number), ("pageSize", size)], quote_via=quote)
    return f"{path}?{query}"
