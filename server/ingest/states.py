"""The states of broadcasts and of their live streams, written behind the media: each change with its event.

Media flows on while the database is away; what happened meanwhile is written when it is back, in the same order, and
with its time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from server import clock, log
from server.catalog import broadcasts, faults, live_streams
from server.catalog.database import Database, Transaction
from server.catalog.models import Broadcast, LiveStream
from server.ingest import intervals
from server.ingest.health.episodes import News
from server.ingest.intervals import Interval
from server.ingest.on_air import OnAir
from server.ingest.switch import Role
from server.packager.presentation import Span

AWAY_S, MAX_AWAY_S = 0.5, 5.0  # between looks for a database that is away
PATIENCE_S = 600.0  # with it, until a change is lost
TURN_S = 10.0  # that an end waits for what was before it; whoever ends tries again

# makes the video of a part of the broadcast, None: of all of it; answers its id, None where there was no media
Recorded = Callable[[Transaction, Broadcast, LiveStream, OnAir, Span | None], Awaitable[str | None]]
_Change = Callable[..., Awaitable[None]]  # of (transaction, broadcast, live stream, …)

_log = log.get("live")


class NotYet(Exception):
    """What was before it is not written, as the database is away."""


class States:
    """Who calls in order is written in order. A broadcast whose rows were deleted has no states."""

    def __init__(self, database: Database, on_recorded: Recorded) -> None:
        """`on_recorded`, the recorder, is called in the transaction that ends a broadcast or a recording of it."""
        self._database = database
        self._on_recorded = on_recorded

    async def live(self, on_air: OnAir, resumed: bool) -> None:
        await self._write_behind(on_air, _live, clock.now(), resumed)

    async def interrupted(self, on_air: OnAir, reason: str) -> None:
        await self._write_behind(on_air, _interrupted, clock.now(), reason)

    async def connected(self, on_air: OnAir, protocol: str, role: Role) -> None:
        """An event alone, as the two that follow: a publisher has joined or come back."""
        await self._write_behind(on_air, _connected, protocol, role)

    async def disconnected(self, on_air: OnAir, role: Role, reason: str) -> None:
        """The encoder that stood by is gone, and nothing stands behind the one on air."""
        await self._write_behind(on_air, _told, "disconnected", ingest=role, reason=reason)

    async def rejected(self, on_air: OnAir, reason: str) -> None:
        """Why a publisher was sent away."""
        await self._write_behind(on_air, _told, "rejected", reason=reason)

    async def refused(self, live_stream_id: str, reason: str) -> None:
        """The same of one that was not on air."""
        async with self._database.write() as transaction:
            live = await live_streams.find(transaction, live_stream_id)
            if live is not None:
                await live_streams.tell(transaction, live, "rejected", reason=reason)

    async def switched(self, on_air: OnAir, role: Role, reason: str) -> None:
        """Another encoder is on air."""
        await self._write_behind(on_air, _told, "ingest.switched", ingest=role, reason=reason)

    async def warned(self, on_air: OnAir, news: News) -> None:
        """A warning about the health of what is sent begins, or is over."""
        details = {"code": news.warning.code, "message": news.warning.message, "active": news.active}
        await self._write_behind(on_air, _told, "health.warning", **details)

    async def ended(self, on_air: OnAir, reason: str) -> None:
        """The end and, in the same transaction, the recording; `on_air.kept` says whether there is one. It is not
        waited for a database that is away. Raises NotYet."""
        try:
            async with asyncio.timeout(TURN_S):
                await on_air.writing.acquire()
        except TimeoutError:
            raise NotYet("what was before it waits for the database") from None
        try:
            await self._write(on_air, self._ended, on_air, reason)
        finally:
            on_air.writing.release()

    async def _ended(
        self, transaction: Transaction, broadcast: Broadcast, live: LiveStream, on_air: OnAir, reason: str
    ) -> None:
        broadcast.ended_at, broadcast.end_reason = on_air.over_at or clock.now(), reason
        broadcast.incomplete = on_air.packager.incomplete
        await broadcasts.move(transaction, broadcast, "ended", reason=reason)
        await _told(transaction, broadcast, live, "ended", reason=reason)
        if live.state == "broadcasting" and live.broadcast_id == broadcast.id:  # else the next one is on air already
            await live_streams.move(transaction, live, "idle", broadcastId=broadcast.id)
        live.gop_s = on_air.packager.longest_gop_s or live.gop_s
        await self._record(transaction, broadcast, live, on_air)
        if broadcast.video_id is not None and broadcast.state == "ended":
            await broadcasts.move(transaction, broadcast, "recorded", videoId=broadcast.video_id)
        on_air.kept = broadcast.video_id is not None

    async def recording(self, on_air: OnAir, kept: list[Interval], what: str) -> None:
        """Recording starts or stops: what is to be a video, and an event."""
        await self._write(on_air, _recording, kept, what)

    async def recorded(self, on_air: OnAir) -> None:
        """The intervals that are over become videos while the broadcast goes on."""
        await self._write(on_air, self._record, on_air, only_over=True)

    async def _record(
        self,
        transaction: Transaction,
        broadcast: Broadcast,
        live: LiveStream,
        on_air: OnAir,
        only_over: bool = False,
    ) -> None:
        """A video of each interval that has none, of those that are over or of all."""
        newest = intervals.open_msn(on_air.packager) - 1
        kept = []
        for interval in on_air.intervals:
            due = interval["videoId"] is None and not (only_over and interval["last"] is None)
            if due:
                span = intervals.span_of(interval, newest)
                video_id = await self._on_recorded(transaction, broadcast, live, on_air, span)
                if video_id:
                    broadcast.video_id = video_id
                    incomplete = on_air.packager.incomplete
                    await _told(transaction, broadcast, live, "recorded", videoId=video_id, incomplete=incomplete)
                interval = {**interval, "videoId": video_id}
            kept.append(interval)
        broadcast.recordings = kept
        transaction.after_commit(lambda: setattr(on_air, "intervals", kept))

    async def _write_behind(self, on_air: OnAir, change: _Change, *details: Any, **more: Any) -> None:
        """Nobody is there to try again."""
        waited_s, away_s = 0.0, AWAY_S
        async with on_air.writing:
            while True:
                try:
                    return await self._write(on_air, change, *details, **more)
                except faults.REFUSALS as fault:
                    if not faults.away(fault) or waited_s >= PATIENCE_S:
                        raise
                    _log.warning("a state change waits", broadcast=on_air.broadcast_id, reason=faults.reason(fault))
                await asyncio.sleep(away_s)
                waited_s, away_s = waited_s + away_s, min(away_s * 2, MAX_AWAY_S)

    async def _write(self, on_air: OnAir, change: _Change, *details: Any, **more: Any) -> None:
        async with self._database.write() as transaction:
            broadcast = await broadcasts.get(transaction, on_air.broadcast_id)
            live = await live_streams.find(transaction, on_air.live_stream_id)
            if broadcast is not None and live is not None:
                await change(transaction, broadcast, live, *details, **more)


async def _live(
    transaction: Transaction, broadcast: Broadcast, live: LiveStream, at: datetime, resumed: bool
) -> None:
    broadcast.live_at = broadcast.live_at or at
    broadcast.interrupted_at = None
    await broadcasts.move(transaction, broadcast, "live", resumed=resumed)
    if resumed:
        await _told(transaction, broadcast, live, "resumed")
    if live.state != "disabled":
        await live_streams.move(transaction, live, "broadcasting", broadcastId=broadcast.id)


async def _interrupted(
    transaction: Transaction, broadcast: Broadcast, live: LiveStream, at: datetime, reason: str
) -> None:
    broadcast.interrupted_at = at
    await broadcasts.move(transaction, broadcast, "interrupted", reason=reason)
    await _told(transaction, broadcast, live, "interrupted", reason=reason)


async def _connected(
    transaction: Transaction, broadcast: Broadcast, live: LiveStream, protocol: str, role: Role
) -> None:
    await live_streams.connected(transaction, live, broadcast.id, protocol, role)


async def _recording(
    transaction: Transaction, broadcast: Broadcast, live: LiveStream, kept: list[Interval], what: str
) -> None:
    broadcast.recordings, broadcast.record = kept, what == "recording.started"
    await _told(transaction, broadcast, live, what)


async def _told(transaction: Transaction, broadcast: Broadcast, live: LiveStream, what: str, **payload: Any) -> None:
    """An event of the live stream."""
    payload = {"broadcastId": broadcast.id, **payload}
    await live_streams.tell(transaction, live, what, **payload)
