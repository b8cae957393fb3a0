"""A video's rows as the dialect's JSON."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from server.catalog import libraries, materials, posters, renditions, text_tracks, video_details
from server.catalog.database import Transaction
from server.catalog.library_models import Material, Poster, VideoDetails
from server.catalog.models import Rendition, TextTrack, Video
from server.web import asset_urls
from server.web.api.video_answers import has_files
from server.web.kinescope import identifiers
from server.web.kinescope.material_answers import MaterialAnswer, material
from server.web.kinescope.poster_answers import PosterAnswer, poster
from server.web.kinescope.shapes import Answer, Id, Moment, Privacy
from server.web.kinescope.subtitle_answers import SubtitleAnswer, subtitle
from server.web.typed import Call

# life-cycle word of ours -> the dialect's; the same words, but what is not in the table is no word of it
Status = Literal["pending", "uploading", "pre-processing", "processing", "aborted", "done", "error"]
STATUSES: Mapping[str, Status] = {
    "pending": "pending",
    "uploading": "uploading",
    "pre-processing": "pre-processing",
    "processing": "processing",
    "done": "done",
    "error": "error",
    "aborted": "aborted",
}


class Chapter(Answer):
    time: Annotated[int, Field(description="Milliseconds from the start.")]
    title: str


class Chapters(Answer):
    items: list[Chapter]
    enabled: bool
    show_on_load: bool = False


class AssetAnswer(Answer):
    """A file of the video."""

    id: Id
    video_id: Id
    original_name: str
    file_size: int | None
    md5: str = ""
    filetype: str
    quality: str
    resolution: str
    created_at: Moment
    updated_at: Moment
    url: str
    download_link: str


class VideoAnswer(Answer):
    """A video. Its links hold a fresh token each time where it is not for everybody."""

    id: Id
    workspace_id: Id
    project_id: Id
    folder_id: Id | None
    player_id: str | None
    version: int
    title: str
    subtitle: str
    description: str
    status: Status
    progress: Annotated[int, Field(description="Of what is made of it, per cent.")]
    duration: Annotated[float, Field(description="Seconds; 0 while it is not known.")]
    assets: list[AssetAnswer]
    chapters: Chapters
    privacy_type: Privacy
    privacy_domains: list[str]
    privacy_share: dict[str, Any]
    tags: list[str]
    poster: PosterAnswer | None
    additional_materials: list[MaterialAnswer]
    additional_materials_enabled: bool
    play_link: str
    embed_link: str
    hls_link: str
    subtitles: list[SubtitleAnswer]
    subtitles_enabled: bool
    created_at: Moment
    updated_at: Moment
    deleted_at: None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """What is beside the rows of some videos, by their ids."""

    library: Mapping[str | None, str]  # by folder
    details: Mapping[str, VideoDetails]
    renditions: Mapping[str, Sequence[Rendition]]
    captions: Mapping[str, Sequence[TextTrack]]
    posters: Mapping[str, Poster]
    materials: Mapping[str, Sequence[Material]]


async def one(transaction: Transaction, call: Call, row: Video) -> VideoAnswer:
    return (await several(transaction, call, [row]))[0]


async def several(transaction: Transaction, call: Call, rows: Sequence[Video]) -> list[VideoAnswer]:
    """In their order; what they have beside their rows is read for all of them at once."""
    known = await _known(transaction, call.project_id, rows)
    return [_video(call, row, known) for row in rows]


async def _known(transaction: Transaction, project_id: str, rows: Sequence[Video]) -> _Known:
    own = [row.id for row in rows]
    made = await renditions.of_videos(transaction, [row.material for row in rows])
    return _Known(
        library=await libraries.of_folders(transaction, project_id, [row.folder_id for row in rows]),
        details=await video_details.of_videos(transaction, own),
        renditions=_grouped(made),
        captions=_grouped(await text_tracks.of_videos(transaction, own, "captions")),
        posters=await posters.active(transaction, own),
        materials=_grouped(await materials.of_videos(transaction, own)),
    )


def _grouped(rows: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.video_id].append(row)
    return found


def _video(call: Call, row: Video, known: _Known) -> VideoAnswer:
    details, library_id = known.details.get(row.id), known.library[row.folder_id]
    token = None if row.public else call.services.tokens.mint(row.id).token
    urls = asset_urls.of_video(call.media_url, row.id, token)
    made = [each for each in known.renditions.get(row.material, ()) if each.revision == row.source_revision]
    captions = video_details.in_order(known.captions.get(row.id, ()), details)
    return VideoAnswer(
        id=row.id,
        workspace_id=row.project_id,
        project_id=library_id,
        folder_id=None if row.folder_id == library_id else row.folder_id,
        player_id=identifiers.uuid_or_text(row.player_id),
        version=row.revision,
        title=row.title,
        subtitle=details.subtitle if details else "",
        description=row.description,
        status=STATUSES[row.state],
        progress=_progress(row, made),
        duration=row.duration_s or 0.0,
        assets=_assets(row, urls, made),
        chapters=chapters(details),
        privacy_type=video_details.privacy(row, details),  # type: ignore[arg-type]
        privacy_domains=details.domains if details else [],
        privacy_share={},
        tags=row.tags,
        poster=poster(call, row, known.posters.get(row.id), token),
        additional_materials=[material(each) for each in known.materials.get(row.id, ())],
        additional_materials_enabled=bool(details and details.materials_shown),
        play_link=asset_urls.of_page(call.base_url, row.id, token),
        embed_link=urls.player,
        hls_link=urls.hls,
        subtitles=[subtitle(call, row, each, token) for each in captions],
        subtitles_enabled=bool(captions),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def chapters(details: VideoDetails | None) -> Chapters:
    if details is None:
        return Chapters(items=[], enabled=False)
    return Chapters(items=[Chapter(**each) for each in details.chapters], enabled=details.chapters_shown)


def _progress(row: Video, made: Sequence[Rendition]) -> int:
    """Of the qualities, those that are there."""
    if row.state == "done":
        return 100
    ended = sum(each.state in renditions.ENDED for each in made)
    return 100 * ended // len(made) if made else 0


def _assets(row: Video, urls: asset_urls.AssetUrls, made: Sequence[Rendition]) -> list[AssetAnswer]:
    """The file itself, where it can be had, and each quality that is there."""
    if not row.playable or not has_files(row) or row.archived_at is not None:
        return []
    streams = (row.media or {}).get("streams", [])
    picture: Mapping[str, Any] = next((each for each in streams if each.get("kind") == "video"), {})
    whole = [each for each in made if each.kind == "video" and each.state == "ready" and each.origin == "encoded"]
    qualities = [_asset(row, urls, each.name, each.name, each.facts, None) for each in whole]
    return [_asset(row, urls, "original", "source", picture, row.source_bytes), *qualities]


def _asset(
    row: Video, urls: asset_urls.AssetUrls, quality: str, file: str, facts: Mapping[str, Any], size: int | None
) -> AssetAnswer:
    url = (urls.mp4 or "").replace("source.mp4", f"{file}.mp4")
    width, height = facts.get("width"), facts.get("height")
    return AssetAnswer(
        id=identifiers.made(row.id, "asset", file),
        video_id=row.id,
        original_name=f"{quality}.mp4",
        file_size=size,
        filetype="mp4",
        quality=quality,
        resolution=f"{width}x{height}" if width and height else "",
        created_at=row.created_at,
        updated_at=row.updated_at,
        url=url,
        download_link=f"{url}?dl=1",
    )
