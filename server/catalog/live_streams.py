"""Live streams: where broadcasters publish to."""

import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, func, or_, select

from server.catalog import events, listing, videos
from server.catalog.database import Transaction
from server.catalog.listing import Listing, Page, Paging
from server.catalog.models import LiveStream
from server.catalog.prepared import Prepared

# state -> states it may move to
TRANSITIONS: Mapping[str, frozenset[str]] = {
    "idle": frozenset({"broadcasting", "disabled"}),
    "broadcasting": frozenset({"idle", "disabled"}),
    "disabled": frozenset({"idle"}),
}

SORT_COLUMNS = {
    "name": LiveStream.name,
    "createdAt": LiveStream.created_at,
    "updatedAt": LiveStream.updated_at,
}

_OF = select(LiveStream).where(LiveStream.project_id == bindparam("project_id"))
_OF_PROJECT: Prepared[LiveStream] = Prepared(_OF.where(LiveStream.id == bindparam("stream_id")))
_ALL: Listing[LiveStream] = Listing(_OF, SORT_COLUMNS, LiveStream.created_at, LiveStream.id)


def new_stream_key() -> str:
    """Letters that survive every encoder's URL field: OBS cuts a key at `&`."""
    return "-".join(secrets.token_hex(3) for _ in range(5))  # 120 bits


async def add(transaction: Transaction, stream: LiveStream) -> LiveStream:
    transaction.add(stream)
    await transaction.flush()
    await tell(transaction, stream, "created")
    return stream


async def get(transaction: Transaction, project_id: str, stream_id: str) -> LiveStream | None:
    """A live stream of the project."""
    return await _OF_PROJECT.one(transaction, project_id=project_id, stream_id=stream_id)


async def find(transaction: Transaction, stream_id: str) -> LiveStream | None:
    """A live stream of whatever project: for watching."""
    return await transaction.get(LiveStream, stream_id)


async def by_key(transaction: Transaction, stream_key: str) -> LiveStream | None:
    """The live stream that the key publishes to, as its primary encoder or its backup."""
    found: LiveStream | None = await transaction.scalar(
        select(LiveStream).where(or_(LiveStream.stream_key == stream_key, LiveStream.backup_key == stream_key))
    )
    return found


async def scheduled(transaction: Transaction) -> list[LiveStream]:
    """Those that begin or end by the clock, of every project."""
    rows = await transaction.scalars(
        select(LiveStream).where(or_(LiveStream.starts_at.is_not(None), LiveStream.stops_at.is_not(None)))
    )
    return list(rows)


async def pulled(transaction: Transaction) -> list[LiveStream]:
    """Those that are published from a source of their own, of every project."""
    return list(await transaction.scalars(select(LiveStream).where(LiveStream.source_url.is_not(None))))


async def tell(transaction: Transaction, stream: LiveStream, what: str, **payload: Any) -> None:
    """An event of the live stream, `live-stream.<what>`."""
    told = {"liveStreamId": stream.id, **payload, **videos.metadata(stream)}
    await events.record(transaction, stream.project_id, stream.id, f"live-stream.{what}", told)


async def connected(
    transaction: Transaction, stream: LiveStream, broadcast_id: str, protocol: str, ingest: str
) -> None:
    """A publisher has come in; `ingest` is primary or backup."""
    await tell(transaction, stream, "connected", broadcastId=broadcast_id, protocol=protocol, ingest=ingest)


async def move(transaction: Transaction, stream: LiveStream, state: str, **payload: Any) -> None:
    """Moves the life cycle on and says so; a stream that is there already stays."""
    if state == stream.state:
        return
    if state not in TRANSITIONS[stream.state]:
        raise ValueError(f"{stream.id} is {stream.state}, it can't become {state}")
    stream.state = state
    await tell(transaction, stream, state, **payload)


async def enable(transaction: Transaction, stream: LiveStream) -> None:
    """Lets publishers in again; one that is enabled stays as it is."""
    if stream.state == "disabled":
        stream.state = "idle"
        await tell(transaction, stream, "enabled")


async def reset_key(transaction: Transaction, stream: LiveStream, *, backup: bool) -> None:
    """A new key in place of the primary's or the backup's; the old one opens nothing any more."""
    if backup:
        stream.backup_key = new_stream_key()
    else:
        stream.stream_key = new_stream_key()
    await tell(transaction, stream, "key.reset", ingest="backup" if backup else "primary")


async def page(
    transaction: Transaction, project_id: str, paging: Paging, name: str | None = None, stream_key: str | None = None
) -> Page[LiveStream]:
    """Newest first unless told otherwise."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    if not name and not stream_key:
        return await _ALL.page(transaction, paging, project_id=project_id)
    query = select(LiveStream).where(LiveStream.project_id == project_id)
    if name:
        query = query.where(func.lower(LiveStream.name).contains(name.lower(), autoescape=True))
    if stream_key:
        query = query.where(LiveStream.stream_key == stream_key)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, LiveStream.created_at, LiveStream.id)


async def with_poster(transaction: Transaction) -> set[str]:
    """Ids of those that were given a poster, of every project."""
    return set(await transaction.scalars(select(LiveStream.id).where(LiveStream.poster_at.is_not(None))))


async def remove(transaction: Transaction, stream: LiveStream) -> None:
    """The row and its broadcasts' rows go; videos recorded from it stay."""
    await transaction.delete(stream)
    await tell(transaction, stream, "deleted")
