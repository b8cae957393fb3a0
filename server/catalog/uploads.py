"""Uploads and upload tokens."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from server import clock
from server.catalog import events, listing, videos
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import Upload, UploadToken
from server.catalog.prepared import Prepared

# state -> states it may move to
TRANSITIONS: Mapping[str, frozenset[str]] = {
    "created": frozenset({"uploading", "uploaded", "aborted", "expired"}),
    "uploading": frozenset({"uploaded", "aborted", "expired"}),
    "uploaded": frozenset(),
    "aborted": frozenset(),
    "expired": frozenset(),
}
OPEN = ("created", "uploading")
FETCHED = "fetch"  # the protocol of uploads that the server brings itself

_OF_VIDEO: Prepared[Upload] = Prepared(
    select(Upload).where(Upload.video_id == bindparam("video_id")).order_by(Upload.created_at.desc()).limit(1)
)

TOKEN_SORT_COLUMNS = {"createdAt": UploadToken.created_at, "ttl": UploadToken.ttl_s}


async def add(transaction: Transaction, upload: Upload) -> Upload:
    transaction.add(upload)
    await transaction.flush()
    await _record(transaction, upload)
    return upload


async def get(transaction: Transaction, upload_id: str) -> Upload | None:
    return await transaction.get(Upload, upload_id)


async def of_video(transaction: Transaction, video_id: str) -> Upload | None:
    """The newest upload of a video."""
    return await _OF_VIDEO.one(transaction, video_id=video_id)


async def move(transaction: Transaction, upload: Upload, state: str, **payload: Any) -> None:
    """Moves the life cycle on and says so."""
    if state not in TRANSITIONS[upload.state]:
        raise ValueError(f"{upload.id} is {upload.state}, it can't become {state}")
    upload.state = state
    await _record(transaction, upload, **payload)


async def expired(
    transaction: Transaction, now: datetime, limit: int = 100, but_for: Collection[str] = ()
) -> list[Upload]:
    """Unfinished uploads whose time is over, the longest first; what is fetched ends with its job. `but_for`: ids."""
    wanted = select(Upload).where(Upload.state.in_(OPEN), Upload.protocol != FETCHED, Upload.expires_at <= now)
    if but_for:
        wanted = wanted.where(Upload.id.not_in(but_for))
    return list(await transaction.scalars(wanted.order_by(Upload.expires_at, Upload.id).limit(limit)))


async def unfinished(transaction: Transaction) -> list[Upload]:
    """Every upload that a sender may still bring bytes for."""
    return list(await transaction.scalars(select(Upload).where(Upload.state.in_(OPEN), Upload.protocol != FETCHED)))


async def in_parts(transaction: Transaction) -> list[Upload]:
    """Of `unfinished`, those whose parts came each on its own."""
    rows = await transaction.scalars(
        select(Upload).where(Upload.state.in_(OPEN), Upload.protocol != FETCHED, Upload.parts.is_not(None))
    )
    return [row for row in rows if row.parts is not None]  # a JSON null is not SQL's


async def add_token(transaction: Transaction, token: UploadToken) -> UploadToken:
    transaction.add(token)
    await transaction.flush()
    await _tell(transaction, token, "created")
    return token


async def remove_token(transaction: Transaction, token: UploadToken) -> None:
    await transaction.delete(token)
    await _tell(transaction, token, "deleted")


async def token(transaction: Transaction, token_id: str) -> UploadToken | None:
    """An upload token of whatever project, unless it has expired: the id is the secret."""
    found = await transaction.get(UploadToken, token_id)
    if found is None or (found.expires_at is not None and found.expires_at <= clock.now()):
        return None
    return found


async def tokens(transaction: Transaction, project_id: str, paging: Paging) -> Page[UploadToken]:
    """Newest first unless told otherwise."""
    query = select(UploadToken).where(UploadToken.project_id == project_id)
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    return await listing.fetch(
        transaction, query, paging, TOKEN_SORT_COLUMNS, UploadToken.created_at, UploadToken.id
    )


async def _tell(transaction: Transaction, token: UploadToken, what: str) -> None:
    """By a name that opens nothing: the id of a token is the secret itself."""
    name = "to_" + hashlib.sha256(token.id.encode()).hexdigest()[:20]
    expires_at = token.expires_at.isoformat(timespec="seconds") if token.expires_at else None
    payload = {"uploadTokenHash": name, "expiresAt": expires_at}
    await events.record(transaction, token.project_id, name, f"upload-token.{what}", payload)


async def _record(transaction: Transaction, upload: Upload, **payload: Any) -> None:
    video = await videos.find(transaction, upload.video_id)
    await events.record(
        transaction,
        upload.project_id,
        upload.id,
        f"upload.{upload.state}",
        {"uploadId": upload.id, "videoId": upload.video_id, **payload, **(videos.metadata(video) if video else {})},
    )
