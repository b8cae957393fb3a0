"""Many videos from a table of URLs: checked whole before any is made."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from pydantic import Field, ValidationError

from server.catalog import imports as rows
from server.catalog.models import Import, Upload, Video
from server.errors import ERRORS, Problem
from server.formats import csv_table
from server.formats.csv_table import CsvError, Row
from server.outbound.target import BadUrl, Target
from server.uploads.imports import MAX_VIDEOS, Imports, wish
from server.uploads.placement import UNTITLED, base_name
from server.web import bodies, validation
from server.web.api.fetches import FETCHING
from server.web.api.video_answers import VideoError
from server.web.api.video_answers import error as video_error
from server.web.api.videos import VideoCreation, columns_of
from server.web.forms import small_file
from server.web.problems import type_of
from server.web.shapes import Answer, Moment
from server.web.typed import Call, Operations

IMPORTS = web.AppKey("imports", Imports)

MAX_BYTES = 4 << 20  # of a file: a thousand rows with long descriptions
PROBLEMS_LIMIT = 100  # listed at once
METADATA = "metadata."
# column, whatever its case -> attribute of the creation of a video
COLUMNS = {
    "url": "source",
    "title": "title",
    "description": "description",
    "tags": "tags",  # separated by commas
    "public": "public",
    "language": "language",
    "panoramic": "panoramic",
    "mp4support": "mp4Support",
    "playerid": "playerId",
}
FLAGS = frozenset({"public", "panoramic", "mp4Support"})
WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
WAITING, DELETED = "waiting", "deleted"  # beside the states of videos

_BODY: Mapping[str, Any] = {
    "text/csv": {
        "type": "string",
        "description": "Columns: url, title, description, tags, public, metadata.…",
        "examples": ["url,title\nhttps://files.example.com/bridges.mp4,Bridges\n"],
    },
    "multipart/form-data": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    },
}

operations = Operations("Videos")


class ImportedVideo(Answer):
    video_id: str
    title: str | None
    state: str = Field(description="The video's state, or waiting, or deleted.")
    received_bytes: int
    total_bytes: int | None
    error: VideoError | None


class ImportAnswer(Answer):
    import_id: str
    created_at: Moment
    repeated: bool = Field(description="The same file came before: these are the videos that it made then.")
    total: int
    states: dict[str, int] = Field(description="How many videos are in each state.")
    videos: list[ImportedVideo] = Field(description="In the order of the file's rows.")


@operations.post(
    "/videos/import",
    "Import videos from a table of URLs",
    scope="videos:write",
    status=201,
    raw=_BODY,
    errors=["invalid-attribute", "invalid-payload", "unsupported-media-type", "uploaded-file-no-file",
            "uploaded-file-multiple-files", "uploaded-file-empty", "uploaded-file-too-large"],
)  # fmt: skip
async def create(call: Call) -> ImportAnswer:
    """A CSV file of at most 1000 rows, whose first row names its columns: `url` and, as wanted, `title`, `description`,
    `tags` (separated by commas), `public`, `language` and `metadata.…`.

    If anything is wrong with it, nothing is made, and each problem names its line and column. The same file again, byte
    for byte, makes nothing and answers with what it made the first time.
    """
    data = await _file(call.request)
    wishes = await asyncio.to_thread(_wishes, call.request.app, data)
    digest = hashlib.sha256(data).hexdigest()
    row, new = await call.request.app[IMPORTS].order(call.project_id, digest, wishes)
    return await _answer(call, row.id, repeated=not new)


@operations.get("/videos/import/{importId}", "Show how far an import is", scope="videos:read")
async def show(call: Call, import_id: str) -> ImportAnswer:
    """How far the videos of a file have come, in the order of its rows."""
    return await _answer(call, import_id, repeated=False)


async def _file(request: web.Request) -> bytes:
    kind = request.content_type
    if kind.startswith("multipart/"):
        return await small_file(request, MAX_BYTES)
    if kind not in ("text/csv", "text/plain", "application/octet-stream"):
        raise Problem("unsupported-media-type", "Send text/csv, or a form with a file.")
    data = b""
    async for chunk in bodies.chunks(request):
        data += chunk
        if len(data) > MAX_BYTES:
            raise Problem("uploaded-file-too-large", f"At most {MAX_BYTES} bytes are taken.")
    return data


def _wishes(app: web.Application, data: bytes) -> list[dict[str, Any]]:
    """What each row asks for. Raises Problem that lists all faults. Blocking: a long table takes tenths of a second."""
    try:
        table = csv_table.read(data, MAX_VIDEOS)
    except CsvError as error:
        raise _problem([_fault(error.line, error.column, str(error))]) from None
    if faults := _faults_of_columns(table.columns):
        raise _problem(faults)
    found: list[dict[str, Any]] = []
    for row in table.rows:
        found.append(_wish(app, row, faults))
        if len(faults) >= PROBLEMS_LIMIT:
            break
    if faults:
        raise _problem(faults)
    return found


def _faults_of_columns(columns: Sequence[str]) -> list[dict[str, Any]]:
    unknown = [name for name in columns if name.lower() not in COLUMNS and not name.startswith(METADATA)]
    faults = [_fault(1, name, "There is no such column.") for name in unknown]
    if "url" not in map(str.lower, columns):
        faults.append(_fault(1, "url", "This column is required."))
    return faults


def _wish(app: web.Application, row: Row, faults: list[dict[str, Any]]) -> dict[str, Any]:
    """One row's video; what is wrong with it is added to the faults."""
    names: dict[str, str] = {}  # attribute -> column
    given: dict[str, Any] = {}
    for column, text in row.cells.items():
        attribute = COLUMNS.get(column.lower())
        if attribute is None:
            given.setdefault("metadata", []).append({"key": column.removeprefix(METADATA), "value": text})
        else:
            names[attribute], given[attribute] = column, _value(attribute, text)
    if "source" not in given:
        faults.append(_fault(row.line, "url", "This cell is required."))
        return {}
    target = _target(app, row, names["source"], given["source"], faults)
    if target is None:
        return {}
    given.setdefault("title", base_name(target.filename) or UNTITLED)
    try:
        body = VideoCreation.model_validate(given)
    except ValidationError as error:
        for problem in validation.of_body(error).problems:
            attribute = str(problem["name"]).partition("[")[0]
            faults.append(_fault(row.line, names.get(attribute, attribute), problem["detail"]))
        return {}
    return wish(target.full_url, columns_of(body))


