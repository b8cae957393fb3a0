"""Summaries of videos. They are written by their owner: Sluice makes none by itself."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from server import ids
from server.catalog import summaries
from server.catalog.control_models import Summary
from server.catalog.database import Transaction
from server.errors import Problem
from server.web import validation
from server.web.api.videos import named
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import ABSENT, Answer, Body, Changes, LongText, Moment, Text
from server.web.typed import Call, Operations

Attribute = Literal["abstract", "takeaways"]
Origin = Literal["api", "auto"]
Status = Literal["missing", "waiting", "failed", "completed", "unprocessable"]
Takeaway = Annotated[Text, StringConstraints(max_length=2000)]

operations = Operations("Summaries")


class SummaryCreation(Body):
    video_id: Annotated[Text, StringConstraints(min_length=1, max_length=64)]
    origin: Annotated[
        Literal["auto"] | None,
        Field(description="To have it made; as nothing here makes summaries it is then `unprocessable`."),
    ] = None
    attributes: Annotated[list[Attribute], Field(max_length=2, description="What is wanted of it.")] = Field(
        default_factory=list
    )


class SummaryChanges(Changes):
    """What is not there stays as it is."""

    abstract: LongText = ABSENT
    takeaways: Annotated[list[Takeaway], Field(max_length=3)] = ABSENT


class SummaryAnswer(Answer):
    summary_id: str
    video_id: str
    origin: Origin
    source_status: Status
    created_at: Moment
    updated_at: Moment


class SummarySource(Answer):
    """Empty until it is written."""

    abstract: str
    takeaways: list[str]


class SummaryList(Answer):
    data: list[SummaryAnswer]
    pagination: Pagination


class SummaryQuery(PageQuery):
    video_id: Annotated[str | None, Field(description="Of this video.")] = None
    origin: Origin | None = None
    source_status: Status | None = None
    sort_by: Literal["createdAt", "updatedAt", "videoId"] | None = None


@operations.post(
    "/summaries",
    "Create a summary",
    scope="videos:write",
    status=201,
    errors=["resource-not-found", "summary-already-exists"],
    example={"videoId": "vi4k0jvEUuaTdRAEjQ4Jfrgz"},
)
async def create(call: Call, body: SummaryCreation) -> SummaryAnswer:
    """Its text comes by `PATCH /summaries/{summaryId}/source`."""
    status = summaries.UNPROCESSABLE if body.origin == "auto" else summaries.MISSING
    async with call.services.database.write() as transaction:
        video = await named(transaction, call, body.video_id, "videoId")
        if await summaries.of_video(transaction, video.id) is not None:
            raise Problem("summary-already-exists", name="videoId")
        row = Summary(project_id=video.project_id, video_id=video.id, origin=body.origin or "api", status=status)
        return _answer(await summaries.add(transaction, row))


@operations.get("/summaries", "List summaries", scope="videos:read")
async def list_all(call: Call, query: SummaryQuery) -> SummaryList:
    """Newest first unless sorted."""
    video_id = _video_id(query.video_id)
    async with call.services.database.read() as transaction:
        page = await summaries.page(
            transaction, call.project_id, query.paging(query.sort_by), video_id, query.origin, query.source_status
        )
    return SummaryList(data=[_answer(row) for row in page.rows], pagination=pagination(call.request, page))


@operations.delete("/summaries/{summaryId}", "Delete a summary", scope="videos:write", status=204)
async def delete(call: Call, summary_id: str) -> None:
    """The video stays as it is."""
    async with call.services.database.write() as transaction:
        await summaries.remove(transaction, await _find(transaction, call, summary_id))


@operations.get("/summaries/{summaryId}/source", "Show the text of a summary", scope="videos:read")
async def show_source(call: Call, summary_id: str) -> SummarySource:
    """The abstract and the takeaways; empty until they are written."""
    async with call.services.database.read() as transaction:
        return _source(await _find(transaction, call, summary_id))


@operations.patch(
    "/summaries/{summaryId}/source",
    "Write a summary",
    scope="videos:write",
    status=201,
    example={"abstract": "How to sharpen a knife.", "takeaways": ["Use a stone."]},
)
async def write(call: Call, summary_id: str, body: SummaryChanges) -> SummarySource:
    """What is left out stays as it is."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, summary_id)
        await summaries.write(transaction, row, body.abstract, body.takeaways)
    return _source(row)


async def _find(transaction: Transaction, call: Call, summary_id: str) -> Summary:
    """The caller's. Raises Problem."""
    row = await summaries.get(transaction, call.project_id, summary_id)
    if row is None:
        raise Problem("resource-not-found", name="summaryId")
    return row


def _video_id(text: str | None) -> str | None:
    try:
        return ids.canonical("vi", text) if text else None
    except ids.InvalidId:
        raise validation.of_parameter("videoId", "This is not the id of a video.") from None


def _answer(row: Summary) -> SummaryAnswer:
    return SummaryAnswer.model_validate(
        {
            "summaryId": row.id,
            "videoId": row.video_id,
            "origin": row.origin,
            "sourceStatus": row.status,
            "createdAt": row.created_at,
            "updatedAt": row.updated_at,
        }
    )


def _source(row: Summary) -> SummarySource:
    return SummarySource(abstract=row.abstract or "", takeaways=row.takeaways or [])
