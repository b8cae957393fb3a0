"""Videos: make, list, show, change, delete; their status and their playback tokens."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server import ids
from server.catalog import renditions, uploads, videos
from server.catalog.database import Transaction
from server.catalog.models import Video
from server.catalog.videos import Filter
from server.errors import Problem
from server.web import asset_urls, validation
from server.web.api import clones, custom_fields, fetches, folders, playback_tokens, video_status, watermarks
from server.web.api.alterations import CropBody, WatermarkBody
from server.web.api.clip_times import ClipTimes
from server.web.api.custom_fields import SORTED_BY
from server.web.api.custom_fields import Values as CustomValues
from server.web.api.custom_fields import Wanted as WantedValues
from server.web.api.folders import FolderId
from server.web.api.playback_tokens import PlaybackToken, TokenBody
from server.web.api.schemas import TAGS_LIMIT, MetadataList, pairs
from server.web.api.video_answers import VideoAnswer, VideoList
from server.web.api.video_answers import video as answer
from server.web.api.video_status import VideoStatus
from server.web.pagination import PageQuery, pagination
from server.web.shapes import (
    ABSENT,
    Accepted,
    Body,
    Changes,
    DateTime,
    LanguageTag,
    LongText,
    PlayerId,
    QueryList,
    SourceUrl,
    Tag,
    Text,
    Title,
)
from server.web.typed import Call, Operations

Tags = Annotated[list[Tag], Field(max_length=TAGS_LIMIT)]

Transcript = Annotated[bool | None, Field(description="Taken and passed over: nothing here transcribes.")]
TranscriptAttributes = Annotated[
    list[Literal["abstract", "takeaways"]] | None, Field(max_length=2, description="Taken and passed over.")
]

_APART = ("transcript", "custom_fields")  # of a body: what is no column as it is
_FIELD = re.compile(SORTED_BY)

operations = Operations("Videos")


class VideoCreation(Body):
    title: Title
    source: Annotated[
        SourceUrl | None, Field(description="URL of a media file, which the server fetches; or the id of a video.")
    ] = None
    description: LongText = ""
    public: bool = True
    panoramic: bool = False
    mp4_support: bool = True
    player_id: PlayerId | None = None
    language: LanguageTag | None = None
    folder_id: FolderId | None = None
    tags: Tags = Field(default_factory=list)
    metadata: MetadataList = Field(default_factory=list)
    custom_fields: CustomValues = Field(default_factory=dict)
    watermark: Annotated[WatermarkBody | None, Field(description="An image over all its pictures.")] = None
    crop: Annotated[CropBody | None, Field(description="The part of its pictures that is shown.")] = None
    clip: Annotated[ClipTimes | None, Field(description="The part of the file that is shown.")] = None
    transcript: Transcript = None
    transcript_summary: Transcript = None
    transcript_summary_attributes: TranscriptAttributes = None


class VideoChanges(Changes):
    """Tags and metadata are replaced whole, custom fields one by one."""

    title: Title = ABSENT
    description: LongText = ABSENT
    public: bool = ABSENT
    panoramic: bool = ABSENT
    mp4_support: bool = ABSENT
    player_id: PlayerId | None = ABSENT
    language: LanguageTag | None = ABSENT
    folder_id: Annotated[FolderId | None, Field(description="Where to move it; null: to the top.")] = ABSENT
    tags: Tags = ABSENT
    metadata: MetadataList = ABSENT
    custom_fields: CustomValues = ABSENT
    transcript: Transcript = ABSENT
    transcript_summary: Transcript = ABSENT
    transcript_summary_attributes: TranscriptAttributes = ABSENT
    tokens_valid_after: Annotated[
        DateTime | None, Field(description="Playback tokens made before this open nothing.")
    ] = ABSENT
    deletes_at: Annotated[
        DateTime | None, Field(description="When it is deleted, without a way back; null: never.")
    ] = ABSENT


class Discarding(Body):
    discarded: bool


class VideoQuery(PageQuery):
    title: Annotated[str | None, Field(description="Contained in the title.")] = None
    description: Annotated[str | None, Field(description="Contained in the description.")] = None
    tags: QueryList[str] = Field(default_factory=list, description="The video has all of them.")
    metadata: dict[str, str] = Field(default_factory=dict, description="The video has all of these pairs.")
    live_stream_id: Annotated[str | None, Field(description="Recordings of this live stream.")] = None
    folder_id: Annotated[
        FolderId | None, Field(description="Those directly in this folder; `root`: those in none.")
    ] = None
    search: Annotated[
        Text | None,
        StringConstraints(max_length=500),
        Field(
            description="Words, whatever their case and accents: each is the beginning of one in the title, the "
            "description, the tags, the metadata, the custom fields or the captions. 16 words count."
        ),
    ] = None
    custom_fields: Annotated[
        WantedValues,
        Field(
            description="`customFields[name]=value`; of numbers and dates also `customFields[name][gte]=value`, `gt`, "
            "`lt` and `lte`."
        ),
    ] = Field(default_factory=dict)
    sort_by: Annotated[
        str | None,
        StringConstraints(pattern=f"^(title|createdAt|publishedAt|updatedAt|{SORTED_BY})$"),
        Field(description="`title`, `createdAt`, `publishedAt`, `updatedAt`, or `customFields[name]`."),
    ] = None


@operations.post(
    "/videos",
    "Create a video",
    scope="videos:write",
    status=201,
    example={"title": "My video", "public": False, "tags": ["holiday"], "metadata": [{"key": "id", "value": "7"}]},
)
async def create(call: Call, body: VideoCreation) -> VideoAnswer | Accepted:
    """The file comes by `POST /videos/{videoId}/source`, over tus, or from the URL `source`, which is answered 202.
    With the id of a video as `source` it is a copy of that, or of a part: what is not given is taken over from there.

    With a watermark or a crop the file is never shown or given out as it is, only what is made of it.
    """
    if clones.is_id(body.source):
        return await _clone(call, body)
    target = fetches.target(call, body.source) if body.source else None
    row = Video(id=ids.new("vi"), project_id=call.project_id, **columns_of(body))
    async with watermarks.given(call, row), call.services.database.write() as transaction:
        row.folder_id = await folders.chosen(transaction, call, row.folder_id, "folderId")
        row.custom = await custom_fields.merged(transaction, call, {}, body.custom_fields)
        await watermarks.give(transaction, call, row)
        await videos.add(transaction, row)
        if target is not None:
            await call.request.app[fetches.FETCHING].order(transaction, row, target)
    return answer(call, row) if target is None else Accepted(answer(call, row))


async def _clone(call: Call, body: VideoCreation) -> VideoAnswer:
    for name in ("watermark", "crop"):
        if getattr(body, name) is not None:
            raise validation.of_attribute(name, "A copy has the pictures of its origin.")
    clip = body.clip.column() if body.clip else {}
    given = _columns(body, body.model_fields_set - {"source", "clip", "watermark", "crop"})
    async with call.services.database.write() as transaction:
        origin = await named(transaction, call, body.source or "", "source")
        await _place(transaction, call, given)
        given["custom"] = await custom_fields.merged(transaction, call, origin.custom, body.custom_fields)
        row = await clones.clone(transaction, call, origin, given, clip.get("start", 0.0), clip.get("end"))
    return answer(call, row)


@operations.get("/videos", "List videos", scope="videos:read")
async def list_all(call: Call, query: VideoQuery) -> VideoList:
    """Newest first unless sorted. A filter that is given must hold."""
    return await _page(call, query)


@operations.get("/videos/{videoId}", "Show a video", scope="videos:read")
async def show(call: Call, video_id: str) -> VideoAnswer:
    """URLs of a private one hold a fresh playback token each time."""
    async with call.services.database.read() as transaction:
        return answer(call, await find(transaction, call, video_id))


@operations.get("/videos/{videoId}/status", "Show how far a video is", scope="videos:read")
async def show_status(call: Call, video_id: str) -> VideoStatus:
    """What has come of its source, and which renditions are made."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
        made = await renditions.of_video(transaction, row.material, row.source_revision)
        return video_status.status(row, await uploads.of_video(transaction, row.id), made)


