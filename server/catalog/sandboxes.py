"""Sandbox projects: for trying things out. Videos in them bear a mark, are short, and do not last; broadcasts are
short, and bear the mark on the player's page."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import bindparam, select

from server.catalog.database import Database, Transaction
from server.catalog.models import Broadcast, Project, Video
from server.catalog.prepared import Prepared

MARK_ID = "sandbox"  # in the place of a watermark's id
# as media.watermarks.Watermark has it: across the middle, so that nobody crops it away
MARK: Mapping[str, str | float | None] = {
    "id": MARK_ID, "left": "20%", "right": None, "top": "40%", "bottom": None, "width": "60%", "height": "initial",
    "opacity": 0.6,
}  # fmt: skip
CACHED = 10_000  # projects
ON_AIR = ("connecting", "live", "interrupted")  # as catalog.broadcasts has it
_IS_ONE: Prepared[bool] = Prepared(select(Project.sandbox).where(Project.id == bindparam("project_id")))


async def is_one(transaction: Transaction, project_id: str) -> bool:
    return await _IS_ONE.one(transaction, project_id=project_id) or False


async def mark(transaction: Transaction, video: Video) -> None:
    """A new video of a sandbox is never shown without the mark. Recordings are what was on air: they stay."""
    if video.live_stream_id is None and video.broadcast_id is None and await is_one(transaction, video.project_id):
        video.watermark = dict(MARK)


async def outlived(transaction: Transaction, before: datetime, limit: int) -> list[str]:
    """Videos of sandboxes made before, in whatever state; the oldest first."""
    query = (
        select(Video.id)
        .join(Project, Project.id == Video.project_id)
        .where(Project.sandbox, Video.created_at < before, Video.version_of.is_(None))
    )
    return list(await transaction.scalars(query.order_by(Video.created_at, Video.id).limit(limit)))


async def outlasting(transaction: Transaction, before: datetime) -> list[str]:
    """Live streams of sandboxes that are on air since before."""
    query = (
        select(Broadcast.live_stream_id)
        .join(Project, Project.id == Broadcast.project_id)
        .where(Project.sandbox, Broadcast.state.in_(ON_AIR), Broadcast.started_at < before)
    )
    return list(await transaction.scalars(query))


class Sandboxes:
    """Which projects are sandboxes: a project is one from its making on, or never."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, bool] = {}

    async def has(self, project_id: str) -> bool:
        known = self._known.get(project_id)
        if known is None:
            async with self._database.read() as transaction:
                known = await is_one(transaction, project_id)
            if len(self._known) >= CACHED:
                self._known.clear()
            self._known[project_id] = known
        return known
