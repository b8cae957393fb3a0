"""Subtitles of the dialect: captions of ours. One file in each language is uploaded, of which there may be copies."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, RootModel

from server.catalog import text_tracks, video_details
from server.catalog.database import Transaction
from server.catalog.models import TextTrack, Video
from server.errors import Problem
from server.formats.languages import MAX_TAG, bcp47
from server.vod import texts
from server.web.api.text_tracks import TEXTS
from server.web.forms import SMALL_FILE_ERRORS, small_form
from server.web.kinescope.identifiers import kinescope_operations, uuid_of
from server.web.kinescope.shapes import DONE, All, Changes, Data, Done, GivenId
from server.web.kinescope.subtitle_answers import SubtitleAnswer, id_of, of_a_copy, subtitle, told_language
from server.web.kinescope.videos import find
from server.web.shapes import ABSENT, Text
from server.web.typed import Call

DESCRIPTION_CHARS = 1000
_FORM = {
    "multipart/form-data": {
        "type": "object",
        "required": ["language", "file"],
        "properties": {
            "language": {"type": "string", "description": "Such as en or pt-BR."},
            "description": {"type": "string", "description": "What viewers read, beside or instead of the language."},
            "file": {"type": "string", "format": "binary", "description": "A WebVTT or SubRip file."},
        },
    }
}

operations = kinescope_operations("Subtitles")

Description = Annotated[Text, Field(max_length=DESCRIPTION_CHARS)]


class SubtitleChanges(Changes):
    language: Annotated[str, Field(min_length=2, max_length=35)] = ABSENT
    description: Description = ABSENT


class Sequenced(RootModel[Annotated[list[GivenId], Field(max_length=text_tracks.MAX_TRACKS)]]):
    """Ids in their order."""


@operations.get("/v1/videos/{video_id}/subtitles", "List subtitles", scope="videos:read")
async def list_all(call: Call, video_id: str) -> All[SubtitleAnswer]:
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
        tracks = await text_tracks.of_video(transaction, row.id, "captions")
        details = (await video_details.of_videos(transaction, [row.id])).get(row.id)
    return All(data=_answers(call, row, video_details.in_order(tracks, details)))


@operations.post(
    "/v1/videos/{video_id}/subtitles", "Upload subtitles", scope="videos:write", raw=_FORM, kind="upload",
    errors=(*SMALL_FILE_ERRORS, "attribute-required", "invalid-attribute", "conflict"),
)  # fmt: skip
async def upload(call: Call, video_id: str) -> Data[SubtitleAnswer]:
    """Those of the same language are replaced."""
    async with call.services.database.read() as transaction:
        await find(transaction, call, video_id)
    form = await small_form(call.request, texts.MAX_BYTES)
    language = _tag(form.fields.get("language", ""))
    text, description = await asyncio.to_thread(texts.checked, form.file), form.fields.get("description", "")
    if "\x00" in description:
        raise Problem("invalid-attribute", "This value should not hold a NUL character.", name="description")
    spoken = await texts.said("captions", text)
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id)
        store = call.request.app[TEXTS]
        track = await store.put(transaction, row, "captions", language, text, title=description, spoken=spoken)
        return Data(data=_answers(call, row, [track])[0])


@operations.patch(
    "/v1/videos/{video_id}/subtitles/reorder", "Order subtitles", scope="videos:write", errors=["invalid-id"],
    example=[],
)  # fmt: skip
async def reorder(call: Call, video_id: str, body: Sequenced) -> All[SubtitleAnswer]:
    """How they are listed here; players list them by their language. Those that are not named come behind."""
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id)
        tracks = await text_tracks.of_video(transaction, row.id, "captions")
        by_id = {uuid_of(id_of(track)): track for track in tracks}
        named = [by_id.get(each.lower()) for each in body.root]
        if None in named:
            raise Problem("resource-not-found", "There are no such subtitles.", name=f"[{named.index(None)}]")
        details = await video_details.own(transaction, row)
        details.captions_order = [track.language for track in named if track is not None]
        return All(data=_answers(call, row, video_details.in_order(tracks, details)))


@operations.get("/v1/videos/{video_id}/subtitles/{subtitle_id}", "Show subtitles", scope="videos:read")
async def show(call: Call, video_id: str, subtitle_id: str) -> Data[SubtitleAnswer]:
    async with call.services.database.read() as transaction:
        row, track = await _find(transaction, call, video_id, subtitle_id)
    return Data(data=_answers(call, row, [track])[0])


@operations.patch(
    "/v1/videos/{video_id}/subtitles/{subtitle_id}", "Change subtitles", scope="videos:write",
    errors=["conflict"], example={"description": "For everybody"},
)  # fmt: skip
async def change(call: Call, video_id: str, subtitle_id: str, body: SubtitleChanges) -> Data[SubtitleAnswer]:
    """With another language they are other subtitles, with another id."""
    async with call.services.database.write() as transaction:
        row, track = await _find(transaction, call, video_id, subtitle_id)
        description = body.description if "description" in body.model_fields_set else track.title
        language = _tag(body.language) if "language" in body.model_fields_set else track.language
        if language not in (track.language, told_language(track.language)):
            if await text_tracks.get(transaction, row.id, "captions", language) is not None:
                raise Problem("conflict", "There are subtitles in this language already.", name="language")
            moved = await _copied(transaction, call, row, track, language, description)
            await call.request.app[TEXTS].remove(transaction, row, track)
            track = moved
        elif description != track.title:
            await text_tracks.set_title(transaction, row, track, description)
        return Data(data=_answers(call, row, [track])[0])


@operations.delete("/v1/videos/{video_id}/subtitles/{subtitle_id}", "Delete subtitles", scope="videos:write")
async def delete(call: Call, video_id: str, subtitle_id: str) -> Done:
    async with call.services.database.write() as transaction:
        row, track = await _find(transaction, call, video_id, subtitle_id)
        await call.request.app[TEXTS].remove(transaction, row, track)
    return DONE


@operations.post(
    "/v1/videos/{video_id}/subtitles/{subtitle_id}/copy", "Copy subtitles", scope="videos:write",
    errors=["conflict"],
)  # fmt: skip
async def copy(call: Call, video_id: str, subtitle_id: str) -> Data[SubtitleAnswer]:
    """Of the same video, in the same language, with an id of its own: to be given another language or description, and
    to be changed from then on by itself."""
    async with call.services.database.write() as transaction:
        row, track = await _find(transaction, call, video_id, subtitle_id)
        taken = {each.language for each in await text_tracks.of_video(transaction, row.id, "captions")}
        tag = of_a_copy(track.language, taken)
        if len(tag) > MAX_TAG:
            raise Problem("conflict", "The language's tag is too long for a copy.", name="subtitle_id")
        made = await _copied(transaction, call, row, track, tag, track.title)
        return Data(data=_answers(call, row, [made])[0])


async def _copied(
    transaction: Transaction, call: Call, row: Video, track: TextTrack, language: str, description: str
) -> TextTrack:
    """The same text under another tag. Raises Problem."""
    store = call.request.app[TEXTS]
    known = await store.find(row.id, "captions", track.language)
    if known is None:
        raise Problem("resource-not-found", name="subtitle_id")
    text, spoken = known[1].decode(), await text_tracks.words_of(transaction, track)
    return await store.put(transaction, row, "captions", language, text, title=description, spoken=spoken)


async def _find(
    transaction: Transaction, call: Call, video_id: str, subtitle_id: str
) -> tuple[Video, TextTrack]:
    """Raises Problem."""
    row = await find(transaction, call, video_id)
    for track in await text_tracks.of_video(transaction, row.id, "captions"):
        if id_of(track) == subtitle_id:
            return row, track
    raise Problem("resource-not-found", name="subtitle_id")


def _tag(language: str) -> str:
    if not language:
        raise Problem("attribute-required", "This attribute is required.", name="language")
    tag = bcp47(language)
    if tag is None:
        raise Problem("invalid-attribute", "This is not a language tag such as en or pt-BR.", name="language")
    return tag


def _answers(call: Call, row: Video, tracks: Sequence[TextTrack]) -> list[SubtitleAnswer]:
    token = None if row.public else call.services.tokens.mint(row.id).token
    return [subtitle(call, row, track, token) for track in tracks]
