"""Summaries: what a video is about, written by its owner."""

from collections.abc import Sequence

from sqlalchemy import select

from server.catalog import events, listing
from server.catalog.control_models import Summary
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import Video

SORT_COLUMNS = {"createdAt": Summary.created_at, "updatedAt": Summary.updated_at, "videoId": Summary.video_id}

MISSING, COMPLETED, UNPROCESSABLE = "missing", "completed", "unprocessable"


async def add(transaction: Transaction, summary: Summary) -> Summary:
    """A new summary and its event."""
    transaction.add(summary)
    await transaction.flush()
    await _tell(transaction, summary, "created")
    return summary


async def get(transaction: Transaction, project_id: str, summary_id: str) -> Summary | None:
    row = await transaction.get(Summary, summary_id)
    return row if row is not None and row.project_id == project_id else None


async def of_video(transaction: Transaction, video_id: str) -> Summary | None:
    found: Summary | None = await transaction.scalar(select(Summary).where(Summary.video_id == video_id))
    return found


async def page(
    transaction: Transaction,
    project_id: str,
    paging: Paging,
    video_id: str | None = None,
    origin: str | None = None,
    status: str | None = None,
) -> Page[Summary]:
    """Newest first unless told otherwise; those of discarded videos are left out."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    query = select(Summary).join(Video, Video.id == Summary.video_id)
    query = query.where(Summary.project_id == project_id, Video.discarded_at.is_(None))
    for column, wanted in ((Summary.video_id, video_id), (Summary.origin, origin), (Summary.status, status)):
        if wanted is not None:
            query = query.where(column == wanted)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, Summary.created_at, Summary.id)


async def write(
    transaction: Transaction, summary: Summary, abstract: str | None, takeaways: Sequence[str] | None
) -> None:
    """What is not None takes the place of what was."""
    if abstract is not None:
        summary.abstract = abstract
    if takeaways is not None:
        summary.takeaways = list(takeaways)
    summary.origin, summary.status = "api", COMPLETED
    await _tell(transaction, summary, "updated")


async def remove(transaction: Transaction, summary: Summary) -> None:
    await transaction.delete(summary)
    await _tell(transaction, summary, "deleted")


async def _tell(transaction: Transaction, summary: Summary, what: str) -> None:
    payload = {"summaryId": summary.id, "videoId": summary.video_id}
    await events.record(transaction, summary.project_id, summary.id, f"summary.{what}", payload)
