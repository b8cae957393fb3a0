"""What the row of a fetched upload remembers: `Upload.fetch`.

    url        with its credentials, as long as the fetch is on; `ended` leaves what may be shown
    tries      goes in a row that brought too little
    begun      ms since the epoch, of the first go
    validator  what If-Range takes, of the bytes that are on disk
    complete   all bytes are on disk; `length` says how many
"""

from collections.abc import Mapping
from typing import Any

from server import clock
from server.catalog import uploads, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Upload
from server.outbound.target import Target


class Superseded(Exception):
    """The upload has ended by somebody else's hand: the video was deleted, or another file came for it."""


def new(target: Target) -> dict[str, Any]:
    return {"url": target.full_url, "tries": 0}


def ended(fetch: Mapping[str, Any]) -> dict[str, Any]:
    """A URL may open more than this one file, so it is not kept."""
    return {"url": Target.parse(fetch["url"]).shown}


async def begin(database: Database, upload_id: str) -> tuple[Upload, Mapping[str, Any]]:
    """The row and its `fetch`, upload and video being on their way from now on. Raises Superseded."""
    async with database.write() as transaction:
        row = await _open(transaction, upload_id)
        fetch = row.fetch or {}
        if row.state == "created":
            await uploads.move(transaction, row, "uploading")
            row.fetch = fetch = {**fetch, "begun": clock.wall_ms()}
        video = await videos.find(transaction, row.video_id)
        if video is None or video.upload_id != upload_id:
            raise Superseded
        if video.state == "pending":
            await videos.move(transaction, video, "uploading")
    return row, fetch


async def note(database: Database, upload_id: str, received: int, length: int | None = None, **changes: Any) -> None:
    """What has come, and what of `fetch` has changed; a length that isn't told stays. Raises Superseded."""
    async with database.write() as transaction:
        row = await _open(transaction, upload_id)
        row.received = received
        if length is not None:
            row.length = length
        row.fetch = {**(row.fetch or {}), **changes}
        row.updated_at = clock.now()


async def _open(transaction: Transaction, upload_id: str) -> Upload:
    row = await uploads.get(transaction, upload_id)
    if row is None or row.state not in uploads.OPEN:
        raise Superseded
    return row
