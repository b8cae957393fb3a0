"""Which video an upload is for: a new one, or one that waits for its source."""

from dataclasses import dataclass

from server import ids
from server.catalog import uploads, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Upload, Video
from server.errors import Problem
from server.protocols.tus.metadata import MAX_FILENAME_CHARS, Description

UNTITLED = "Untitled"

# states of a video without a source that can be used
WAITING = frozenset({"pending", "uploading", "error", "aborted"})


@dataclass(frozen=True, slots=True)
class Sender:
    """Who uploads: a project's API key, or the bearer of one of its upload tokens."""

    project_id: str
    token_id: str | None = None


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
    """A video that is described by its upload."""
    video = Video(
        project_id=sender.project_id,
        title=description.title or base_name(description.filename) or UNTITLED,
        description=description.description or "",
        public=True if description.public is None else description.public,
        tags=list(description.tags),
        meta=[{"key": key, "value": value} for key, value in description.metadata],
    )
    return await videos.add(transaction, video)


async def waiting_video(transaction: Transaction, sender: Sender, video_id: str) -> Video:
    """A video of the sender's project that has no source. What it says of itself stays as it is.

    Raises Problem: 404; 400 it has one; 403 the bearer of a token may fill only videos that nobody has begun to
    fill, and those begun with the same token: a video's id is no secret.
    """
    video = await own_video(transaction, sender, video_id)
    if video.state not in WAITING or video.live_stream_id is not None:
        raise Problem("video-source-already-uploaded", name="videoId")
    if sender.token_id is not None:
        last = await uploads.of_video(transaction, video.id)
        if last is not None and last.upload_token_id != sender.token_id:
            raise Problem("forbidden", detail="Another credential began to upload this video.", name="videoId")
    return video


async def own_video(transaction: Transaction, sender: Sender, video_id: str) -> Video:
    """A video of the sender's project, by any spelling of its id. Raises Problem (404)."""
    try:
        video = await videos.get(transaction, sender.project_id, ids.canonical("vi", video_id))
    except ids.InvalidId:
        video = None
    if video is None:
        raise Problem("resource-not-found", detail="There is no such video.", name="videoId")
    return video


async def begin(transaction: Transaction, video: Video, upload: Upload) -> str | None:
    """The upload is the video's from now on; the id of one that it supersedes, whose bytes can go."""
    last = await uploads.of_video(transaction, video.id)
    superseded = last.id if last is not None and last.state in uploads.OPEN else None
    if last is not None and superseded:
        await uploads.move(transaction, last, "aborted", reason="superseded")
    upload.video_id = video.id
    await uploads.add(transaction, upload)
    video.upload_id, video.source, video.source_name = upload.id, "upload", upload.filename
    if video.state != "uploading":
        await videos.move(transaction, video, "uploading")
    return superseded


def base_name(filename: str | None) -> str | None:
    """The last part of what may be a path of either kind; None where that leaves nothing."""
    path = (filename or "").replace("\0", "").replace("\\", "/")
    return path.rstrip("/").rpartition("/")[2].strip()[:MAX_FILENAME_CHARS] or None
