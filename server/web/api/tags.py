"""The tags of videos, and how many have each."""

from typing import Annotated, Literal

from pydantic import Field

from server.catalog import tags
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import Answer
from server.web.typed import Call, Operations

operations = Operations("Tags")


class TagAnswer(Answer):
    value: str
    video_count: int


class TagList(Answer):
    data: list[TagAnswer]
    pagination: Pagination


class TagQuery(PageQuery):
    value: Annotated[str | None, Field(description="Contained in the tag, whatever its case and accents.")] = None
    sort_by: Literal["value", "videoCount"] | None = None


@operations.get("/tags", "List tags", scope="videos:read")
async def list_all(call: Call, query: TagQuery) -> TagList:
    """By their words unless sorted."""
    paging = query.paging(query.sort_by or "value")
    async with call.services.database.read() as transaction:
        page = await tags.page(transaction, call.project_id, query.value, paging)
    return TagList(
        data=[TagAnswer(value=tag.value, video_count=tag.videos) for tag in page.rows],
        pagination=pagination(call.request, page),
    )
