"""A video's row as JSON."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from server.catalog.models import Video
from server.packager.qualities import NO_FILE
from server.web import asset_urls
from server.web.api import alterations
from server.web.api.schemas import Metadata
from server.web.asset_urls import AssetUrls
from server.web.pagination import Pagination
from server.web.shapes import LEFT_OUT, Answer, Moment
from server.web.typed import Call


class VideoLiveStream(Answer):
    live_stream_id: str
    links: list[dict[str, str]]


class VideoSource(Answer):
    uri: str
    type: Annotated[str | None, LEFT_OUT]
    live_stream: Annotated[VideoLiveStream | None, LEFT_OUT]


class VideoAssets(Answer):
    hls: str
    dash: str
    iframe: str
    player: str
    thumbnail: str
    mp4: Annotated[str | None, LEFT_OUT]


class VideoError(Answer):
    """Why a video is in state `error`."""

    code: str
    title: str
    detail: str | None


class VideoTrim(Answer):
    """The part of the file that is shown, seconds."""

    start: float
    end: float | None


class VideoLinks(Answer):
    """The ids of what the video came from."""

    upload_id: str | None
    live_stream_id: str | None
    broadcast_id: str | None


class VideoAnswer(Answer):
    """A video. `state` and `playable` tell how far it is; `assets` of a private one hold a fresh token each time."""

    video_id: str
    title: str
    description: str
    public: bool
    panoramic: bool
    mp4_support: bool
    player_id: Annotated[str | None, LEFT_OUT]
    language: Annotated[str | None, LEFT_OUT]
    folder_id: str | None
    language_origin: Literal["api", "auto"] | None
    tags: list[str]
    metadata: list[Metadata]
    custom_fields: dict[str, str | bool | int | float]
    created_at: Moment
    updated_at: Moment
    published_at: Moment
    discarded: bool
    discarded_at: Moment | None
    deletes_at: Moment | None
    source: VideoSource
    assets: VideoAssets | None
    state: str
    playable: bool
    duration: float | None
    archived_at: Moment | None
    trim: VideoTrim | None
    error: VideoError | None
    tokens_valid_after: Moment | None
    watermark: alterations.Watermark | None
    crop: alterations.Crop | None
    links: VideoLinks


class VideoList(Answer):
    data: list[VideoAnswer]
    pagination: Pagination


def video(call: Call, row: Video) -> VideoAnswer:
    return VideoAnswer(
        video_id=row.id,
        title=row.title,
        description=row.description,
        public=row.public,
        panoramic=row.panoramic,
        mp4_support=row.mp4_support,
        player_id=row.player_id,
        language=row.language,
        folder_id=row.folder_id,
        language_origin="api" if row.language else None,
        tags=row.tags,
        metadata=[Metadata(**pair) for pair in row.meta],
        custom_fields=row.custom,
        created_at=row.created_at,
        updated_at=row.updated_at,
        published_at=row.published_at,
        discarded=row.discarded_at is not None,
        discarded_at=row.discarded_at,
        deletes_at=row.deletes_at,
        source=_source(row),
        assets=_assets(row, urls(call, row)) if row.discarded_at is None else None,
        state=row.state,
        playable=row.playable,
        duration=row.duration_s,
        archived_at=row.archived_at,
        trim=VideoTrim(start=row.trim["start"], end=row.trim["end"]) if row.trim else None,
        error=error(row.error),
        tokens_valid_after=row.tokens_valid_after,
        watermark=alterations.watermark(row),
        crop=alterations.crop(row),
        links=VideoLinks(
            upload_id=row.upload_id, live_stream_id=row.live_stream_id, broadcast_id=row.broadcast_id
        ),
    )


def urls(call: Call, row: Video) -> AssetUrls:
    """With a fresh token for a private video."""
    token = None if row.public else call.services.tokens.mint(row.id).token
    return asset_urls.of_video(call.media_url, row.id, token)


def _source(row: Video) -> VideoSource:
    live = None
    if row.live_stream_id:
        uri = f"/live-streams/{row.live_stream_id}"
        live = VideoLiveStream(live_stream_id=row.live_stream_id, links=[{"rel": "self", "uri": uri}])
    return VideoSource(uri=f"/videos/{row.id}/source", type=row.source, live_stream=live)


def has_files(row: Video) -> bool:
    """Whether what is shown of it can be put into MP4 files."""
    own_edges = bool((row.segments or {}).get("exact"))  # coded otherwise than the rest: no one file holds both
    return row.mp4_support and not own_edges and not (row.media or {}).get(NO_FILE)


def _assets(row: Video, found: AssetUrls) -> VideoAssets:
    return VideoAssets(
        hls=found.hls,
        dash=found.dash,
        iframe=found.iframe,
        player=found.player,
        thumbnail=found.thumbnail,
        mp4=found.mp4 if has_files(row) else None,
    )


def error(found: Mapping[str, Any] | None) -> VideoError | None:
    if found is None:
        return None
    return VideoError(
        code=str(found.get("code", "internal-error")),
        title=str(found.get("title", "")),
        detail=found.get("detail"),
    )