def _value(attribute: str, text: str) -> Any:
    if attribute == "tags":
        return list(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))
    if attribute in FLAGS:
        return WORDS.get(text.lower(), text)
    return text


def _target(app: web.Application, row: Row, column: str, url: str, faults: list[dict[str, Any]]) -> Target | None:
    try:
        return app[FETCHING].target(url)
    except BadUrl as error:
        faults.append(_fault(row.line, column, str(error)))
        return None


def _fault(line: int, column: str | None, sentence: str) -> dict[str, Any]:
    code = "invalid-attribute"
    name = f"line {line}" + (f", {column[:100]}" if column else "")
    entry = {"type": type_of(code), "title": ERRORS[code].title, "name": name, "detail": sentence, "line": line}
    return entry | ({"column": column[:100]} if column else {})


def _problem(faults: list[dict[str, Any]]) -> Problem:
    first = faults[0]
    return Problem("invalid-attribute", first["detail"], first["name"], faults[:PROBLEMS_LIMIT])


async def _answer(call: Call, import_id: str, *, repeated: bool) -> ImportAnswer:
    async with call.services.database.read() as transaction:
        row = await rows.get(transaction, import_id)
        if row is None or row.project_id != call.project_id:
            raise Problem("resource-not-found", name="importId")
        found = await rows.videos(transaction, row)
    videos = [_imported(row, at, found.get(id)) for at, id in enumerate(row.video_ids)]
    return ImportAnswer(
        import_id=row.id,
        created_at=row.created_at,
        repeated=repeated,
        total=len(videos),
        states=dict(Counter(video.state for video in videos)),
        videos=videos,
    )


def _imported(row: Import, at: int, found: tuple[Video, Upload | None] | None) -> ImportedVideo:
    if found is None:
        return ImportedVideo(
            video_id=row.video_ids[at],
            title=None,
            state=DELETED if at < row.made else WAITING,
            received_bytes=0,
            total_bytes=None,
            error=None,
        )
    video, upload = found
    return ImportedVideo(
        video_id=video.id,
        title=video.title,
        state=video.state,
        received_bytes=upload.received if upload else 0,
        total_bytes=upload.length if upload else video.source_bytes,
        error=video_error(video.error),
    )
