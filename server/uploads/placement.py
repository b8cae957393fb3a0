"""Which video an upload is for: a new one, or one that waits for its source."""

from dataclasses import dataclass
from typing import Any

from server import ids
from server.catalog import file_requests, folders, upload_sessions, uploads, versions, video_details, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Upload, Video
from server.catalog.sharing_models import FileRequest
from server.catalog.upload_models import UploadSession
from server.errors import Problem
from server.media import file_types
from server.protocols.tus.metadata import MAX_FILENAME_CHARS, Description

UNTITLED = "Untitled"

# states of a video without a source that can be used
WAITING = frozenset({"pending", "uploading", "error", "aborted"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What an upload session takes: one file, of those types."""

    max_bytes: int | None = None
    types: tuple[str, ...] = ()  # as media.file_types has them; none: all


@dataclass(frozen=True, slots=True)
class Sender:
    """Who uploads: a project's API key, or the bearer of one of its upload tokens, or of the URL of an upload session,
    which stands in the token's place and has terms."""

    project_id: str
    token_id: str | None = None
    replaces: bool = True  # whether files that videos have, too
    terms: Terms | None = None

    def limit(self, limit: int) -> int:
        """Bytes that a file may have, of which others may have `limit`."""
        return limit if self.terms is None or self.terms.max_bytes is None else min(limit, self.terms.max_bytes)

    def check_type(self, filename: str | None, content_type: str | None) -> None:
        """Raises Problem (415)."""
        if self.terms is None or not self.terms.types or file_types.said(self.terms.types, filename, content_type):
            return
        taken = ", ".join(self.terms.types)
        raise Problem("unsupported-media-type", f"Files of these types are taken, and say so: {taken}.")


def sender_of_session(row: UploadSession) -> Sender:
    return Sender(row.project_id, row.id, replaces=False, terms=Terms(row.max_bytes, tuple(row.types)))


async def sender_of_token(database: Database, token: str) -> Sender:
    """Raises Problem (401)."""
    try:
        token_id = ids.canonical("to", token)
    except ids.InvalidId:
        raise Problem("authentication-invalid-upload-token") from None
    async with database.read() as transaction:
        found = await uploads.token(transaction, token_id)
    if found is None:
        raise Problem("authentication-invalid-upload-token")
    return Sender(found.project_id, found.id)


async def new_video(transaction: Transaction, sender: Sender, description: Description) -> Video:
    """A video that is described by its upload; what an upload session says of it goes before that, and one that a file
    request brings is its library's in the rest.

    Raises Problem where a session takes none any more: 409, 410.
    """
    request = await file_requests.of_token(transaction, sender.token_id) if sender.token_id else None
    facts = {
        "folder_id": await _folder(transaction, request) if request is not None else None,
        "title": description.title or base_name(description.filename) or UNTITLED,
        "description": description.description or "",
        "public": True if description.public is None else description.public,
        "tags": list(description.tags),
        "meta": [{"key": key, "value": value} for key, value in description.metadata],
        **await _wish(transaction, sender),
    }
    video = await videos.add(transaction, Video(project_id=sender.project_id, **facts))
    if request is not None:
        await video_details.take_over_from_library(transaction, video)
    return video


async def _wish(transaction: Transaction, sender: Sender) -> dict[str, Any]:
    """Columns of the first video of a session. Raises Problem as `new_video`."""
    if sender.terms is None or sender.token_id is None:
        return {}
    session = await upload_sessions.locked(transaction, sender.token_id)
    if session is None:
        raise Problem("upload-gone", "The upload session is gone.")
    if session.state != "waiting":
        raise Problem("conflict", "Another file has begun to come for the upload session.")
    wish = dict(session.wish)
    if "folder_id" in wish:  # it may be gone
        folder = await folders.get(transaction, session.project_id, wish["folder_id"])
        wish["folder_id"] = folder.id if folder is not None else None
    return wish


async def _folder(transaction: Transaction, request: FileRequest) -> str | None:
    """Where what comes by a file request is kept; None: at the top."""
    if request.location_id is None:
        return None
    folder = await folders.get(transaction, request.project_id, request.location_id)
    return folder.id if folder is not None else None


async def waiting_video(transaction: Transaction, sender: Sender, video_id: str) -> Video:
    """A video of the sender's project that has no source. What it says of itself stays as it is.

    Raises Problem: 404; 400 it has one; 403 the bearer of a token may fill only videos that nobody has begun to
    fill, and those begun with the same token: a video's id is no secret.
    """
    return await _waiting(transaction, sender, await own_video(transaction, sender, video_id))


async def _waiting(transaction: Transaction, sender: Sender, video: Video) -> Video:
    """Raises Problem as `waiting_video`."""
    last = await uploads.of_video(transaction, video.id) if sender.token_id is not None else None
    if sender.terms is not None and last is not None and last.state == "uploaded":
        raise Problem("video-source-already-uploaded", "The upload session has its file.")
    if video.state not in WAITING or video.live_stream_id is not None:
        raise Problem("video-source-already-uploaded", name="videoId")
    if last is not None and last.upload_token_id != sender.token_id:
        raise Problem("forbidden", detail="Another credential began to upload this video.", name="videoId")
    return video


async def still_waiting(transaction: Transaction, sender: Sender, row_id: str) -> Video:
    """What `to_fill` gave in a transaction before. Raises Problem as `waiting_video`."""
    video = await videos.find(transaction, row_id)
    if video is None:
        raise Problem("resource-not-found", detail="There is no such video.", name="videoId")
    return await _waiting(transaction, sender, video)


def check_replaceable(sender: Sender, video: Video) -> None:
    """Raises Problem where the video's file can't be replaced now: 403, 409."""
    if sender.token_id is not None:
        raise Problem("forbidden", detail="An upload token opens no video that has a file.", name="videoId")
    if not sender.replaces:
        raise Problem("forbidden", detail="To replace a video's file takes the scope videos:write.", name="videoId")
    try:
        versions.check(video)
    except versions.NotNow as error:
        raise Problem("conflict", detail=str(error), name="videoId") from None


async def to_fill(transaction: Transaction, sender: Sender, video_id: str, replace: bool) -> Video:
    """What an upload for the video is to fill: the video itself or, to `replace` the file that it has, a version of it.

    Raises Problem as `waiting_video`, and where another file is not taken now: 409.
    """
    video = await own_video(transaction, sender, video_id)
    if not replace or video.state in WAITING:
        return await _waiting(transaction, sender, video)
    check_replaceable(sender, video)
    for version in await versions.unfinished(transaction, video):
        if version.state in WAITING and (version.edit or {}).get("reason") == versions.REPLACE:
            return version  # another upload goes before the one that was to fill it
    return await versions.new(transaction, video, versions.REPLACE)


async def own_video(transaction: Transaction, sender: Sender, video_id: str) -> Video:
    """A video of the sender's project, by any spelling of its id. Raises Problem (404)."""
    try:
        video = await videos.get(transaction, sender.project_id, ids.canonical("vi", video_id))
    except ids.InvalidId:
        video = None
    if video is None:
        raise Problem("resource-not-found", detail="There is no such video.", name="videoId")
    return video


async def begin(transaction: Transaction, video: Video, upload: Upload) -> Upload | None:
    """The upload is the video's from now on; the one that it supersedes, whose bytes can go."""
    last = await uploads.of_video(transaction, video.id)
    superseded = last if last is not None and last.state in uploads.OPEN else None
    if superseded is not None:
        await uploads.move(transaction, superseded, "aborted", reason="superseded")
    upload.video_id = video.id
    await uploads.add(transaction, upload)
    await upload_sessions.begun(transaction, upload)
    video.upload_id, video.source, video.source_name = upload.id, "upload", upload.filename
    if video.state != "uploading":
        await videos.move(transaction, video, "uploading")
    return superseded


def base_name(filename: str | None) -> str | None:
    """The last part of what may be a path of either kind; None where that leaves nothing."""
    path = (filename or "").replace("\0", "").replace("\\", "/")
    return path.rstrip("/").rpartition("/")[2].strip()[:MAX_FILENAME_CHARS] or None
