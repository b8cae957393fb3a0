"""Videos of the dialect: list, show, change, delete, move, and their chapters."""

from collections.abc import Mapping, Set
from typing import Annotated, ClassVar

from pydantic import Field

from server.catalog import library_videos, video_details, videos
from server.catalog.database import Transaction
from server.catalog.library_videos import Wanted
from server.catalog.models import Video
from server.web.kinescope import identifiers, places, video_answers
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.paging import PageQuery, listed
from server.web.kinescope.projects import Domains, player_of
from server.web.kinescope.shapes import DONE, Body, Changes, Data, Done, GivenId, Listed, Privacy
from server.web.kinescope.values import there
from server.web.kinescope.video_answers import Status, VideoAnswer
from server.web.shapes import ABSENT, LongText, QueryList, Tag, Text, Title
from server.web.typed import Call

IDS_LIMIT = 100  # asked for in one list: as many as a page has
TAGS_LIMIT = 100

operations = kinescope_operations("Videos")

Subtitle = Annotated[Text, Field(max_length=1000)]


class VideoQuery(PageQuery):
    SORTABLE: ClassVar[Mapping[str, str]] = {
        "created_at": "createdAt", "updated_at": "updatedAt", "title": "title",
    }  # fmt: skip

    status: QueryList[Status] = Field(default_factory=list, description="In one of these states.", max_length=7)
    project_id: Annotated[GivenId | None, Field(description="In this project, however deep.")] = None
    folder_id: Annotated[GivenId | None, Field(description="Directly in this folder.")] = None
    without_folder: Annotated[bool, Field(description="Directly in a project.")] = False
    video_ids: QueryList[GivenId] = Field(default_factory=list, description="These.", max_length=IDS_LIMIT)
    q: Annotated[Text | None, Field(description="Contained in the title.", max_length=1000)] = None


class VideoChanges(Changes):
    """What is left out stays as it is; tags and domains are replaced whole."""

    title: Title = ABSENT
    subtitle: Subtitle = ABSENT
    description: LongText = ABSENT
    privacy_type: Privacy = ABSENT
    privacy_domains: Domains = ABSENT
    additional_materials_enabled: bool = ABSENT
    tags: Annotated[list[Tag], Field(max_length=TAGS_LIMIT)] = ABSENT
    player_id: GivenId | None = ABSENT


class Move(Body):
    project_id: GivenId
    folder_id: GivenId | None = None


@operations.get("/v1/videos", "List videos", scope="videos:read", errors=["resource-not-found", "invalid-id"])
async def list_all(call: Call, query: VideoQuery) -> Listed[VideoAnswer]:
    """Newest first unless sorted."""
    paging = query.paging()
    async with call.services.database.read() as transaction:
        wanted = await _wanted(transaction, call, query)
        page = await library_videos.page(transaction, call.project_id, wanted, paging)
        answers = await video_answers.several(transaction, call, page.rows)
    return listed(query, page, answers)


@operations.get("/v1/videos/{video_id}", "Show a video", scope="videos:read")
async def show(call: Call, video_id: str) -> Data[VideoAnswer]:
    async with call.services.database.read() as transaction:
        return await answer(transaction, call, await find(transaction, call, video_id))


@operations.patch(
    "/v1/videos/{video_id}", "Change a video", scope="videos:write",
    example={"title": "New title", "privacy_type": "custom", "privacy_domains": ["my-domain.io"], "tags": ["tag 1"]},
)  # fmt: skip
async def change(call: Call, video_id: str, body: VideoChanges) -> Data[VideoAnswer]:
    """`anywhere` is for everybody, `nowhere` for those with a playback token. `custom` is for pages of
    `privacy_domains` too, as their Origin or Referer says: `example.com` is that host alone, `*.example.com` every
    host below it. What such a page begins ends once its domain is taken back."""
    given = body.model_fields_set
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id)
        for name in given & {"title", "description", "tags"}:
            setattr(row, name, getattr(body, name))
        if "player_id" in given:
            row.player_id = await player_of(transaction, call.project_id, body.player_id)
        await _change_details(transaction, row, body, given)
        await videos.tell(transaction, row, "updated", {**videos.links(row), "changed": sorted(given)})
        return await answer(transaction, call, row)


@operations.delete("/v1/videos/{video_id}", "Delete a video", scope="videos:write")
async def delete(call: Call, video_id: str) -> Done:
    async with call.services.database.write() as transaction:
        await call.services.remove_video(transaction, await find(transaction, call, video_id))
    return DONE


@operations.put(
    "/v1/videos/{video_id}/move", "Move a video into another project and folder", scope="videos:write",
    errors=["invalid-id"], example={"project_id": "658e977b-3e2f-435f-913e-73e00465e638", "folder_id": None},
)  # fmt: skip
async def move(call: Call, video_id: str, body: Move) -> Data[VideoAnswer]:
    """It keeps its own privacy and player."""
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id)
        place = await places.within(transaction, call, body.project_id, body.folder_id)
        if row.folder_id != place.folder_id:
            row.folder_id = place.folder_id
            await videos.tell(transaction, row, "updated", {**videos.links(row), "changed": ["folder_id"]})
        return await answer(transaction, call, row)


async def find(transaction: Transaction, call: Call, video_id: str, name: str = "video_id") -> Video:
    """The caller's. Raises Problem."""
    return there(await videos.get(transaction, call.project_id, video_id), name)


async def answer(transaction: Transaction, call: Call, row: Video) -> Data[VideoAnswer]:
    """The row as it is with what was changed of it."""
    await transaction.flush()
    return Data(data=await video_answers.one(transaction, call, row))


async def _wanted(transaction: Transaction, call: Call, query: VideoQuery) -> Wanted:
    """Raises Problem."""
    library, folder_id = None, None
    if query.project_id:
        library = (await places.within(transaction, call, query.project_id, None)).library
    if query.folder_id:
        place = await places.parent(transaction, call, query.folder_id, "folder_id")
        library, folder_id = library or place.library, place.folder_id
    return Wanted(
        title=query.q or None,
        states=query.status,
        ids=[identifiers.canonical("vi", each, "video_ids") for each in query.video_ids],
        library=library,
        folder_id=folder_id,
        outside=query.without_folder or bool(query.folder_id and folder_id is None),
    )


async def _change_details(transaction: Transaction, row: Video, body: VideoChanges, given: Set[str]) -> None:
    if "privacy_type" in given or "privacy_domains" in given:
        known = (await video_details.of_videos(transaction, [row.id])).get(row.id)
        word = body.privacy_type if "privacy_type" in given else video_details.privacy(row, known)
        await video_details.set_privacy(transaction, row, word, body.privacy_domains)
    if given & {"subtitle", "additional_materials_enabled"}:
        details = await video_details.own(transaction, row)
        if "subtitle" in given:
            details.subtitle = body.subtitle
        if "additional_materials_enabled" in given:
            details.materials_shown = body.additional_materials_enabled
