"""Live events: what is kept of a live stream for those who know it as an event."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from server.catalog import folders, listing
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import LiveStream
from server.catalog.sharing_models import LiveEvent

ONE_TIME = "one-time"
SORT_COLUMNS = {
    "name": LiveStream.name,
    "created_at": LiveStream.created_at,
    "updated_at": LiveStream.updated_at,
}


async def put(transaction: Transaction, stream: LiveStream, values: Mapping[str, Any]) -> LiveEvent:
    """What is given takes the place of what was; a live stream that was made otherwise has its row from then on."""
    row = await transaction.get(LiveEvent, stream.id)
    if row is None:
        row = LiveEvent(live_stream_id=stream.id, project_id=stream.project_id, **_standard())
        transaction.add(row)
    for name, value in values.items():
        setattr(row, name, value)
    await transaction.flush()
    return row


async def of(transaction: Transaction, streams: Sequence[LiveStream]) -> dict[str, LiveEvent]:
    """Of each of them, by its id; of one that has no row the standard, which is in no transaction."""
    rows = await transaction.scalars(
        select(LiveEvent).where(LiveEvent.live_stream_id.in_([each.id for each in streams]))
    )
    known = {row.live_stream_id: row for row in rows}
    return {each.id: known.get(each.id) or _unwritten(each) for each in streams}


async def known(transaction: Transaction, stream: LiveStream) -> bool:
    """Whether there is anything of it that makes an event of the live stream."""
    return await transaction.get(LiveEvent, stream.id) is not None


async def folder_of_recordings(transaction: Transaction, stream: LiveStream) -> str | None:
    """None: they are put at the top."""
    row = await transaction.get(LiveEvent, stream.id)
    if row is None or row.record_parent_id is None:
        return None
    folder = await folders.get(transaction, stream.project_id, row.record_parent_id)
    return folder.id if folder is not None else None


async def page(
    transaction: Transaction, project_id: str, parents: Sequence[str | None] | None, paging: Paging
) -> Page[LiveStream]:
    """Those that are kept in one of these places (None: in no place); None for all. Newest first unless told
    otherwise."""
    query = select(LiveStream).where(LiveStream.project_id == project_id)
    if parents is not None:
        query = query.outerjoin(LiveEvent, LiveEvent.live_stream_id == LiveStream.id)
        named = LiveEvent.parent_id.in_([each for each in parents if each is not None])
        query = query.where(named | LiveEvent.parent_id.is_(None) if None in parents else named)
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "created_at", True)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, LiveStream.created_at, LiveStream.id)


def _standard() -> dict[str, Any]:
    return {"kind": "recurring", "subtitle": "", "facts": {}}


def _unwritten(stream: LiveStream) -> LiveEvent:
    return LiveEvent(live_stream_id=stream.id, project_id=stream.project_id, **_standard())
