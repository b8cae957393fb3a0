"""Bulk imports: what was ordered, the videos that it comes to, and how far the making of their rows is."""

from collections.abc import Iterator, Sequence

from sqlalchemy import select

from server import ids
from server.catalog.database import Transaction
from server.catalog.models import Import, Upload, Video

AT_ONCE = 500  # ids in one query


async def add(transaction: Transaction, project_id: str, digest: str, wishes: Sequence[dict[str, object]]) -> Import:
    """The ids of its videos are given now."""
    video_ids = [ids.new("vi") for _ in wishes]
    row = Import(project_id=project_id, digest=digest, wishes=list(wishes), video_ids=video_ids)
    transaction.add(row)
    await transaction.flush()
    return row


async def get(transaction: Transaction, import_id: str) -> Import | None:
    return await transaction.get(Import, import_id)


async def of_file(transaction: Transaction, project_id: str, digest: str) -> Import | None:
    """The import of a file that came before."""
    found: Import | None = await transaction.scalar(
        select(Import).where(Import.project_id == project_id, Import.digest == digest)
    )
    return found


async def videos(transaction: Transaction, row: Import) -> dict[str, tuple[Video, Upload | None]]:
    """Its videos that there are, each with the upload it was made with."""
    found: dict[str, tuple[Video, Upload | None]] = {}
    for some in _pieces(row.video_ids):
        query = select(Video, Upload).outerjoin(Upload, Upload.id == Video.upload_id).where(Video.id.in_(some))
        for video, upload in await transaction.execute(query):
            found[video.id] = (video, upload)
    return found


def _pieces(all_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(all_ids), AT_ONCE):
        yield all_ids[at : at + AT_ONCE]
