"""Collections: ordered lists of videos. Who may watch a video is the video's own affair, in each of them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.catalog import collections
from server.catalog.collections import TooMany
from server.catalog.database import Transaction
from server.catalog.models import Video
from server.catalog.organisation_models import Collection
from server.errors import Problem
from server.web.api.video_answers import VideoList
from server.web.api.video_answers import video as video_answer
from server.web.api.videos import find as find_video
from server.web.api.videos import named
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import ABSENT, Answer, Body, Changes, LongText, Moment, Title
from server.web.typed import Call, Operations

AT_ONCE = 100  # videos of one call

Name = Annotated[Title, StringConstraints(max_length=255)]
VideoId = Annotated[str, StringConstraints(min_length=1, max_length=64), Field(examples=["vi1111111111111111111111"])]
Place = Annotated[int, Field(ge=0, le=collections.MOST_VIDEOS, description="From 0; past the end is the end.")]

operations = Operations("Collections")


class CollectionCreation(Body):
    name: Name
    description: LongText = ""
    videos: Annotated[
        list[VideoId], Field(max_length=AT_ONCE, description="Ids of its first videos, in their order.")
    ] = Field(default_factory=list)


class CollectionChanges(Changes):
    name: Name = ABSENT
    description: LongText = ABSENT


class CollectionVideos(Body):
    videos: Annotated[list[VideoId], Field(min_length=1, max_length=AT_ONCE, description="Ids, in their order.")]
    position: Annotated[Place | None, Field(description="Of the first one; null: at the end.")] = None


class CollectionPlace(Body):
    position: Place


class CollectionAnswer(Answer):
    collection_id: str
    name: str
    description: str
    video_count: int
    created_at: Moment
    updated_at: Moment


class CollectionList(Answer):
    data: list[CollectionAnswer]
    pagination: Pagination


class CollectionQuery(PageQuery):
    video_id: Annotated[VideoId | None, Field(description="Those that this video is in.")] = None
    sort_by: Literal["name", "createdAt", "updatedAt"] | None = None


class CollectionVideoQuery(PageQuery):
    sort_order: Literal["asc"] | None = None


@operations.post(
    "/collections", "Make a collection", scope="collections:write", status=201,
    errors=["conflict", "resource-not-found"], example={"name": "Best of the year"},
)  # fmt: skip
async def create(call: Call, body: CollectionCreation) -> CollectionAnswer:
    """A video may be in many collections. A project has 10,000 of them at most, each with 10,000 videos."""
    async with call.services.database.write() as transaction:
        videos = await _videos(transaction, call, body.videos)
        row = Collection(project_id=call.project_id, name=body.name, description=body.description)
        try:
            await collections.add(transaction, row)
        except TooMany as error:
            raise Problem("conflict", str(error)) from None
        if videos:
            await collections.put(transaction, row, [video.id for video in videos], None)
        return (await _answers(transaction, [row]))[0]


@operations.get("/collections", "List collections", scope="collections:read", errors=["resource-not-found"])
async def list_all(call: Call, query: CollectionQuery) -> CollectionList:
    """Newest first unless sorted."""
    async with call.services.database.read() as transaction:
        video_id = (await named(transaction, call, query.video_id, "videoId")).id if query.video_id else None
        page = await collections.page(transaction, call.project_id, query.paging(query.sort_by), video_id)
        answers = await _answers(transaction, page.rows)
    return CollectionList(data=answers, pagination=pagination(call.request, page))


@operations.get("/collections/{collectionId}", "Show a collection", scope="collections:read")
async def show(call: Call, collection_id: str) -> CollectionAnswer:
    """Its videos are a list of their own, in its order."""
    async with call.services.database.read() as transaction:
        return (await _answers(transaction, [await _find(transaction, call, collection_id)]))[0]


@operations.patch(
    "/collections/{collectionId}", "Change a collection", scope="collections:write", example={"name": "Best of all"}
)
async def change(call: Call, collection_id: str, body: CollectionChanges) -> CollectionAnswer:
    """What is left out stays as it is."""
    given: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, collection_id)
        await collections.change(transaction, row, given)
        await transaction.flush()
        return (await _answers(transaction, [row]))[0]


@operations.delete("/collections/{collectionId}", "Delete a collection", scope="collections:write", status=204)
async def delete(call: Call, collection_id: str) -> None:
    """Its videos stay."""
    async with call.services.database.write() as transaction:
        await collections.remove(transaction, await _find(transaction, call, collection_id))


@operations.get(
    "/collections/{collectionId}/videos", "List the videos of a collection", scope="collections:read"
)
async def list_videos(call: Call, collection_id: str, query: CollectionVideoQuery) -> VideoList:
    """In their order."""
    async with call.services.database.read() as transaction:
        row = await _find(transaction, call, collection_id)
        page = await collections.videos(transaction, row, query.paging(None))
    data = [video_answer(call, video) for video in page.rows]
    return VideoList(data=data, pagination=pagination(call.request, page))


@operations.post(
    "/collections/{collectionId}/videos", "Add videos to a collection", scope="collections:write", status=201,
    errors=["conflict"], example={"videos": ["vi1111111111111111111111"], "position": 0},
)  # fmt: skip
async def add_videos(call: Call, collection_id: str, body: CollectionVideos) -> CollectionAnswer:
    """Those that are in it already move."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, collection_id)
        videos = await _videos(transaction, call, body.videos)
        try:
            await collections.put(transaction, row, [video.id for video in videos], body.position)
        except TooMany as error:
            raise Problem("conflict", str(error), name="videos") from None
        return (await _answers(transaction, [row]))[0]


