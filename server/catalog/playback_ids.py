"""Playback ids: further names of a video or live stream, each with a policy of its own."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select

from server import clock
from server.catalog import events, listing
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.playback_models import PlaybackId

PUBLIC, SIGNED = "public", "signed"
SORT_COLUMNS = {"createdAt": PlaybackId.created_at}


async def add(transaction: Transaction, row: PlaybackId) -> PlaybackId:
    transaction.add(row)
    await transaction.flush()
    await _tell(transaction, row, "created", policy=row.policy)
    return row


async def find(transaction: Transaction, playback_id: str) -> PlaybackId | None:
    """One of whatever project, whether it still opens anything or not."""
    return await transaction.get(PlaybackId, playback_id)


async def get(transaction: Transaction, project_id: str, playback_id: str) -> PlaybackId | None:
    row = await find(transaction, playback_id)
    return row if row is not None and row.project_id == project_id and living(row) else None


def living(row: PlaybackId) -> bool:
    return row.ends_at is None or row.ends_at > clock.now()


async def count(transaction: Transaction, object_id: str) -> int:
    query = select(func.count()).where(_of(object_id), _living())
    return await transaction.scalar(query) or 0


async def page(transaction: Transaction, object_id: str, paging: Paging) -> Page[PlaybackId]:
    """The oldest first unless told otherwise."""
    query = select(PlaybackId).where(_of(object_id), _living())
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, PlaybackId.created_at, PlaybackId.id)


async def with_restriction(transaction: Transaction, restriction_id: str) -> int:
    """How many there are."""
    query = select(func.count()).where(PlaybackId.restriction_id == restriction_id, _living())
    return await transaction.scalar(query) or 0


async def restrict(transaction: Transaction, row: PlaybackId, restriction_id: str | None) -> None:
    row.restriction_id = restriction_id
    await _tell(transaction, row, "updated", changed=["restrictionId"])


async def rotate(transaction: Transaction, row: PlaybackId, overlap: timedelta) -> PlaybackId:
    """A new one like it; the old one opens for `overlap` more."""
    made = PlaybackId(
        project_id=row.project_id, video_id=row.video_id, live_stream_id=row.live_stream_id, policy=row.policy,
        restriction_id=row.restriction_id,
    )  # fmt: skip
    await add(transaction, made)
    row.ends_at = clock.now() + overlap
    await _tell(transaction, row, "rotated", playbackIdNew=made.id, endsAt=row.ends_at.isoformat())
    return made


async def remove(transaction: Transaction, row: PlaybackId) -> None:
    """It opens nothing any more, to nobody."""
    await transaction.delete(row)
    await _tell(transaction, row, "deleted")


async def sweep(transaction: Transaction, restriction_id: str) -> None:
    """Removes those that have ended and still name the restriction."""
    query = select(PlaybackId).where(PlaybackId.restriction_id == restriction_id, ~_living())
    for row in await transaction.scalars(query):
        await transaction.delete(row)
    await transaction.flush()


async def sweep_ended(transaction: Transaction, now: datetime) -> None:
    """Removes those that open nothing any more."""
    await transaction.execute(delete(PlaybackId).where(PlaybackId.ends_at <= now))


def _of(object_id: str) -> ColumnElement[bool]:
    return or_(PlaybackId.video_id == object_id, PlaybackId.live_stream_id == object_id)


def _living() -> ColumnElement[bool]:
    return or_(PlaybackId.ends_at.is_(None), PlaybackId.ends_at > clock.now())


async def _tell(transaction: Transaction, row: PlaybackId, what: str, **more: object) -> None:
    own = {"videoId": row.video_id, "liveStreamId": row.live_stream_id}
    payload = {"playbackId": row.id, **{name: id for name, id in own.items() if id}, **more}
    await events.record(transaction, row.project_id, row.id, f"playback-id.{what}", payload)
