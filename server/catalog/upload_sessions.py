"""Upload sessions: URLs that take one file, under terms that whoever made them set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import delete, func, select

from server import clock
from server.catalog import events, listing, uploads
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import Upload, Video
from server.catalog.upload_models import UploadSession

State = Literal["waiting", "uploading", "done", "failed", "expired"]

NOT_SEEN = ("pending", "uploading", "pre-processing")  # of a video: its file was not looked at yet
KEPT = timedelta(days=30)  # after the end of its time; what was uploaded stays
SORT_COLUMNS = {"createdAt": UploadSession.created_at, "expiresAt": UploadSession.expires_at}


@dataclass(frozen=True, slots=True)
class Status:
    """Where a session stands: and the video's error where it failed."""

    state: State
    error: dict[str, str] | None = None


async def add(transaction: Transaction, row: UploadSession) -> UploadSession:
    transaction.add(row)
    await transaction.flush()
    await _tell(transaction, row, "created")
    return row


async def find(transaction: Transaction, session_id: str) -> UploadSession | None:
    """One of whatever project: its URL has a secret."""
    return await transaction.get(UploadSession, session_id)


async def get(transaction: Transaction, project_id: str, session_id: str) -> UploadSession | None:
    row = await find(transaction, session_id)
    return row if row is not None and row.project_id == project_id else None


async def locked(transaction: Transaction, session_id: str) -> UploadSession | None:
    """The row as nobody else changes it until the transaction ends."""
    return await transaction.get(UploadSession, session_id, with_for_update=True)


async def waiting(transaction: Transaction, project_id: str) -> int:
    """How many of a project's wait for a file."""
    query = select(func.count()).where(UploadSession.project_id == project_id, UploadSession.state == "waiting")
    return await transaction.scalar(query) or 0


async def page(transaction: Transaction, project_id: str, paging: Paging) -> Page[UploadSession]:
    """Newest first unless told otherwise."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    query = select(UploadSession).where(UploadSession.project_id == project_id)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, UploadSession.created_at, UploadSession.id)


async def begun(transaction: Transaction, upload: Upload) -> None:
    """An upload has begun; where a session let it in, it is that one's."""
    row = await find(transaction, upload.upload_token_id) if upload.upload_token_id else None
    if row is None:
        return
    row.upload_id = upload.id
    if row.state == "waiting":
        row.state, row.video_id = "used", upload.video_id
        await _tell(transaction, row, "used")


async def of_video(transaction: Transaction, video: Video) -> UploadSession | None:
    """The session that let the video's file in."""
    upload = await uploads.get(transaction, video.upload_id) if video.upload_id else None
    if upload is None or upload.upload_token_id is None:
        return None
    return await find(transaction, upload.upload_token_id)


async def remove(transaction: Transaction, row: UploadSession) -> None:
    await transaction.delete(row)
    await _tell(transaction, row, "deleted")


async def expire(transaction: Transaction, now: datetime, limit: int = 100) -> int:
    """Says of those whose time is over that it is; how many. Those that are over for long go."""
    query = select(UploadSession).where(UploadSession.state == "waiting", UploadSession.expires_at <= now)
    rows = list(await transaction.scalars(query.limit(limit)))
    for row in rows:
        row.state = "expired"
        await _tell(transaction, row, "expired")
    await transaction.execute(delete(UploadSession).where(UploadSession.expires_at < now - KEPT))
    return len(rows)


async def statuses(transaction: Transaction, rows: Sequence[UploadSession]) -> dict[str, Status]:
    """Where each stands, by its id."""
    upload_ids, video_ids = [row.upload_id for row in rows], [row.video_id for row in rows]
    sent = {one.id: one for one in await transaction.scalars(select(Upload).where(Upload.id.in_(upload_ids)))}
    made = {one.id: one for one in await transaction.scalars(select(Video).where(Video.id.in_(video_ids)))}
    now = clock.now()
    return {row.id: _status(row, sent.get(row.upload_id or ""), made.get(row.video_id or ""), now) for row in rows}


def _status(row: UploadSession, upload: Upload | None, video: Video | None, now: datetime) -> Status:
    """One whose upload was given up takes another one while it lasts."""
    if row.state != "used" or (upload is not None and upload.state in ("aborted", "expired")):
        return Status("waiting" if row.state != "expired" and row.expires_at > now else "expired")
    if upload is None or video is None:
        return Status("done")  # and deleted since
    unseen = video.state in NOT_SEEN or (video.state == "processing" and not video.playable and row.looks_inside)
    if upload.state in uploads.OPEN or unseen:
        return Status("uploading")
    return Status("failed", video.error) if video.state == "error" else Status("done")


async def _tell(transaction: Transaction, row: UploadSession, what: str) -> None:
    payload = {"uploadSessionId": row.id, "videoId": row.video_id, "passthrough": row.passthrough}
    await events.record(transaction, row.project_id, row.id, f"upload-session.{what}", payload)