@operations.patch("/videos/{videoId}", "Change a video", scope="videos:write", example={"title": "A better title"})
async def change(call: Call, video_id: str, body: VideoChanges) -> VideoAnswer:
    """What is left out stays as it is; `tags` and `metadata` are replaced whole."""
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id)
        columns = _columns(body, body.model_fields_set)
        await _place(transaction, call, columns)
        if "custom_fields" in body.model_fields_set:
            columns["custom"] = await custom_fields.merged(transaction, call, row.custom, body.custom_fields)
        if row.public and columns.get("public") is False:
            row.revision += 1  # what caches hold under the old URLs is not what we would give out now
        for name, value in columns.items():
            setattr(row, name, value)
        await videos.tell(transaction, row, "updated", {**videos.links(row), "changed": sorted(columns)})
    return answer(call, row)


@operations.delete("/videos/{videoId}", "Delete a video", scope="videos:write", status=204)
async def delete(call: Call, video_id: str) -> None:
    """It is at once no longer there for anybody. Where `vod.restore_days` is set it can be taken back so long, by
    `PATCH /discarded/videos/{videoId}`; else its bytes go soon after, and the event `video.erased` says when."""
    async with call.services.database.write() as transaction:
        await call.services.remove_video(transaction, await find(transaction, call, video_id))


