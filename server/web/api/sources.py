"""A video's file as one request, or as several with a part each; and the same for those who have an upload token."""

from collections.abc import Mapping
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from server.errors import Problem
from server.protocols import content_range
from server.protocols.content_range import Piece
from server.uploads.placement import Sender, sender_of_token
from server.uploads.source import SourceUploads
from server.web.api.video_answers import VideoAnswer
from server.web.api.video_answers import video as answer
from server.web.forms import receive
from server.web.shapes import Query
from server.web.typed import Call, Operations

SOURCES = web.AppKey("sources", SourceUploads)

operations = Operations("Videos")

_FILE = {"type": "string", "format": "binary", "description": "The file, or the part of it that Content-Range names."}
_FORM: Mapping[str, Any] = {
    "multipart/form-data": {"type": "object", "required": ["file"], "properties": {"file": _FILE}}
}
_DELEGATED_FORM: Mapping[str, Any] = {
    "multipart/form-data": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": _FILE,
            "videoId": {"type": "string", "description": "Of the video that an earlier part made."},
        },
    }
}
_ERRORS = (
    "uploaded-file-no-file",
    "uploaded-file-multiple-files",
    "uploaded-file-empty",
    "uploaded-file-too-large",
    "unsupported-media-type",
    "invalid-payload",
    "video-source-already-uploaded",
    "video-content-range-malformed",
    "video-content-range-mismatch",
    "resource-not-found",
    "upload-gone",
    "upload-busy",
    "storage-full",
)


class UploadQuery(Query):
    token: Annotated[str | None, Field(description="An upload token.")] = None


@operations.post(
    "/videos/{videoId}/source",
    "Upload a video's file",
    scope="videos:write",
    status=201,
    kind="upload",
    raw=_FORM,
    errors=_ERRORS,
)
async def upload(call: Call, video_id: str) -> VideoAnswer:
    """Without Content-Range the file is whole.

    `part 2/5`, `part 2/*` and `bytes 0-99/300` name a part; parts come in any order, and may come again. The video is
    processed when all are there.
    """
    sources, piece = call.request.app[SOURCES], _piece(call)
    sender = Sender(call.project_id)
    await sources.check(sender, video_id, piece)
    form = await receive(call.request, sources, sender)
    return answer(call, await sources.bind(sender, form.staged, video_id, piece))


@operations.post(
    "/upload",
    "Upload a file with an upload token",
    scope=None,
    status=201,
    kind="upload",
    raw=_DELEGATED_FORM,
    errors=(
        "authentication-missing-upload-token",
        "authentication-invalid-upload-token",
        "forbidden",
        *_ERRORS,
    ),
)
async def upload_delegated(call: Call, query: UploadQuery) -> VideoAnswer:
    """Makes a video with the file's name as title, unless `videoId` names one. Later parts send that of the answer."""
    if not query.token:
        raise Problem("authentication-missing-upload-token", name="token")
    sender = await sender_of_token(call.services.database, query.token)
    piece = _piece(call)
    form = await receive(call.request, call.request.app[SOURCES], sender)
    video_id = form.fields.get("videoId") or None
    return answer(call, await call.request.app[SOURCES].bind(sender, form.staged, video_id, piece))


def _piece(call: Call) -> Piece | None:
    return content_range.parse(call.request.headers.get("Content-Range"))
