"""File requests: pages on which others upload into a project, each with an upload token of its own.

A page is closed by its token's end: when it is put away or expires the token opens nothing any more.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select

from server import clock
from server.catalog import events, limits, listing, uploads
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import Upload, UploadToken
from server.catalog.sharing_models import FileRequest

MOST = 1000  # of a project
SORT_COLUMNS = {
    "name": FileRequest.title,
    "title": FileRequest.title,
    "created_at": FileRequest.created_at,
    "updated_at": FileRequest.updated_at,
    "expired_at": FileRequest.expires_at,
}


async def add(transaction: Transaction, row: FileRequest) -> FileRequest:
    """A new page, its token and its event. Raises TooMany."""
    await limits.check(transaction, FileRequest.project_id, row.project_id, MOST, "file requests")
    row.token = (await _new_token(transaction, row)).id
    transaction.add(row)
    await transaction.flush()
    await _tell(transaction, row, "created")
    return row


async def get(transaction: Transaction, project_id: str, request_id: str) -> FileRequest | None:
    row = await transaction.get(FileRequest, request_id)
    return row if row is not None and row.project_id == project_id else None


async def opened(transaction: Transaction, request_id: str) -> FileRequest | None:
    """One of whatever project that takes files now: for its page."""
    row = await transaction.get(FileRequest, request_id)
    if row is None or row.archived_at is not None or await uploads.token(transaction, row.token) is None:
        return None
    return row


async def of_token(transaction: Transaction, token: str) -> FileRequest | None:
    found: FileRequest | None = await transaction.scalar(select(FileRequest).where(FileRequest.token == token))
    return found


async def page(
    transaction: Transaction, project_id: str, archived: bool | None, paging: Paging
) -> Page[FileRequest]:
    """Those that are put away, or the others, or all; by their names unless told otherwise."""
    query = select(FileRequest).where(FileRequest.project_id == project_id)
    if archived is not None:
        put_away = FileRequest.archived_at.is_not(None)
        query = query.where(put_away if archived else ~put_away)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, FileRequest.title, FileRequest.id)


async def change(
    transaction: Transaction, row: FileRequest, title: str, location_id: str | None, expires_at: datetime | None,
    archived: bool,
) -> None:  # fmt: skip
    """One that is opened again, or for longer, has a new token where the old one is gone."""
    row.title, row.location_id, row.expires_at = title, location_id, expires_at
    row.archived_at = (row.archived_at or clock.now()) if archived else None
    row.updated_at = clock.now()
    token = await transaction.get(UploadToken, row.token)
    if archived and token is not None:
        await uploads.remove_token(transaction, token)
    elif not archived and token is None:
        row.token = (await _new_token(transaction, row)).id
    elif token is not None:
        token.expires_at, token.ttl_s = expires_at, _ttl_s(token.created_at, expires_at)
    await transaction.flush()
    await _tell(transaction, row, "updated")


async def remove(transaction: Transaction, row: FileRequest) -> None:
    """What was uploaded stays."""
    token = await transaction.get(UploadToken, row.token)
    if token is not None:
        await uploads.remove_token(transaction, token)
    await transaction.delete(row)
    await _tell(transaction, row, "deleted")


async def files(transaction: Transaction, rows: Sequence[FileRequest]) -> dict[str, int]:
    """How many came whole with the tokens that these have now, by their ids."""
    wanted = select(Upload.upload_token_id, func.count()).where(
        Upload.upload_token_id.in_([row.token for row in rows]), Upload.state == "uploaded"
    )
    rows_of = await transaction.execute(wanted.group_by(Upload.upload_token_id))
    found = {each[0]: each[1] for each in rows_of}
    return {row.id: found.get(row.token, 0) for row in rows}


async def _new_token(transaction: Transaction, row: FileRequest) -> UploadToken:
    now = clock.now()
    token = UploadToken(
        project_id=row.project_id, ttl_s=_ttl_s(now, row.expires_at), expires_at=row.expires_at, created_at=now
    )
    return await uploads.add_token(transaction, token)


def _ttl_s(since: datetime, until: datetime | None) -> int:
    return max(1, round((until - since).total_seconds())) if until is not None else 0


async def _tell(transaction: Transaction, row: FileRequest, what: str) -> None:
    payload = {"fileRequestId": row.id, "title": row.title, "archived": row.archived_at is not None}
    await events.record(transaction, row.project_id, row.id, f"file-request.{what}", payload)
