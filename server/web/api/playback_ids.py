"""Playback ids: further names of a video or live stream to watch it by, each public or signed."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from server.catalog import live_streams, playback_ids, videos
from server.catalog.database import Transaction
from server.catalog.models import LiveStream, Video
from server.catalog.playback_models import PlaybackId
from server.errors import Problem
from server.web import asset_urls
from server.web.api import playback_restrictions, playback_tokens
from server.web.api.playback_tokens import PlaybackToken, TokenBody
from server.web.asset_urls import AssetUrls
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import ABSENT, Answer, Body, Changes, Moment, Text
from server.web.typed import Call, Operations

MOST = 100  # of a video or live stream
OVERLAP_S = 3600
MAX_OVERLAP_S = 30 * 86400

operations = Operations("Playback ids")

Policy = Literal["public", "signed"]
RestrictionId = Annotated[
    Text, Field(max_length=64, description="Of a playback restriction, which holds for who watches by this id.")
]


class PlaybackIdCreation(Body):
    policy: Annotated[Policy, Field(description="signed: it takes a token, whatever the object itself takes.")]
    restriction_id: RestrictionId | None = None


class PlaybackIdChanges(Changes):
    restriction_id: RestrictionId | None = ABSENT


class PlaybackIdRotation(Body):
    overlap: Annotated[
        int, Field(ge=0, le=MAX_OVERLAP_S, description="Seconds that the old id is good for beside the new one.")
    ] = OVERLAP_S


class PlaybackIdAnswer(Answer):
    playback_id: str
    policy: Policy
    object_type: Literal["video", "live-stream"]
    object_id: str = Field(description="Of the video or live stream.")
    restriction_id: str | None
    ends_at: Annotated[Moment | None, Field(description="When it opens nothing any more, as another took its place.")]
    hls: Annotated[str, Field(description="Where it is watched; a signed one needs a token there.")]
    dash: str
    embed: str
    created_at: Moment
    updated_at: Moment


class PlaybackIdList(Answer):
    data: list[PlaybackIdAnswer]
    pagination: Pagination


class PlaybackIdQuery(PageQuery):
    sort_by: Literal["createdAt"] | None = None


@operations.post(
    "/videos/{videoId}/playback-ids",
    "Create a playback id of a video",
    scope="playback-ids:write",
    status=201,
    errors=("conflict",),
    example={"policy": "signed"},
)
async def create_of_video(call: Call, video_id: str, body: PlaybackIdCreation) -> PlaybackIdAnswer:
    """The video can be watched under it in place of its own id, by the policy of the playback id; what `public` of the
    video says holds for its own id alone."""
    async with call.services.database.write() as transaction:
        video = await _video(transaction, call, video_id)
        row = PlaybackId(project_id=call.project_id, video_id=video.id, policy=body.policy)
        return await _add(transaction, call, row, body)


@operations.post(
    "/live-streams/{liveStreamId}/playback-ids",
    "Create a playback id of a live stream",
    scope="playback-ids:write",
    status=201,
    errors=("conflict",),
    example={"policy": "public"},
)
async def create_of_live_stream(call: Call, live_stream_id: str, body: PlaybackIdCreation) -> PlaybackIdAnswer:
    """The live stream can be watched under it in place of its own id, by the policy of the playback id. Recordings
    get none by it."""
    async with call.services.database.write() as transaction:
        stream = await _live_stream(transaction, call, live_stream_id)
        row = PlaybackId(project_id=call.project_id, live_stream_id=stream.id, policy=body.policy)
        return await _add(transaction, call, row, body)


@operations.get("/videos/{videoId}/playback-ids", "List playback ids of a video", scope="playback-ids:read")
async def list_of_video(call: Call, video_id: str, query: PlaybackIdQuery) -> PlaybackIdList:
    """Those that can be watched by, the oldest first."""
    async with call.services.database.read() as transaction:
        return await _list(transaction, call, (await _video(transaction, call, video_id)).id, query)


@operations.get(
    "/live-streams/{liveStreamId}/playback-ids", "List playback ids of a live stream", scope="playback-ids:read"
)
async def list_of_live_stream(call: Call, live_stream_id: str, query: PlaybackIdQuery) -> PlaybackIdList:
    """Those that can be watched by, the oldest first."""
    async with call.services.database.read() as transaction:
        return await _list(transaction, call, (await _live_stream(transaction, call, live_stream_id)).id, query)


@operations.get("/playback-ids/{playbackId}", "Look a playback id up", scope="playback-ids:read")
async def show(call: Call, playback_id: str) -> PlaybackIdAnswer:
    """What it is a name of."""
    async with call.services.database.read() as transaction:
        return _answer(call, await _find(transaction, call, playback_id))


@operations.patch(
    "/playback-ids/{playbackId}", "Restrict a playback id", scope="playback-ids:write", example={"restrictionId": None}
)
async def change(call: Call, playback_id: str, body: PlaybackIdChanges) -> PlaybackIdAnswer:
    """Gives it another playback restriction, or none."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, playback_id)
        if "restriction_id" in body.model_fields_set:
            given = await playback_restrictions.given(transaction, call, body.restriction_id)
            await playback_ids.restrict(transaction, row, given)
    return _answer(call, row)


