"""Captions and chapters of a video: WebVTT or SubRip files, one of each kind and language."""

import asyncio
from functools import lru_cache

from aiohttp import web
from babel import Locale, UnknownLocaleError
from pydantic import Field

from server.catalog import text_tracks
from server.catalog.database import Transaction
from server.catalog.models import TextTrack, Video
from server.catalog.text_tracks import Kind
from server.errors import Problem
from server.formats.languages import bcp47
from server.vod import texts
from server.vod.texts import Texts
from server.web import asset_urls, validation
from server.web.api.videos import find
from server.web.forms import SMALL_FILE_ERRORS, of_one_file, small_file
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import Answer, Body
from server.web.typed import Call, Operations

TEXTS = web.AppKey("texts", Texts)

_FORM = of_one_file("A WebVTT or SubRip file.")
_ERRORS = (*SMALL_FILE_ERRORS, "conflict")

operations = Operations("Captions and chapters")


class CaptionAnswer(Answer):
    uri: str
    src: str
    srclang: str
    language_name: str = Field(description="The language's name in itself.")
    default: bool
    title: str = Field(description="What the file that they were found in calls them; empty otherwise.")


class CaptionList(Answer):
    data: list[CaptionAnswer]
    pagination: Pagination


class CaptionChanges(Body):
    default: bool = Field(description="Shown unless the viewer turns captions off.")


class ChapterAnswer(Answer):
    uri: str
    src: str
    language: str


class ChapterList(Answer):
    data: list[ChapterAnswer]
    pagination: Pagination


@operations.get("/videos/{videoId}/captions", "List captions", scope="videos:read")
async def list_captions(call: Call, video_id: str, query: PageQuery) -> CaptionList:
    """One for each language."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
        page = await text_tracks.page(transaction, row.id, "captions", query.paging(None))
    return CaptionList(
        data=[_caption(call, row, track) for track in page.rows], pagination=pagination(call.request, page)
    )


@operations.post(
    "/videos/{videoId}/captions/{language}", "Upload captions", scope="videos:write", raw=_FORM, errors=_ERRORS
)
async def upload_captions(call: Call, video_id: str, language: str) -> CaptionAnswer:
    """Captions of this language are replaced. What is being watched shows them from the next load on."""
    return _caption(call, *await _upload(call, video_id, "captions", language))


@operations.get("/videos/{videoId}/captions/{language}", "Show captions", scope="videos:read")
async def show_captions(call: Call, video_id: str, language: str) -> CaptionAnswer:
    """Where its file is, and whether viewers see it unasked."""
    async with call.services.database.read() as transaction:
        return _caption(call, *await _find(transaction, call, video_id, "captions", language))


@operations.patch(
    "/videos/{videoId}/captions/{language}", "Change captions", scope="videos:write", example={"default": True}
)
async def change_captions(call: Call, video_id: str, language: str, body: CaptionChanges) -> CaptionAnswer:
    """Of the captions of a video one at most is the default."""
    async with call.services.database.write() as transaction:
        row, track = await _find(transaction, call, video_id, "captions", language)
        await text_tracks.set_default(transaction, row, track, body.default)
    return _caption(call, row, track)


@operations.delete("/videos/{videoId}/captions/{language}", "Delete captions", scope="videos:write", status=204)
async def delete_captions(call: Call, video_id: str, language: str) -> None:
    """What is being watched shows them until its next load."""
    await _delete(call, video_id, "captions", language)


@operations.get("/videos/{videoId}/chapters", "List chapters", scope="videos:read")
async def list_chapters(call: Call, video_id: str, query: PageQuery) -> ChapterList:
    """One set for each language."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
        page = await text_tracks.page(transaction, row.id, "chapters", query.paging(None))
    return ChapterList(
        data=[_chapter(call, row, track) for track in page.rows], pagination=pagination(call.request, page)
    )


@operations.post(
    "/videos/{videoId}/chapters/{language}", "Upload chapters", scope="videos:write", raw=_FORM, errors=_ERRORS
)
async def upload_chapters(call: Call, video_id: str, language: str) -> ChapterAnswer:
    """A cue is a chapter, its text the title. Chapters of this language are replaced."""
    return _chapter(call, *await _upload(call, video_id, "chapters", language))


@operations.get("/videos/{videoId}/chapters/{language}", "Show chapters", scope="videos:read")
async def show_chapters(call: Call, video_id: str, language: str) -> ChapterAnswer:
    """Where its file is."""
    async with call.services.database.read() as transaction:
        return _chapter(call, *await _find(transaction, call, video_id, "chapters", language))


@operations.delete("/videos/{videoId}/chapters/{language}", "Delete chapters", scope="videos:write", status=204)
async def delete_chapters(call: Call, video_id: str, language: str) -> None:
    """What is being watched shows them until its next load."""
    await _delete(call, video_id, "chapters", language)


async def _upload(call: Call, video_id: str, kind: Kind, language: str) -> tuple[Video, TextTrack]:
    tag = _tag(language)
    async with call.services.database.read() as transaction:
        await find(transaction, call, video_id)
    text = await asyncio.to_thread(texts.checked, await small_file(call.request, texts.MAX_BYTES))
    spoken = await texts.said(kind, text)
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id)
        return row, await call.request.app[TEXTS].put(transaction, row, kind, tag, text, spoken=spoken)


async def _delete(call: Call, video_id: str, kind: Kind, language: str) -> None:
    async with call.services.database.write() as transaction:
        row, track = await _find(transaction, call, video_id, kind, language)
        await call.request.app[TEXTS].remove(transaction, row, track)


async def _find(
    transaction: Transaction, call: Call, video_id: str, kind: Kind, language: str
) -> tuple[Video, TextTrack]:
    """Raises Problem."""
    row = await find(transaction, call, video_id)
    track = await text_tracks.get(transaction, row.id, kind, bcp47(language) or language)
    if track is None:
        raise Problem("resource-not-found", f"There are no {kind} in this language.", name="language")
    return row, track


def _tag(language: str) -> str:
    tag = bcp47(language)
    if tag is None:
        raise validation.of_parameter("language", "This is not a language tag such as en or pt-BR.")
    return tag


def _caption(call: Call, row: Video, track: TextTrack) -> CaptionAnswer:
    return CaptionAnswer(
        uri=f"/videos/{row.id}/captions/{track.language}",
        src=_src(call, row, track),
        srclang=track.language,
        language_name=native_name(track.language),
        default=track.default,
        title=track.title,
    )


def _chapter(call: Call, row: Video, track: TextTrack) -> ChapterAnswer:
    uri = f"/videos/{row.id}/chapters/{track.language}"
    return ChapterAnswer(uri=uri, src=_src(call, row, track), language=track.language)


def _src(call: Call, row: Video, track: TextTrack) -> str:
    token = None if row.public else call.services.tokens.mint(row.id).token
    return asset_urls.of_text(call.media_url, row.id, track.kind, track.language, token)


@lru_cache(maxsize=512)
def native_name(tag: str) -> str:
    """A language's name in itself, by Unicode's tables: српски (ћирилица); the tag where they have none."""
    try:
        return Locale.parse(tag, sep="-").display_name or tag
    except (UnknownLocaleError, ValueError):
        return tag
