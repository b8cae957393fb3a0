"""How much there is of a project's videos: of those that are there, by the day on which they came."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select

from server.catalog import sandboxes
from server.catalog.database import Transaction
from server.catalog.models import Video


@dataclass(frozen=True, slots=True)
class Came:
    """What came on a day into a folder; None: at the top."""

    day: datetime
    folder_id: str | None
    size: int  # bytes of their files
    seconds: float


async def by_day(transaction: Transaction, project_id: str, until: datetime) -> list[Came]:
    """Up to a moment, the oldest first; discarded videos too, whose files are still there. Nothing of a sandbox."""
    if await sandboxes.is_one(transaction, project_id):
        return []
    if transaction.get_bind().dialect.name == "sqlite":
        day = func.strftime("%Y-%m-%d", Video.created_at)
    else:
        day = func.to_char(func.timezone("UTC", Video.created_at), "YYYY-MM-DD")
    rows = await transaction.execute(
        select(day, Video.folder_id, func.sum(Video.source_bytes), func.sum(Video.duration_s))
        .where(Video.project_id == project_id, Video.created_at < until)
        .group_by(day, Video.folder_id)
        .order_by(day)
    )
    return [
        Came(datetime.fromisoformat(row[0]).replace(tzinfo=UTC), row[1], int(row[2] or 0), float(row[3] or 0))
        for row in rows
    ]