@operations.patch(
    "/collections/{collectionId}/videos/{videoId}", "Move a video in a collection", scope="collections:write",
    status=204, example={"position": 0},
)  # fmt: skip
async def move_video(call: Call, collection_id: str, video_id: str, body: CollectionPlace) -> None:
    """The others keep their order."""
    async with call.services.database.write() as transaction:
        row = await _with_video(transaction, call, collection_id, video_id)
        await collections.put(transaction, row, [video_id], body.position)


@operations.delete(
    "/collections/{collectionId}/videos/{videoId}", "Take a video out of a collection", scope="collections:write",
    status=204,
)  # fmt: skip
async def take_video_out(call: Call, collection_id: str, video_id: str) -> None:
    """The video stays."""
    async with call.services.database.write() as transaction:
        row = await _with_video(transaction, call, collection_id, video_id)
        await collections.take_out(transaction, row, video_id)


async def _find(transaction: Transaction, call: Call, collection_id: str) -> Collection:
    """The caller's collection. Raises Problem."""
    row = await collections.get(transaction, call.project_id, collection_id)
    if row is None:
        raise Problem("resource-not-found", name="collectionId")
    return row


async def _with_video(transaction: Transaction, call: Call, collection_id: str, video_id: str) -> Collection:
    """The collection, which has the video. Raises Problem."""
    row = await _find(transaction, call, collection_id)
    await find_video(transaction, call, video_id)
    if not await collections.has(transaction, row, video_id):
        raise Problem("resource-not-found", "The video is not in the collection.", name="videoId")
    return row


async def _videos(transaction: Transaction, call: Call, texts: Sequence[str]) -> list[Video]:
    """The caller's. Raises Problem."""
    return [await named(transaction, call, text, f"videos[{number}]") for number, text in enumerate(texts)]


async def _answers(transaction: Transaction, rows: Sequence[Collection]) -> list[CollectionAnswer]:
    counts = await collections.counts(transaction, [row.id for row in rows])
    return [
        CollectionAnswer(
            collection_id=row.id,
            name=row.name,
            description=row.description,
            video_count=counts[row.id],
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    ]