@operations.post(
    "/playback-ids/{playbackId}/rotate",
    "Rotate a playback id",
    scope="playback-ids:write",
    status=201,
    errors=("conflict",),
    example={"overlap": 86400},
)
async def rotate(call: Call, playback_id: str, body: PlaybackIdRotation) -> PlaybackIdAnswer:
    """A new one like it; the old one is good for `overlap` more seconds."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, playback_id)
        if row.ends_at is not None:
            raise Problem("conflict", "Another playback id has taken its place already.")
        await _room(transaction, row)
        made = await playback_ids.rotate(transaction, row, timedelta(seconds=body.overlap))
    return _answer(call, made)


@operations.post(
    "/playback-ids/{playbackId}/tokens",
    "Make a playback token for a playback id",
    scope="playback-tokens:mint",
    status=201,
    example={"ttl": 600},
)
async def make_token(call: Call, playback_id: str, body: TokenBody) -> PlaybackToken:
    """It opens playback by this id alone."""
    async with call.services.database.read() as transaction:
        row = await _find(transaction, call, playback_id)
    minted = await playback_tokens.mint(call, body, row.id)
    return playback_tokens.answer(minted, _urls(call, row, minted[0]))


@operations.delete("/playback-ids/{playbackId}", "Delete a playback id", scope="playback-ids:write", status=204)
async def delete(call: Call, playback_id: str) -> None:
    """Nobody can watch by it any more, whoever watches now included; rotate it to let them go on for a while."""
    async with call.services.database.write() as transaction:
        await playback_ids.remove(transaction, await _find(transaction, call, playback_id))


async def _add(transaction: Transaction, call: Call, row: PlaybackId, body: PlaybackIdCreation) -> PlaybackIdAnswer:
    await _room(transaction, row)
    row.restriction_id = await playback_restrictions.given(transaction, call, body.restriction_id)
    return _answer(call, await playback_ids.add(transaction, row))


async def _room(transaction: Transaction, row: PlaybackId) -> None:
    """Raises Problem."""
    if await playback_ids.count(transaction, row.object_id) >= MOST:
        raise Problem("conflict", f"A video or live stream has {MOST} playback ids at most.")


async def _list(transaction: Transaction, call: Call, object_id: str, query: PlaybackIdQuery) -> PlaybackIdList:
    page = await playback_ids.page(transaction, object_id, query.paging(query.sort_by))
    return PlaybackIdList(data=[_answer(call, row) for row in page.rows], pagination=pagination(call.request, page))


async def _video(transaction: Transaction, call: Call, video_id: str) -> Video:
    """Raises Problem."""
    row = await videos.get(transaction, call.project_id, video_id)
    if row is None or row.discarded_at is not None:
        raise Problem("resource-not-found", name="videoId")
    return row


async def _live_stream(transaction: Transaction, call: Call, live_stream_id: str) -> LiveStream:
    """Raises Problem."""
    row = await live_streams.get(transaction, call.project_id, live_stream_id)
    if row is None:
        raise Problem("resource-not-found", name="liveStreamId")
    return row


async def _find(transaction: Transaction, call: Call, playback_id: str) -> PlaybackId:
    """Raises Problem."""
    row = await playback_ids.get(transaction, call.project_id, playback_id)
    if row is None:
        raise Problem("resource-not-found", name="playbackId")
    return row


def _urls(call: Call, row: PlaybackId, token: str | None = None) -> AssetUrls:
    of = asset_urls.of_video if row.video_id else asset_urls.of_live_stream
    return of(call.media_url, row.id, token)


def _answer(call: Call, row: PlaybackId) -> PlaybackIdAnswer:
    urls = _urls(call, row)
    return PlaybackIdAnswer(
        playback_id=row.id,
        policy="public" if row.policy == playback_ids.PUBLIC else "signed",
        object_type="video" if row.video_id else "live-stream",
        object_id=row.object_id,
        restriction_id=row.restriction_id,
        ends_at=row.ends_at,
        hls=urls.hls,
        dash=urls.dash,
        embed=urls.player,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
