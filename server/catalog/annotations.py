"""Annotations: links that belong to stretches of a video."""

from collections.abc import Callable

from sqlalchemy import exists, func, select

from server.catalog import videos
from server.catalog.database import Transaction
from server.catalog.library_models import Annotation, Poster
from server.catalog.models import Video

MOST = 500  # of a video


class TooMany(Exception):
    """A video has as many as it may."""


async def of_video(transaction: Transaction, video_id: str) -> list[Annotation]:
    """By their beginning."""
    rows = select(Annotation).where(Annotation.video_id == video_id).order_by(Annotation.start_ms, Annotation.id)
    return list(await transaction.scalars(rows))


async def get(transaction: Transaction, video_id: str, annotation_id: str) -> Annotation | None:
    row = await transaction.get(Annotation, annotation_id)
    return row if row is not None and row.video_id == video_id else None


async def add(transaction: Transaction, video: Video, row: Annotation) -> Annotation:
    """Raises TooMany."""
    count = await transaction.scalar(select(func.count()).where(Annotation.video_id == video.id)) or 0
    if count >= MOST:
        raise TooMany(f"A video has {MOST} annotations at most.")
    transaction.add(row)
    await transaction.flush()
    await tell(transaction, video)
    return row


async def remove(transaction: Transaction, video: Video, row: Annotation) -> None:
    await transaction.delete(row)
    await tell(transaction, video)


async def move(
    transaction: Transaction, video: Video, moved: Callable[[int, int], tuple[int, int]]
) -> None:
    """`moved`: when one begins and ends, in milliseconds, by when it did."""
    rows = await of_video(transaction, video.id)
    for row in rows:
        row.start_ms, row.end_ms = moved(row.start_ms, row.end_ms)
    if rows:
        await tell(transaction, video)


async def has(transaction: Transaction, video_id: str) -> bool:
    return bool(await transaction.scalar(select(exists().where(Annotation.video_id == video_id))))


async def shown(transaction: Transaction, video_id: str) -> list[tuple[Annotation, Poster | None]]:
    """By their beginning, with the poster that an annotation names, where it is one of the video's."""
    of_it = (Poster.id == Annotation.poster_id) & (Poster.video_id == Annotation.video_id)
    rows = select(Annotation, Poster).outerjoin(Poster, of_it).where(Annotation.video_id == video_id)
    found = await transaction.execute(rows.order_by(Annotation.start_ms, Annotation.id))
    return [(row, poster) for row, poster in found]


async def tell(transaction: Transaction, video: Video) -> None:
    transaction.announce(video.id)  # what is kept of the video to watch it says whether it has any
    await videos.tell(transaction, video, "updated", {**videos.links(video), "changed": ["annotations"]})
