"""Additional materials: files that go with a video, in an order."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select

from server import clock
from server.catalog import videos
from server.catalog.database import Transaction
from server.catalog.library_models import Material
from server.catalog.models import Video

MOST = 100  # of a video, with those whose files are still to come
WAIT = timedelta(days=1)  # for the file of one whose address was given out


class TooMany(Exception):
    """A video has as many as it may."""


async def of_videos(transaction: Transaction, video_ids: Sequence[str]) -> list[Material]:
    """Those whose files are there, in their order."""
    here = Material.video_id.in_(video_ids), Material.size.is_not(None)
    rows = select(Material).where(*here).order_by(Material.position, Material.id)
    return list(await transaction.scalars(rows))


async def get(transaction: Transaction, project_id: str, material_id: str) -> Material | None:
    row = await find(transaction, material_id)
    return row if row is not None and row.project_id == project_id else None


async def find(transaction: Transaction, material_id: str) -> Material | None:
    """Of whatever project: for those who have its link."""
    return await transaction.get(Material, material_id)


async def add(transaction: Transaction, video: Video, row: Material) -> Material:
    """Behind those that there are; some whose files did not come in time go. Raises TooMany."""
    late = Material.video_id == video.id, Material.size.is_(None), Material.created_at < clock.now() - WAIT
    for each in await transaction.scalars(select(Material).where(*late)):
        await transaction.delete(each)
    await transaction.flush()
    last = await transaction.scalar(select(func.max(Material.position)).where(Material.video_id == video.id))
    count = await transaction.scalar(select(func.count()).where(Material.video_id == video.id)) or 0
    if count >= MOST:
        raise TooMany(f"A video has {MOST} additional materials at most.")
    row.position = (last or 0) + 1
    transaction.add(row)
    await transaction.flush()
    if row.size is not None:
        await tell(transaction, video)
    return row


async def arrived(transaction: Transaction, video: Video, row: Material, size: int) -> None:
    """The file is there, and nobody may bring another."""
    row.size, row.secret_hash = size, None
    await tell(transaction, video)


async def remove(transaction: Transaction, video: Video, row: Material) -> None:
    """The row goes; its bytes are the caller's to delete after the commit."""
    await transaction.delete(row)
    await tell(transaction, video)


async def tell(transaction: Transaction, video: Video) -> None:
    await videos.tell(transaction, video, "updated", {**videos.links(video), "changed": ["additional_materials"]})


async def ids_of_video(transaction: Transaction, video_id: str) -> list[str]:
    """Those too whose files are still to come."""
    return list(await transaction.scalars(select(Material.id).where(Material.video_id == video_id)))


async def ids(transaction: Transaction) -> set[str]:
    """Of whatever project: those whose files are somebody's."""
    return set(await transaction.scalars(select(Material.id)))
