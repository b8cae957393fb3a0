"""Broadcasts on air: admission, interruption and return, the end, and what a restart finds.

One `OnAir` per live stream that is publishing, interrupted, or ended less than LINGER_S ago. Media goes straight from
the connection through `Publisher` into the stream; state changes go to the catalogue behind it, in order.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, Self
from weakref import WeakValueDictionary

from server import clock, ids, log
from server.catalog import broadcasts as broadcast_rows
from server.catalog import events, live_streams
from server.catalog.database import Database, Transaction
from server.catalog.models import Broadcast, LiveStream
from server.config import LiveConfig
from server.formats.sample import TrackConfig
from server.packager.live import LivePackager, LiveSettings
from server.storage.segments import SegmentStore
from server.stream.stream import Stream

LINGER_S = 60.0  # an ended playlist keeps EXT-X-ENDLIST this long, then the manifest answers 202 again
SILENT_S = 2.0  # a publisher that sent nothing for so long yields to a new one with the same key
FLUSH_TIMEOUT_S = 10.0  # waiting for the disk at the end of a broadcast

_log = log.get("live")


class Refused(Exception):
    """The publisher is not let in; the text is for the broadcaster to read."""


class Connection(Protocol):
    """What a publisher's socket must offer."""

    id: str
    protocol: str

    def close(self, reason: str) -> None: ...

    def last_heard(self) -> float:
        """When data last came, on clock.monotonic()."""
        ...


@dataclass(slots=True, eq=False)
class OnAir:
    """A broadcast as this process knows it."""

    live_stream_id: str
    project_id: str
    broadcast_id: str
    state: str  # connecting | live | interrupted | ended
    record: bool
    reconnect_window_s: int
    stream: Stream
    packager: LivePackager
    publisher: "Publisher | None" = None
    timer: asyncio.TimerHandle | None = None

    def rearm(self, timer: asyncio.TimerHandle | None) -> None:
        """There is one thing to wait for at a time: the publisher's return, or the playlist's going."""
        if self.timer:
            self.timer.cancel()
        self.timer = timer


class Publisher:
    """One connection's way into its broadcast; useless once it is closed or was taken over."""

    def __init__(self, broadcasts: "Broadcasts", on_air: OnAir, connection: Connection) -> None:
        self._broadcasts = broadcasts
        self._on_air = on_air
        self._stream = on_air.stream
        self.connection = connection
        self.broadcast_id = on_air.broadcast_id

    @property
    def live_stream_id(self) -> str:
        return self._on_air.live_stream_id

    @property
    def current(self) -> bool:
        return self._on_air.publisher is self

    def configure(self, config: TrackConfig) -> None:
        if self.current:
            self._stream.configure(config, clock.wall_ms())

    def video(self, timestamp_ms: int, cts_ms: int, key: bool, data: bytes | memoryview) -> None:
        """A picture; the timestamp is the connection's own, 32 bits that wrap."""
        if self._on_air.publisher is self:
            self._stream.write_video(timestamp_ms, cts_ms, key, data, clock.wall_ms())
            if self._on_air.state != "live" and key:
                self._broadcasts.went_live(self._on_air)

    def audio(self, timestamp_ms: int, data: bytes | memoryview) -> None:
        """A sound frame, as `video`."""
        if self._on_air.publisher is self:
            self._stream.write_audio(timestamp_ms, data, clock.wall_ms())
            if self._on_air.state != "live" and not self._stream.has_video:
                self._broadcasts.went_live(self._on_air)

    def closed(self, reason: str, *, ended: bool) -> None:
        """The connection is gone: `ended` when the broadcaster said so, else it may come back."""
        if self.current:
            self._broadcasts.lost(self._on_air, reason, ended)

    def rejected(self, reason: str) -> None:
        """What it sends can't be taken; said in an event."""
        if self.current:
            self._broadcasts.rejected(self._on_air, reason)


Ended = Callable[[Transaction, Broadcast, LiveStream, OnAir], Awaitable[None]]


