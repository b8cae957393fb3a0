"""How many bytes there are of a project: by the day on which they came, and all.

    counts                                    where its size is
    a video's file, a version's, a recording  on the row, since it is there
    a clip of a broadcast, a linked file      likewise; but only while those that have the bytes too are gone
    renditions                                after each job that made some of it, and when it ended
    posters, watermarks and their copies, captions and chapters, logos, slates, materials
                                              on the row, in the transaction that says that there is one

    does not                                  because
    images and renditions made on request     they are caches of all projects together, as large as their settings say
    heads of progressive files, indexes, plans, init segments, edges of clips
                                              they are some thousandths of what they are of
    uploads and edits on their way            nobody has the file yet; what does not come to its end is deleted
    broadcasts on air                         the recording counts when it is one
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, case, exists, func, or_, select, union_all
from sqlalchemy.orm import aliased

from server.catalog import sandboxes
from server.catalog.control_models import Player
from server.catalog.database import Transaction
from server.catalog.library_models import Material, Poster
from server.catalog.models import LiveStream, Rendition, TextTrack, Video, Watermark

_Of, _Owner = aliased(Video), aliased(Video)  # the video that a version is of; who has a row's bytes too

_LINKED = exists().where(
    _Owner.id == Video.shares_with, or_(_Owner.material_id.is_(None), _Owner.own_bytes.is_not(None))
)
_RECORDED = exists().where(_Owner.broadcast_id == Video.shares_with, _Owner.shares_with.is_(None))
# Of a row's own file: what a video tells of the version that it shows is the version's row's to count.
FILE_BYTES = case(
    (and_(Video.shares_with.is_not(None), or_(_LINKED, _RECORDED)), 0),
    (Video.material_id.is_(None), Video.source_bytes),
    else_=Video.own_bytes,
)


def _sum(*columns: Any) -> ColumnElement[int]:
    """Of a row; what is not known is nothing."""
    first, *more = (func.coalesce(each, 0) for each in columns)
    return sum(more, start=first)


_OF_VIDEO = _sum(FILE_BYTES, Video.poster_bytes, Video.watermark_bytes)
# Rows that go with videos, and rows of the project itself, each with its bytes.
_WITH_VIDEOS: Sequence[tuple[Any, Any]] = (
    (Rendition, Rendition.stored_bytes), (TextTrack, TextTrack.stored_bytes), (Poster, Poster.stored_bytes),
    (Material, Material.size),
)  # fmt: skip
_BESIDE: Sequence[tuple[Any, Any]] = (
    (Watermark, Watermark.stored_bytes), (Player, Player.logo_bytes),
    (LiveStream, _sum(LiveStream.poster_bytes, LiveStream.slate_bytes)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Came:
    """What came on a day into a folder; None: at the top."""

    day: datetime
    folder_id: str | None
    size: int  # bytes of their files
    seconds: float


async def total(transaction: Transaction, project_id: str) -> int:
    """Now. Nothing of a sandbox."""
    if await sandboxes.is_one(transaction, project_id):
        return 0
    summed = ((Video, _OF_VIDEO), *_WITH_VIDEOS, *_BESIDE)
    sizes = [select(func.sum(size)).where(row.project_id == project_id).scalar_subquery() for row, size in summed]
    return int(await transaction.scalar(select(_sum(*sizes))) or 0)


async def by_day(transaction: Transaction, project_id: str, since: datetime, until: datetime) -> list[Came]:
    """Up to a moment, the oldest first; of all that came before the day of `since` as if it came the day before.
    Discarded videos too, whose files are still there, and what goes with videos, versions also, with their videos. Of
    the project itself, when it came and at the top. Nothing of a sandbox."""
    if await sandboxes.is_one(transaction, project_id):
        return []
    first = datetime.combine(since.astimezone(UTC).date(), time(), UTC)
    before = (first - timedelta(days=1)).date().isoformat() if first.date() > date.min else first.date().isoformat()

    def day_of(came: ColumnElement[datetime]) -> ColumnElement[str]:
        if transaction.get_bind().dialect.name == "sqlite":
            day = func.strftime("%Y-%m-%d", came)
        else:
            day = func.to_char(func.timezone("UTC", came), "YYYY-MM-DD")
        return case((came < first, before), else_=day).label("day")

    came, folder = func.coalesce(_Of.created_at, Video.created_at), func.coalesce(_Of.folder_id, Video.folder_id)
    of = _with_videos(project_id)
    size = func.sum(_OF_VIDEO + func.coalesce(of.c.size, 0))
    length = case((Video.version_of.is_(None), Video.duration_s))
    of_videos = await transaction.execute(
        select(day_of(came), folder.label("folder"), size, func.sum(length))
        .select_from(Video)
        .outerjoin(of, of.c.video_id == Video.id)
        .outerjoin(_Of, _Of.id == Video.version_of)
        .where(Video.project_id == project_id, came < until)
        .group_by("day", "folder")
    )
    found = {(row[0], row[1]): (int(row[2] or 0), float(row[3] or 0)) for row in of_videos}
    beside = _beside(project_id)
    of_project = await transaction.execute(
        select(day_of(beside.c.came), func.sum(beside.c.size)).where(beside.c.came < until).group_by("day")
    )
    for day, more in of_project:
        known, seconds = found.get((day, None), (0, 0.0))
        found[day, None] = known + int(more or 0), seconds
    days = sorted(found.items(), key=lambda each: each[0][0])
    return [Came(datetime.fromisoformat(day).replace(tzinfo=UTC), name, *sums) for (day, name), sums in days]


def _with_videos(project_id: str) -> Subquery:
    """video_id, size: of all that goes with each."""
    each = [select(row.video_id, size.label("size")).where(row.project_id == project_id) for row, size in _WITH_VIDEOS]
    rows = union_all(*each).subquery()
    return select(rows.c.video_id, func.sum(rows.c.size).label("size")).group_by(rows.c.video_id).subquery()


def _beside(project_id: str) -> Subquery:
    """came, size."""
    rows = [
        select(row.created_at.label("came"), size.label("size")).where(row.project_id == project_id, size > 0)
        for row, size in _BESIDE
    ]
    return union_all(*rows).subquery()
