"""Captions and chapters of videos, one of each kind and language."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import select

from server import clock
from server.catalog import events, listing, videos
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import TextTrack, Video

Kind = Literal["captions", "chapters"]
MAX_TRACKS = 100  # of a kind: every language that anybody writes


async def get(transaction: Transaction, video_id: str, kind: Kind, language: str) -> TextTrack | None:
    return await transaction.get(TextTrack, (video_id, kind, language))


async def of_video(transaction: Transaction, video_id: str, kind: Kind) -> list[TextTrack]:
    """All of a kind, by language."""
    wanted = select(TextTrack).where(TextTrack.video_id == video_id, TextTrack.kind == kind)
    return list(await transaction.scalars(wanted.order_by(TextTrack.language)))


async def of_videos(transaction: Transaction, video_ids: Sequence[str], kind: Kind) -> list[TextTrack]:
    """All of a kind, of several videos, by language."""
    wanted = select(TextTrack).where(TextTrack.video_id.in_(video_ids), TextTrack.kind == kind)
    return list(await transaction.scalars(wanted.order_by(TextTrack.language)))


async def to_watch(transaction: Transaction, video_id: str) -> list[TextTrack]:
    """Of both kinds, by language."""
    wanted = select(TextTrack).where(TextTrack.video_id == video_id)
    return list(await transaction.scalars(wanted.order_by(TextTrack.kind, TextTrack.language)))


async def page(transaction: Transaction, video_id: str, kind: Kind, paging: Paging) -> Page[TextTrack]:
    query = select(TextTrack).where(TextTrack.video_id == video_id, TextTrack.kind == kind)
    columns = {"createdAt": TextTrack.created_at}
    return await listing.fetch(transaction, query, paging, columns, TextTrack.language, TextTrack.language)


async def put(
    transaction: Transaction, video: Video, kind: Kind, language: str, origin: str = "upload", title: str = ""
) -> TextTrack:
    """A new track, or a new text of a known one."""
    row = await get(transaction, video.id, kind, language)
    if row is None:
        row = TextTrack(video_id=video.id, kind=kind, language=language, project_id=video.project_id, origin=origin)
        transaction.add(row)
    else:
        row.version, row.origin, row.updated_at = row.version + 1, origin, clock.now()
    row.title = title
    await transaction.flush()
    await _tell(transaction, video, row, "updated" if row.version > 1 else "created")
    return row


async def set_default(transaction: Transaction, video: Video, row: TextTrack, default: bool) -> None:
    """One of a kind at most is the default."""
    for other in await of_video(transaction, video.id, "captions"):
        if other.default and other.language != row.language and default:
            other.default = False
            await _tell(transaction, video, other, "updated", default=False)
    if row.default != default:
        row.default = default
        await _tell(transaction, video, row, "updated", default=default)


async def set_title(transaction: Transaction, video: Video, row: TextTrack, title: str) -> None:
    """What viewers read."""
    row.title = title
    await _tell(transaction, video, row, "updated")


async def remove(transaction: Transaction, video: Video, row: TextTrack) -> None:
    """The row goes; the text is the caller's to delete after the commit."""
    await transaction.delete(row)
    await _tell(transaction, video, row, "deleted")


async def _tell(transaction: Transaction, video: Video, row: TextTrack, what: str, **payload: Any) -> None:
    transaction.announce(video.id)  # what is kept of the video to watch it says which texts it has
    told = {**videos.links(video), "language": row.language, **payload, **videos.metadata(video)}
    await events.record(transaction, video.project_id, video.id, f"video.{row.kind}.{what}", told)
