"""A video's file as one request, or as several with a part each; and the same for those who have an upload token."""

from collections.abc import Mapping
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from server.errors import Problem
from server.protocols import content_range
from server.protocols.content_range import Piece
from server.uploads.placement import Sender, own_video, sender_of_token, to_fill
from server.uploads.source import SourceUploads
from server.web.api import fetches
from server.web.api.video_answers import VideoAnswer
from server.web.api.video_answers import video as answer
from server.web.forms import receive
from server.web.scopes import REPLACING
from server.web.shapes import Body, Query, SourceUrl
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
    "conflict",
    "video-content-range-malformed",
    "video-content-range-mismatch",
    "resource-not-found",
    "upload-gone",
    "upload-busy",
    "storage-full",
)


class UploadQuery(Query):
    token: Annotated[str | None, Field(description="An upload token.")] = None


class SourceQuery(Query):
    replace: Annotated[
        bool,
        Field(
            description="The file takes the place of one that the video has, once it can be watched. The key needs "
            "`videos:write`, too."
        ),
    ] = False


@operations.post(
    "/videos/{videoId}/source",
    "Upload a video's file",
    scope="uploads:create",
    status=201,
    kind="upload",
    raw=_FORM,
    errors=_ERRORS,
)
async def upload(call: Call, video_id: str, query: SourceQuery) -> VideoAnswer:
    """Without Content-Range the file is whole. With `replace=true` it may be another one for a video that has a file:
    that one is watched until the new one can be, under the same URLs, and stays where the new one can't.

    `part 2/5`, `part 2/*` and `bytes 0-99/300` name a part; parts come in any order, and may come again. The video is
    processed when all are there.
    """
    sources, piece = call.request.app[SOURCES], _piece(call)
    sender = Sender(call.project_id, replaces=call.caller is not None and call.caller.may(REPLACING))
    await sources.check(sender, video_id, piece, query.replace)
    form = await receive(call.request, sources, sender)
    return answer(call, await sources.bind(sender, form.staged, video_id, piece, query.replace))


class SourceBody(Body):
    source: Annotated[SourceUrl, Field(description="URL of a media file, which the server fetches.")]


@operations.put(
    "/videos/{videoId}/source",
    "Replace a video's file by one that is fetched",
    scope="videos:write",
    status=202,
    example={"source": "https://www.example.com/take-2.mp4"},
    errors=("resource-not-found", "conflict", "video-source-already-uploaded"),
)
async def fetch(call: Call, video_id: str, body: SourceBody) -> VideoAnswer:
    """As an upload with `replace=true`. A video that has no file yet gets this one."""
    target = fetches.target(call, body.source)
    sender = Sender(call.project_id)
    async with call.services.database.write() as transaction:
        filled = await to_fill(transaction, sender, video_id, replace=True)
        if filled.state != "pending":
            raise Problem("conflict", "Another file for the video is on its way.", name="source")
        await call.request.app[fetches.FETCHING].order(transaction, filled, target)
        return answer(call, await own_video(transaction, sender, video_id))


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
