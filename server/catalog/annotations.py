"""Annotations: links that belong to stretches of a video."""

from sqlalchemy import func, select

from server.catalog import videos
from server.catalog.database import Transaction
from server.catalog.library_models import Annotation
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


async def tell(transaction: Transaction, video: Video) -> None:
    await videos.tell(transaction, video, "updated", {**videos.links(video), "changed": ["annotations"]})
