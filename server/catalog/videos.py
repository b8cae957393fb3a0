"""Videos and their life cycle."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, select

from server import clock
from server.catalog import events, sandboxes
from server.catalog.database import Transaction
from server.catalog.listing import Paging as Paging
from server.catalog.models import LiveStream, Upload, Video
from server.catalog.prepared import Prepared
from server.catalog.video_lists import page as page
from server.catalog.video_queries import Filter as Filter

# state -> states it may move to. The words are Kinescope's; api.video's status is derived from them.
TRANSITIONS: Mapping[str, frozenset[str]] = {
    "pending": frozenset({"uploading", "pre-processing", "done", "aborted"}),
    "uploading": frozenset({"pre-processing", "pending", "aborted", "error"}),
    "pre-processing": frozenset({"processing", "done", "error"}),
    "processing": frozenset({"done", "error"}),
    "done": frozenset({"processing"}),  # another version is shown, of which more is to come
    "error": frozenset({"uploading", "pre-processing"}),
    "aborted": frozenset({"uploading", "pre-processing"}),
}

BADLY = ("error", "aborted")  # of a version: it goes, and its video stays as it is

_OF_PROJECT = select(Video).where(
    Video.project_id == bindparam("project_id"), Video.id == bindparam("video_id"), Video.version_of.is_(None)
)
_THERE: Prepared[Video] = Prepared(_OF_PROJECT.where(Video.discarded_at.is_(None)))
_DISCARDED: Prepared[Video] = Prepared(_OF_PROJECT.where(Video.discarded_at.is_not(None)))


class WrongState(Exception):
    """The row can't move to the wanted state from where it is."""


async def add(transaction: Transaction, video: Video) -> Video:
    """A new video and its event."""
    await sandboxes.mark(transaction, video)
    transaction.add(video)
    await transaction.flush()
    await tell(transaction, video, "created", links(video))
    return video


async def get(transaction: Transaction, project_id: str, video_id: str, discarded: bool = False) -> Video | None:
    """A video of the project, among those that are there or among the discarded ones."""
    wanted = _DISCARDED if discarded else _THERE
    return await wanted.one(transaction, project_id=project_id, video_id=video_id)


async def find(transaction: Transaction, video_id: str) -> Video | None:
    """A video of whatever project: for watching, which knows only the id."""
    return await transaction.get(Video, video_id)


async def of_upload(transaction: Transaction, upload_id: str) -> Video | None:
    """The video, or the version of one, whose file the upload brings."""
    found: Video | None = await transaction.scalar(
        select(Video).join(Upload, Upload.video_id == Video.id).where(Upload.id == upload_id)
    )
    return found


async def states(transaction: Transaction, ids: Sequence[str]) -> dict[str, str]:
    """Of those that there are."""
    rows = await transaction.execute(select(Video.id, Video.state).where(Video.id.in_(ids)))
    return {row.id: row.state for row in rows}


async def move(transaction: Transaction, video: Video, state: str, **payload: Any) -> None:
    """Moves the life cycle on and says so. Raises WrongState."""
    if state not in TRANSITIONS[video.state]:
        raise WrongState(f"{video.id} is {video.state}, it can't become {state}")
    video.state = state
    if video.version_of is not None and state in BADLY:
        video.deletes_at = clock.now()
    await tell(transaction, video, state, {**links(video), "state": state, **payload})


async def tell(transaction: Transaction, video: Video, what: str, payload: Mapping[str, Any]) -> None:
    """Records `video.<what>`; of a version that its video doesn't show, `video.version.<what>` among the events of
    that."""
    payload = {**payload, **metadata(video)}
    if video.version_of is None:
        await events.record(transaction, video.project_id, video.id, f"video.{what}", payload)
        return
    kind = "video.version" if await shown_as(transaction, video) is None else "video"
    reason = (video.edit or {}).get("reason")
    told = {**payload, "videoId": video.version_of, "version": {"id": video.id, "reason": reason}}
    await events.record(transaction, video.project_id, video.version_of, f"{kind}.{what}", told)


async def shown_as(transaction: Transaction, video: Video) -> Video | None:
    """Itself; of a version the video that shows it, None while none does."""
    if video.version_of is None:
        return video
    shown = await find(transaction, video.version_of)
    return shown if shown is not None and shown.material_id == video.id else None


async def versions(transaction: Transaction, video_id: str) -> list[Video]:
    """All versions that there are of a video, the newest last."""
    rows = select(Video).where(Video.version_of == video_id).order_by(Video.created_at, Video.id)
    return list(await transaction.scalars(rows))


async def discard(transaction: Transaction, video: Video, deletes_at: datetime) -> None:
    """Nobody sees it any more, and its owner may take it back until then."""
    video.discarded_at, video.deletes_at = clock.now(), deletes_at
    await tell(transaction, video, "discarded", links(video))


async def restore(transaction: Transaction, video: Video) -> None:
    video.discarded_at, video.deletes_at = None, None
    await tell(transaction, video, "restored", links(video))


async def due(transaction: Transaction, now: datetime, limit: int) -> list[Video]:
    """Videos whose time has come, the earliest first."""
    rows = select(Video).where(Video.deletes_at <= now).order_by(Video.deletes_at, Video.id).limit(limit)
    return list(await transaction.scalars(rows))


async def remove(transaction: Transaction, video: Video) -> None:
    """The row goes; its bytes are the caller's to delete after the commit."""
    await transaction.delete(video)
    await tell(transaction, video, "deleted", links(video))


def links(video: Video) -> dict[str, Any]:
    """The ids an event of the video carries."""
    found = {
        "videoId": video.id,
        "uploadId": video.upload_id,
        "liveStreamId": video.live_stream_id,
        "broadcastId": video.broadcast_id,
    }
    return {name: value for name, value in found.items() if value is not None}


def metadata(row: Video | LiveStream) -> dict[str, Any]:
    """What its owner noted of it, as an event carries that: for products that know it by an id of their own."""
    return {"metadata": list(row.meta)} if row.meta else {}


def has_tag(transaction: Transaction, tag: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = _has(Video.tags, tag, transaction.get_bind().dialect.name == "sqlite")
    return found


def _has(column: Any, value: Any, sqlite: bool) -> Any:
    """Whether a JSON array contains a value (a string, or an object with these members)."""
    if not sqlite:
        from sqlalchemy.dialects.postgresql import JSONB

        return column.cast(JSONB).contains([value])
    each = func.json_each(column).table_valued("value")
    if isinstance(value, str):
        return select(1).select_from(each).where(each.c.value == value).exists()
    members = [func.json_extract(each.c.value, f"$.{name}") == wanted for name, wanted in value.items()]
    return select(1).select_from(each).where(and_(*members)).exists()
