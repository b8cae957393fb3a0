"""Broadcasts: one continuous on-air period each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from server.catalog import events, usage, videos
from server.catalog.database import Transaction
from server.catalog.models import Broadcast, LiveStream, Video

# state -> states it may move to; `interrupted` is the reconnect window
TRANSITIONS: Mapping[str, frozenset[str]] = {
    "connecting": frozenset({"live", "ended"}),
    "live": frozenset({"interrupted", "ended"}),
    "interrupted": frozenset({"live", "ended"}),
    "ended": frozenset({"recorded"}),
    "recorded": frozenset(),
}
ON_AIR = ("connecting", "live", "interrupted")


async def add(transaction: Transaction, broadcast: Broadcast) -> Broadcast:
    transaction.add(broadcast)
    await transaction.flush()
    await _record(transaction, broadcast)
    return broadcast


async def get(transaction: Transaction, broadcast_id: str) -> Broadcast | None:
    return await transaction.get(Broadcast, broadcast_id)


async def by_ids(transaction: Transaction, ids: Sequence[str]) -> dict[str, Broadcast]:
    """Those that there are."""
    rows = await transaction.scalars(select(Broadcast).where(Broadcast.id.in_(ids)))
    return {row.id: row for row in rows}


async def on_air(transaction: Transaction) -> list[Broadcast]:
    """All that had not ended when last heard of: after a crash, those to finish or go on with."""
    rows = await transaction.scalars(
        select(Broadcast).where(Broadcast.state.in_(ON_AIR)).order_by(Broadcast.started_at)
    )
    return list(rows)


async def unwanted(transaction: Transaction) -> set[str]:
    """Ids of those that are over and of which no video is left: nobody needs their bytes."""
    rows = await transaction.scalars(
        select(Broadcast.id).where(
            Broadcast.state.not_in(ON_AIR), ~select(Video.id).where(Video.broadcast_id == Broadcast.id).exists()
        )
    )
    return set(rows)


async def partly_shown(transaction: Transaction, since: datetime) -> set[str]:
    """Ids of those that ended lately and of which videos show parts only: the rest may still be there."""
    rows = await transaction.execute(
        select(Broadcast.id, Video.segments)
        .join(Video, Video.broadcast_id == Broadcast.id)
        .where(Broadcast.state.not_in(ON_AIR), Broadcast.ended_at > since)
    )
    shown = [(id, bool(segments)) for id, segments in rows]
    return {id for id, _ in shown} - {id for id, part in shown if not part}


async def spans(transaction: Transaction, broadcast_id: str) -> list[tuple[int, int] | None]:
    """Which of its segments videos show, first and last of each; None stands for all of them."""
    rows = await transaction.scalars(select(Video).where(Video.broadcast_id == broadcast_id))
    return [(row.segments["first"], row.segments["last"]) if row.segments else None for row in rows]


async def of_stream(transaction: Transaction, project_id: str, stream_id: str, limit: int = 100) -> list[Broadcast]:
    """The broadcasts of a live stream, newest first."""
    rows = await transaction.scalars(
        select(Broadcast)
        .where(Broadcast.project_id == project_id, Broadcast.live_stream_id == stream_id)
        .order_by(Broadcast.started_at.desc())
        .limit(limit)
    )
    return list(rows)


async def move(transaction: Transaction, broadcast: Broadcast, state: str, **payload: Any) -> None:
    """Moves the life cycle on and says so."""
    if state not in TRANSITIONS[broadcast.state]:
        raise ValueError(f"{broadcast.id} is {broadcast.state}, it can't become {state}")
    broadcast.state = state
    if state == "ended" and broadcast.live_at is not None and broadcast.ended_at is not None:
        await usage.on_air(transaction, broadcast.project_id, broadcast.live_at, broadcast.ended_at)
    await _record(transaction, broadcast, **payload)


async def _record(transaction: Transaction, broadcast: Broadcast, **payload: Any) -> None:
    live = await transaction.get(LiveStream, broadcast.live_stream_id)
    noted = videos.metadata(live) if live is not None else {}
    told = {"broadcastId": broadcast.id, "liveStreamId": broadcast.live_stream_id, **payload, **noted}
    await events.record(transaction, broadcast.project_id, broadcast.id, f"broadcast.{broadcast.state}", told)