@operations.post(
    "/videos/{videoId}/tokens", "Make a playback token", scope="playback-tokens:mint", status=201, example={"ttl": 600}
)
async def make_token(call: Call, video_id: str, body: TokenBody) -> PlaybackToken:
    """For viewers of a private video. It opens playback until `expiresAt`; who watches by then may go on."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
    minted = await playback_tokens.mint(call, body, row.id)
    return playback_tokens.answer(minted, asset_urls.of_video(call.media_url, row.id, minted[0]))


@operations.delete(
    "/videos/{videoId}/tokens/{tokenId}", "Revoke a playback token", scope="playback-tokens:revoke", status=204
)
async def revoke_token(call: Call, video_id: str, token_id: str) -> None:
    """And the sessions that it opened."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
    await call.services.revocations.add(row.project_id, token_id)


@operations.get("/discarded/videos", "List discarded videos", scope="videos:read")
async def list_discarded(call: Call, query: VideoQuery) -> VideoList:
    """Those that were deleted and can be taken back."""
    return await _page(call, query, discarded=True)


@operations.get("/discarded/videos/{videoId}", "Show a discarded video", scope="videos:read")
async def show_discarded(call: Call, video_id: str) -> VideoAnswer:
    """A deleted video that can still be taken back. It has no assets meanwhile."""
    async with call.services.database.read() as transaction:
        return answer(call, await find(transaction, call, video_id, discarded=True))


@operations.patch(
    "/discarded/videos/{videoId}", "Take back a discarded video", scope="videos:write", example={"discarded": False}
)
async def take_back(call: Call, video_id: str, body: Discarding) -> VideoAnswer:
    """`discarded: false` makes it an ordinary video again, with all that it had."""
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id, discarded=True)
        if not body.discarded:
            await videos.restore(transaction, row)
    return answer(call, row)


async def _page(call: Call, query: VideoQuery, discarded: bool = False) -> VideoList:
    async with call.services.database.read() as transaction:
        wanted = await _wanted(transaction, call, query, discarded)
        named_field = _FIELD.fullmatch(query.sort_by or "")
        by = await custom_fields.sorted_by(transaction, call, named_field[1]) if named_field else None
        page = await videos.page(transaction, call.project_id, wanted, query.paging(query.sort_by), by=by)
    return VideoList(data=[answer(call, row) for row in page.rows], pagination=pagination(call.request, page))


async def _wanted(transaction: Transaction, call: Call, query: VideoQuery, discarded: bool) -> Filter:
    """Raises Problem."""
    return Filter(
        title=query.title,
        description=query.description,
        tags=query.tags,
        metadata=query.metadata,
        live_stream_id=_live_stream_id(query.live_stream_id),
        folder_id=await folders.listed(transaction, call, query.folder_id, "folderId"),
        discarded=discarded,
        search=query.search,
        custom=await custom_fields.conditions(transaction, call, query.custom_fields),
    )


async def _place(transaction: Transaction, call: Call, columns: dict[str, Any]) -> None:
    """The folder that the columns name, in its canonical spelling. Raises Problem."""
    if "folder_id" in columns:
        columns["folder_id"] = await folders.chosen(transaction, call, columns["folder_id"], "folderId")


async def find(transaction: Transaction, call: Call, video_id: str, discarded: bool = False) -> Video:
    """The caller's video. Raises Problem."""
    row = await videos.get(transaction, call.project_id, video_id, discarded)
    if row is None:
        raise Problem("resource-not-found", name="videoId")
    return row


async def named(transaction: Transaction, call: Call, text: str, name: str) -> Video:
    """The caller's video that the attribute `name` of a body names, in any spelling. Raises Problem."""
    try:
        row = await videos.get(transaction, call.project_id, ids.canonical("vi", text))
    except ids.InvalidId:
        row = None
    if row is None:
        raise Problem("resource-not-found", "There is no such video.", name=name)
    return row


def columns_of(body: VideoCreation) -> dict[str, Any]:
    """Of a new video's row."""
    return _columns(body, set(VideoCreation.model_fields) - {"source"})


def _columns(body: VideoCreation | VideoChanges, names: set[str]) -> dict[str, object]:
    """Attribute names and values of the row for the fields of these names."""
    found = {name: getattr(body, name) for name in names if not name.startswith(_APART)}
    if "metadata" in found:
        found["meta"] = pairs(found.pop("metadata"))
    if (clip := found.pop("clip", None)) is not None:
        found["trim"] = clip.column()
    for name in ("watermark", "crop"):
        if found.get(name) is not None:
            found[name] = found[name].column()
    return found


def _live_stream_id(text: str | None) -> str | None:
    try:
        return ids.canonical("li", text) if text else None
    except ids.InvalidId:
        raise validation.of_parameter("liveStreamId", "This is not the id of a live stream.") from None
