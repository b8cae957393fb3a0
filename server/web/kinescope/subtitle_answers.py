"""Subtitles as the dialect's JSON: captions of ours, known by a UUID that is made of the video and the language."""

from server.catalog.models import TextTrack, Video
from server.web import asset_urls
from server.web.kinescope import identifiers
from server.web.kinescope.shapes import Answer, Id, Moment
from server.web.typed import Call


class SubtitleAnswer(Answer):
    id: Id
    video_id: Id
    description: str
    language: str
    file: str = ""
    file_name: str
    hls_file: str = ""
    url: str
    created_at: Moment
    updated_at: Moment


def id_of(track: TextTrack) -> str:
    return identifiers.made(track.video_id, "captions", track.language)


def subtitle(call: Call, row: Video, track: TextTrack, token: str | None) -> SubtitleAnswer:
    return SubtitleAnswer(
        id=id_of(track),
        video_id=row.id,
        description=track.title,
        language=track.language,
        file_name=f"{track.language}.vtt",
        url=asset_urls.of_text(call.media_url, row.id, "captions", track.language, token),
        created_at=track.created_at,
        updated_at=track.updated_at,
    )
