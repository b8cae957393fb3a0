"""How much there is of a project's videos: of those that are there, by the day on which they came."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import aliased

from server.catalog import sandboxes
from server.catalog.database import Transaction
from server.catalog.models import Rendition, Video

# Of a row's own file: what a video tells of the version that it shows is the version's row's to count.
FILE_BYTES = case((Video.material_id.is_(None), Video.source_bytes), else_=Video.own_bytes)

_Of = aliased(Video)  # the video that a version is of


@dataclass(frozen=True, slots=True)
class Came:
    """What came on a day into a folder; None: at the top."""

    day: datetime
    folder_id: str | None
    size: int  # bytes of their files
    seconds: float


async def by_day(transaction: Transaction, project_id: str, since: datetime, until: datetime) -> list[Came]:
    """Up to a moment, the oldest first; of all that came before the day of `since` as if it came the day before.
    Discarded videos too, whose files are still there, and renditions and versions, with their videos. Nothing of a
    sandbox."""
    if await sandboxes.is_one(transaction, project_id):
        return []
    came, folder = func.coalesce(_Of.created_at, Video.created_at), func.coalesce(_Of.folder_id, Video.folder_id)
    if transaction.get_bind().dialect.name == "sqlite":
        day = func.strftime("%Y-%m-%d", came)
    else:
        day = func.to_char(func.timezone("UTC", came), "YYYY-MM-DD")
    first = datetime.combine(since.astimezone(UTC).date(), time(), UTC)
    before = (first - timedelta(days=1)).date().isoformat() if first.date() > date.min else first.date().isoformat()
    on = case((came < first, before), else_=day)
    made = select(Rendition.video_id, func.sum(Rendition.stored_bytes).label("stored_bytes"))
    of = made.where(Rendition.project_id == project_id).group_by(Rendition.video_id).subquery()
    size = func.sum(func.coalesce(FILE_BYTES, 0) + func.coalesce(of.c.stored_bytes, 0))
    length = case((Video.version_of.is_(None), Video.duration_s))
    rows = await transaction.execute(
        select(on.label("day"), folder.label("folder"), size, func.sum(length))
        .select_from(Video)
        .outerjoin(of, of.c.video_id == Video.id)
        .outerjoin(_Of, _Of.id == Video.version_of)
        .where(Video.project_id == project_id, came < until)
        .group_by("day", "folder")
        .order_by("day")
    )
    return [
        Came(datetime.fromisoformat(row[0]).replace(tzinfo=UTC), row[1], int(row[2] or 0), float(row[3] or 0))
        for row in rows
    ]