class Broadcasts:
    """All that is on air in this process. `async with Broadcasts.open(…)`."""

    def __init__(
        self,
        database: Database,
        store: SegmentStore,
        config: LiveConfig,
        on_ended: Ended,
        on_gone: Callable[[str], None],
    ) -> None:
        self._database = database
        self._store = store
        self._config = config
        self._on_ended = on_ended  # the recorder: called in the transaction that ends a broadcast
        self._on_gone = on_gone  # an unrecorded broadcast's segments are wanted no more
        self._on_air: dict[str, OnAir] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: Database,
        store: SegmentStore,
        config: LiveConfig,
        on_ended: Ended,
        on_gone: Callable[[str], None],
    ) -> AsyncIterator[Self]:
        """Takes up what a restart left, and leaves what is on air for the next start to take up."""
        broadcasts = cls(database, store, config, on_ended, on_gone)
        await broadcasts._take_up()
        try:
            yield broadcasts
        finally:
            await broadcasts._leave()

    def get(self, live_stream_id: str) -> OnAir | None:
        """What a live stream shows now: on air, interrupted, or just ended."""
        return self._on_air.get(live_stream_id)

    def all(self) -> Iterable[OnAir]:
        return self._on_air.values()

    def publishers(self) -> int:
        return sum(1 for on_air in self._on_air.values() if on_air.publisher)

    # --- admission

    async def publish(self, key: str, connection: Connection) -> Publisher:
        """Lets a publisher in by its stream key. Raises Refused with what to tell the broadcaster."""
        async with self._database.read() as transaction:
            live = await live_streams.by_key(transaction, key) if key else None
        if live is None:
            raise Refused("unknown stream key")
        if live.state == "disabled":
            raise Refused("the live stream is disabled")
        if self._closing:
            raise Refused("the server is stopping")
        async with self._lock(live.id):
            on_air = self._on_air.get(live.id)
            if on_air and on_air.state != "ended":
                self._replace(on_air, connection)
            else:
                if on_air:
                    self._forget(on_air)
                on_air = await self._begin(live, connection)
                self._on_air[live.id] = on_air
            publisher = on_air.publisher = Publisher(self, on_air, connection)
            on_air.rearm(None)
            on_air.stream.begin(clock.wall_ms())
        return publisher

    def _replace(self, on_air: OnAir, connection: Connection) -> None:
        old = on_air.publisher
        if old is None:
            return
        if clock.monotonic() - old.connection.last_heard() < SILENT_S:
            raise Refused("the stream key is in use by another publisher")
        on_air.publisher = None
        on_air.stream.interrupt()
        old.connection.close("taken over by a new publisher with the same key")
        _log.info("publisher taken over", live_stream=on_air.live_stream_id, connection=connection.id)

    async def _begin(self, live: LiveStream, connection: Connection) -> OnAir:
        broadcast = Broadcast(
            id=ids.new("br"),
            project_id=live.project_id,
            live_stream_id=live.id,
            protocol=connection.protocol,
            record=live.record,
            latency_mode=live.latency_mode,
            target_duration_s=target_duration_s(self._config.segment_s, live.gop_s),
        )
        on_air = self._make(live, broadcast)
        async with self._database.write() as transaction:
            await broadcast_rows.add(transaction, broadcast)
            row = await live_streams.find(transaction, live.id)
            if row is not None:
                row.broadcast_id = broadcast.id
        return on_air

    def _make(self, live: LiveStream, broadcast: Broadcast) -> OnAir:
        settings = LiveSettings.of(
            broadcast.latency_mode,
            self._config.segment_s,
            broadcast.target_duration_s,
            self._config.dvr_window_s,
            broadcast.record,
        )
        stream = Stream(broadcast.id)
        packager = LivePackager(live.id, broadcast.id, settings, self._store)
        stream.attach(packager)
        return OnAir(
            live_stream_id=live.id,
            project_id=live.project_id,
            broadcast_id=broadcast.id,
            state="connecting",
            record=broadcast.record,
            reconnect_window_s=live.reconnect_window_s,
            stream=stream,
            packager=packager,
        )

    # --- life on air

    def went_live(self, on_air: OnAir) -> None:
        """Media flows, for the first time or again."""
        resumed, on_air.state = on_air.state == "interrupted", "live"
        _log.info("live", live_stream=on_air.live_stream_id, broadcast=on_air.broadcast_id, resumed=resumed)
        self._spawn(self._write(on_air, self._state_live, resumed))

    async def _state_live(
        self, transaction: Transaction, broadcast: Broadcast, live: LiveStream, _on_air: OnAir, resumed: bool
    ) -> None:
        broadcast.live_at = broadcast.live_at or clock.now()
        broadcast.interrupted_at = None
        await broadcast_rows.move(transaction, broadcast, "live", resumed=resumed)
        await live_streams.move(transaction, live, "broadcasting", broadcastId=broadcast.id)

    def lost(self, on_air: OnAir, reason: str, ended: bool) -> None:
        """The publisher is gone: to come back within the window, or for good."""
        on_air.publisher = None
        on_air.stream.interrupt()
        if ended or on_air.state == "connecting" or on_air.reconnect_window_s == 0:
            self._spawn(self.end(on_air, reason))
            return
        if on_air.state == "live":
            on_air.state = "interrupted"
            _log.info("interrupted", live_stream=on_air.live_stream_id, broadcast=on_air.broadcast_id, reason=reason)
            if not self._closing:
                self._spawn(self._write(on_air, self._state_interrupted, reason))
        self._wait_for_return(on_air, on_air.reconnect_window_s)

    async def _state_interrupted(
        self, transaction: Transaction, broadcast: Broadcast, _live: LiveStream, _on_air: OnAir, reason: str
    ) -> None:
        broadcast.interrupted_at = clock.now()
        await broadcast_rows.move(transaction, broadcast, "interrupted", reason=reason)

    def rejected(self, on_air: OnAir, reason: str) -> None:
        """An event says why a publisher was sent away."""
        self._spawn(self._write(on_air, self._state_rejected, reason))

    async def _state_rejected(
        self, transaction: Transaction, broadcast: Broadcast, live: LiveStream, _on_air: OnAir, reason: str
    ) -> None:
        payload = {"liveStreamId": live.id, "broadcastId": broadcast.id, "reason": reason}
        await events.record(transaction, live.project_id, live.id, "live-stream.rejected", payload)

    def _wait_for_return(self, on_air: OnAir, window_s: float) -> None:
        loop = asyncio.get_running_loop()
        on_air.rearm(
            loop.call_later(window_s, lambda: self._spawn(self.end(on_air, "the publisher did not come back in time")))
        )

    # --- the end

    async def complete(self, live_stream_id: str, reason: str = "completed over the API") -> bool:
        """Ends what is on air at once, closing the publisher's connection; False when nothing was."""
        on_air = self._on_air.get(live_stream_id)
        if on_air is None or on_air.state == "ended":
            return False
        await self.end(on_air, reason)
        return True

    async def end(self, on_air: OnAir, reason: str) -> None:
        """Closes playlists and files, then states the end and, in the same transaction, the recording."""
        async with self._lock(on_air.live_stream_id):
            if on_air.state == "ended" or (on_air.publisher is None and self._closing):
                return
            publisher, on_air.publisher, on_air.state = on_air.publisher, None, "ended"
            on_air.rearm(None)
            if publisher:
                publisher.connection.close(reason)
            on_air.stream.end()
            await asyncio.wait_for(asyncio.wrap_future(self._store.flush()), FLUSH_TIMEOUT_S)
            await self._write(on_air, self._state_ended, reason)
            loop = asyncio.get_running_loop()
            on_air.rearm(loop.call_later(LINGER_S, lambda: self._forget(on_air)))
        _log.info("ended", live_stream=on_air.live_stream_id, broadcast=on_air.broadcast_id, reason=reason)

    async def _state_ended(
        self, transaction: Transaction, broadcast: Broadcast, live: LiveStream, on_air: OnAir, reason: str
    ) -> None:
        broadcast.ended_at, broadcast.end_reason = clock.now(), reason
        broadcast.incomplete = on_air.packager.incomplete
        await broadcast_rows.move(transaction, broadcast, "ended", reason=reason)
        if live.state == "broadcasting":
            await live_streams.move(transaction, live, "idle", broadcastId=broadcast.id)
        live.gop_s = on_air.packager.longest_gop_s or live.gop_s
        if broadcast.record:
            await self._on_ended(transaction, broadcast, live, on_air)

    def _forget(self, on_air: OnAir) -> None:
        on_air.rearm(None)
        if self._on_air.get(on_air.live_stream_id) is on_air:
            del self._on_air[on_air.live_stream_id]
        if not on_air.record:
            self._on_gone(on_air.broadcast_id)

    # --- across a restart

    async def _take_up(self) -> None:
        """Every broadcast that had not ended is interrupted now, and has its window to be gone on with."""
        async with self._database.read() as transaction:
            rows = await broadcast_rows.on_air(transaction)
            lives = {row.id: await live_streams.find(transaction, row.live_stream_id) for row in rows}
        for broadcast in rows:
            live = lives[broadcast.id]
            if live is not None:
                await self._take_up_one(live, broadcast)

    async def _take_up_one(self, live: LiveStream, broadcast: Broadcast) -> None:
        on_air = self._make(live, broadcast)
        recovered = await asyncio.to_thread(self._store.recover, broadcast.id)
        on_air.packager.restore(recovered)
        on_air.stream.restore(on_air.packager.position)
        on_air.state = "interrupted" if broadcast.state == "live" else broadcast.state
        self._on_air[live.id] = on_air
        _log.info("taken up after a restart", live_stream=live.id, broadcast=broadcast.id, state=broadcast.state)
        if broadcast.state == "connecting":
            await self.end(on_air, "the server restarted before media came")
            return
        if broadcast.state == "live":
            await self._write(on_air, self._state_interrupted, "the server restarted")
        since = (clock.now() - broadcast.interrupted_at).total_seconds() if broadcast.interrupted_at else 0.0
        left = live.reconnect_window_s - since
        if left > 0:
            self._wait_for_return(on_air, left)
        else:
            await self.end(on_air, "the publisher did not come back in time")

    async def _leave(self) -> None:
        """Stopping: parts in hand reach the disk, states their rows; the next start goes on from there."""
        self._closing = True
        for on_air in list(self._on_air.values()):
            on_air.rearm(None)
            if on_air.publisher:
                publisher, on_air.publisher = on_air.publisher, None
                on_air.stream.interrupt()
                publisher.connection.close("the server is stopping")
                if on_air.state == "live":
                    on_air.state = "interrupted"
                    self._spawn(self._write(on_air, self._state_interrupted, "the server stopped"))
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FLUSH_TIMEOUT_S / 2)

    # --- rows behind the media

    async def _write(self, on_air: OnAir, change: Callable[..., Awaitable[None]], *details: Any) -> None:
        async with self._database.write() as transaction:
            broadcast = await broadcast_rows.get(transaction, on_air.broadcast_id)
            live = await live_streams.find(transaction, on_air.live_stream_id)
            if broadcast is not None and live is not None:  # else deleted meanwhile
                await change(transaction, broadcast, live, on_air, *details)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a state change failed", exc_info=error)

    def _lock(self, live_stream_id: str) -> asyncio.Lock:
        lock = self._locks.get(live_stream_id)
        if lock is None:
            lock = self._locks[live_stream_id] = asyncio.Lock()
        return lock


def target_duration_s(segment_s: float, gop_s: float | None) -> int:
    """EXT-X-TARGETDURATION of a broadcast: 4 s, or what the stream's last seen key-frame interval needs."""
    return max(4, math.ceil(segment_s), math.ceil(gop_s or 0))
