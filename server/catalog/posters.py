"""Posters: the pictures that a video's owner chose from or uploaded; one of them is shown, at most."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select

from server.catalog.database import Transaction
from server.catalog.library_models import Poster
from server.catalog.models import Video

MOST = 50  # of a video


async def of_video(transaction: Transaction, video_id: str) -> list[Poster]:
    """The newest first."""
    rows = select(Poster).where(Poster.video_id == video_id).order_by(Poster.created_at.desc(), Poster.id)
    return list(await transaction.scalars(rows))


async def active(transaction: Transaction, video_ids: Sequence[str]) -> Mapping[str, Poster]:
    """By the ids of videos that have one which is shown."""
    rows = await transaction.scalars(select(Poster).where(Poster.video_id.in_(video_ids), Poster.active))
    return {row.video_id: row for row in rows}


async def get(transaction: Transaction, video_id: str, poster_id: str) -> Poster | None:
    row = await transaction.get(Poster, poster_id)
    return row if row is not None and row.video_id == video_id else None


async def add(transaction: Transaction, video: Video, at_s: float | None) -> Poster:
    """It is shown from now on."""
    row = Poster(project_id=video.project_id, video_id=video.id, at_s=at_s)
    transaction.add(row)
    await transaction.flush()
    await show(transaction, row)
    return row


async def show(transaction: Transaction, chosen: Poster) -> None:
    for other in await of_video(transaction, chosen.video_id):
        other.active = other.id == chosen.id


async def move(transaction: Transaction, video_id: str, by_s: float) -> None:
    """The moments that they show."""
    for row in await of_video(transaction, video_id):
        if row.at_s is not None:
            row.at_s += by_s


async def count(transaction: Transaction, video_id: str) -> int:
    return await transaction.scalar(select(func.count()).where(Poster.video_id == video_id)) or 0


async def uploaded(transaction: Transaction) -> set[str]:
    """Ids of those that have a file of their own, of whatever project."""
    return set(await transaction.scalars(select(Poster.id).where(Poster.at_s.is_(None))))


