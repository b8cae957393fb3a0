"""The states of broadcasts and of their live streams, written behind the media: each change with its event."""

from collections.abc import Awaitable, Callable
from typing import Any

from server import clock
from server.catalog import broadcasts, events, live_streams
from server.catalog.database import Database, Transaction
from server.catalog.models import Broadcast, LiveStream
from server.ingest.on_air import OnAir

Ended = Callable[[Transaction, Broadcast, LiveStream, OnAir], Awaitable[None]]
_Change = Callable[..., Awaitable[None]]  # of (transaction, broadcast, live stream, …)


class States:
    """Who calls in order is written in order. A broadcast whose rows were deleted has no states."""

    def __init__(self, database: Database, on_ended: Ended) -> None:
        """`on_ended`, the recorder, is called in the transaction that ends a broadcast."""
        self._database = database
        self._on_ended = on_ended

    async def live(self, on_air: OnAir, resumed: bool) -> None:
        await self._write(on_air, _live, resumed)

    async def interrupted(self, on_air: OnAir, reason: str) -> None:
        await self._write(on_air, _interrupted, reason)

    async def rejected(self, on_air: OnAir, reason: str) -> None:
        """An event alone: why a publisher was sent away."""
        await self._write(on_air, _rejected, reason)

    async def ended(self, on_air: OnAir, reason: str) -> None:
        """The end and, in the same transaction, the recording; `on_air.kept` says whether there is one."""
        await self._write(on_air, self._ended, on_air, reason)

    async def _ended(
        self, transaction: Transaction, broadcast: Broadcast, live: LiveStream, on_air: OnAir, reason: str
    ) -> None:
        broadcast.ended_at, broadcast.end_reason = clock.now(), reason
        broadcast.incomplete = on_air.packager.incomplete
        await broadcasts.move(transaction, broadcast, "ended", reason=reason)
        if live.state == "broadcasting" and live.broadcast_id == broadcast.id:  # else the next one is on air already
            await live_streams.move(transaction, live, "idle", broadcastId=broadcast.id)
        live.gop_s = on_air.packager.longest_gop_s or live.gop_s
        if broadcast.record:
            await self._on_ended(transaction, broadcast, live, on_air)
        on_air.kept = broadcast.video_id is not None

    async def _write(self, on_air: OnAir, change: _Change, *details: Any) -> None:
        async with self._database.write() as transaction:
            broadcast = await broadcasts.get(transaction, on_air.broadcast_id)
            live = await live_streams.find(transaction, on_air.live_stream_id)
            if broadcast is not None and live is not None:
                await change(transaction, broadcast, live, *details)


async def _live(transaction: Transaction, broadcast: Broadcast, live: LiveStream, resumed: bool) -> None:
    broadcast.live_at = broadcast.live_at or clock.now()
    broadcast.interrupted_at = None
    await broadcasts.move(transaction, broadcast, "live", resumed=resumed)
    if live.state != "disabled":
        await live_streams.move(transaction, live, "broadcasting", broadcastId=broadcast.id)


async def _interrupted(transaction: Transaction, broadcast: Broadcast, _live: LiveStream, reason: str) -> None:
    broadcast.interrupted_at = clock.now()
    await broadcasts.move(transaction, broadcast, "interrupted", reason=reason)


async def _rejected(transaction: Transaction, broadcast: Broadcast, live: LiveStream, reason: str) -> None:
    payload = {"liveStreamId": live.id, "broadcastId": broadcast.id, "reason": reason}
    await events.record(transaction, live.project_id, live.id, "live-stream.rejected", payload)
