"""Subtitles as the dialect's JSON: captions of ours, known by a UUID that is made of the video and the language.

Here a video may have several in one language; of ours it has one in each. The others are kept under tags of private use
(RFC 5646, 2.2.7), such as en-x-copy2, and told without them.
"""

import re
from collections.abc import Collection

from server.catalog.models import TextTrack, Video
from server.web import asset_urls
from server.web.kinescope import identifiers
from server.web.kinescope.shapes import Answer, Id, Moment
from server.web.typed import Call

_COPY = re.compile(r"-x-copy\d{1,2}$", re.ASCII)


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


def told_language(tag: str) -> str:
    return _COPY.sub("", tag)


def of_a_copy(tag: str, taken: Collection[str]) -> str:
    """What a copy of what is in `tag` is kept under."""
    number = 1
    while (found := f"{told_language(tag)}-x-copy{number}") in taken:
        number += 1
    return found


def id_of(track: TextTrack) -> str:
    return identifiers.made(track.video_id, "captions", track.language)


def subtitle(call: Call, row: Video, track: TextTrack, token: str | None) -> SubtitleAnswer:
    return SubtitleAnswer(
        id=id_of(track),
        video_id=row.id,
        description=track.title,
        language=told_language(track.language),
        file_name=f"{track.language}.vtt",
        url=asset_urls.of_text(call.media_url, row.id, "captions", track.language, token),
        created_at=track.created_at,
        updated_at=track.updated_at,
    )
