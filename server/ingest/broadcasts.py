"""Broadcasts on air: admission, interruption and return, the end, and what a restart finds.

One `OnAir` per live stream that is publishing, interrupted, or ended less than LINGER_S ago. Media goes straight from
the connection through `Publisher` into the stream; state changes go to the catalogue behind it, in order.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Self
from weakref import WeakValueDictionary

from server import clock, ids, log
from server.catalog import broadcasts as broadcast_rows
from server.catalog import live_streams
from server.catalog.database import Database
from server.catalog.models import Broadcast, LiveStream
from server.config import LiveConfig
from server.errors import Problem
from server.ingest.on_air import Connection, OnAir, Publisher, Refused
from server.ingest.states import Ended, States
from server.packager.live import LivePackager, LiveSettings
from server.storage.segments import SegmentStore
from server.stream.stream import Stream

LINGER_S = 60.0  # an ended playlist keeps EXT-X-ENDLIST this long, then the manifest answers 202 again
SILENT_S = 2.0  # a publisher that sent nothing for so long yields to a new one with the same key
FLUSH_TIMEOUT_S = 10.0  # waiting for the disk at the end of a broadcast
RETRY_S = 5.0  # an end that the catalogue or the disk refused is stated again after this
LEAVE_S = 5.0  # a stopping server waits this long for rows that are being written
NOT_BACK = "the publisher did not come back in time"

_log = log.get("live")


class Broadcasts:
    """All that is on air in this process. `async with Broadcasts.open(…)`."""

    def __init__(
        self,
        database: Database,
        store: SegmentStore,
        config: LiveConfig,
        on_ended: Ended,
        on_gone: Callable[[str], None],
        on_part: Callable[[int], None],
    ) -> None:
        self._database = database
        self._store = store
        self._config = config
        self._states = States(database, on_ended)
        self._on_gone = on_gone  # the segments of a broadcast that left no video are wanted no more
        self._on_air: dict[str, OnAir] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_part = on_part  # a part is out, whose media ended at this time of the wall clock
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
        on_part: Callable[[int], None] = lambda end_ms: None,
    ) -> AsyncIterator[Self]:
        """Takes up what a restart left, and leaves what is on air for the next start to take up."""
        broadcasts = cls(database, store, config, on_ended, on_gone, on_part)
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
            live = _admitted(await live_streams.by_key(transaction, key) if key else None)
        async with self._lock(live.id):
            on_air = self._on_air.get(live.id)
            if on_air and on_air.due:  # what is over is stated before what follows
                await self._end(on_air, on_air.due)
                if not on_air.stated:
                    raise Refused("the last broadcast can't be ended yet, try again")
            if self._closing:
                raise Refused("the server is stopping")
            if on_air and on_air.state != "ended":
                self._replace(on_air, connection)
            else:
                on_air = await self._begin(live.id, connection)
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

    async def _begin(self, live_stream_id: str, connection: Connection) -> OnAir:
        """A new broadcast, in place of what lingers of the last one."""
        async with self._database.write() as transaction:
            live = _admitted(await live_streams.find(transaction, live_stream_id))  # it may have changed meanwhile
            broadcast = Broadcast(
                id=ids.new("br"),
                project_id=live.project_id,
                live_stream_id=live.id,
                protocol=connection.protocol,
                record=live.record,
                latency_mode=live.latency_mode,
                target_duration_s=target_duration_s(self._config.segment_s, live.gop_s),
            )
            await broadcast_rows.add(transaction, broadcast)
            live.broadcast_id = broadcast.id
        if self._closing:
            raise Refused("the server is stopping")  # the next start ends what has begun here
        if last := self._on_air.get(live.id):
            self._forget(last)
        on_air = self._on_air[live.id] = self._make(live, broadcast)
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
        packager = LivePackager(live.id, broadcast.id, settings, self._store, self._on_part)
        stream.attach(packager)
        return OnAir(
            live_stream_id=live.id,
            broadcast_id=broadcast.id,
            state="connecting",
            reconnect_window_s=live.reconnect_window_s,
            stream=stream,
            packager=packager,
        )

    # --- life on air

    def went_live(self, on_air: OnAir) -> None:
        """Media flows, for the first time or again."""
        resumed, on_air.state = on_air.state == "interrupted", "live"
        _log.info("live", live_stream=on_air.live_stream_id, broadcast=on_air.broadcast_id, resumed=resumed)
        self._spawn(self._states.live(on_air, resumed))

    def lost(self, on_air: OnAir, reason: str, ended: bool) -> None:
        """The publisher is gone: to come back within the window, or for good."""
        on_air.publisher = None
        on_air.stream.interrupt()
        if ended or on_air.state == "connecting" or on_air.reconnect_window_s == 0:
            self._end_soon(on_air, reason)
            return
        if on_air.state == "live":
            on_air.state = "interrupted"
            _log.info("interrupted", live_stream=on_air.live_stream_id, broadcast=on_air.broadcast_id, reason=reason)
            if not self._closing:
                self._spawn(self._states.interrupted(on_air, reason))
        self._wait_for_return(on_air, on_air.reconnect_window_s)

    def rejected(self, on_air: OnAir, reason: str) -> None:
        """An event says why a publisher was sent away."""
        self._spawn(self._states.rejected(on_air, reason))

    def _wait_for_return(self, on_air: OnAir, window_s: float) -> None:
        loop = asyncio.get_running_loop()
        on_air.rearm(loop.call_later(window_s, lambda: self._end_soon(on_air, NOT_BACK)))

    # --- the end

    def _end_soon(self, on_air: OnAir, reason: str) -> None:
        on_air.due = reason  # from now on, whoever comes first
        self._spawn(self.end(on_air, reason))

    async def complete(self, live_stream_id: str, reason: str = "completed over the API") -> bool:
        """Ends what is on air at once, closing the publisher's connection; False when nothing was.

        Raises Problem when the end can't be stated now; it will be, and nothing is lost.
        """
        async with self._lock(live_stream_id):  # an admission or an end under way is waited for
            on_air = self._on_air.get(live_stream_id)
            if on_air is None or on_air.stated:
                return False
            await self._end(on_air, reason)
        if not on_air.stated:
            raise Problem("unavailable", "The end of the broadcast can't be written now.")
        return True

    async def end(self, on_air: OnAir, reason: str) -> None:
        """Ends a broadcast, whoever publishes; once."""
        async with self._lock(on_air.live_stream_id):
            await self._end(on_air, reason)

    async def deleted(self, live_stream_id: str) -> None:
        """The live stream's rows are gone: so go its publisher and, where no video has them, the segments."""
        async with self._lock(live_stream_id):
            on_air = self._on_air.get(live_stream_id)
            if on_air is not None:
                await self._end(on_air, "the live stream was deleted")
                if on_air.stated:
                    self._forget(on_air)

    def withdraw(self, broadcast_id: str) -> None:
        """The video of a broadcast is deleted: it is not shown as the stream's last one any more."""
        for on_air in list(self._on_air.values()):
            if on_air.broadcast_id == broadcast_id and on_air.stated:
                self._forget(on_air)

    async def _end(self, on_air: OnAir, reason: str) -> None:
        on_air.due = on_air.due or reason
        try:
            await self._finish(on_air)
        except Exception as error:
            _log.error("the end can't be stated yet", broadcast=on_air.broadcast_id, exc_info=error)
            if not self._closing:
                loop = asyncio.get_running_loop()
                on_air.rearm(loop.call_later(RETRY_S, lambda: self._end_soon(on_air, on_air.due or reason)))

    async def _finish(self, on_air: OnAir) -> None:
        """Closes playlists and files, then states the end and, in the same transaction, the recording.

        Called under the live stream's lock; may be called again until it succeeds.
        """
        if on_air.stated:
            return
        reason = on_air.due or ""
        on_air.rearm(None)
        if on_air.state != "ended":
            self._close(on_air, reason)
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._store.flush())), FLUSH_TIMEOUT_S)
        await self._states.ended(on_air, reason)
        on_air.stated = True
        on_air.rearm(asyncio.get_running_loop().call_later(LINGER_S, lambda: self._forget(on_air)))
        _log.info("ended", live_stream=on_air.live_stream_id, broadcast=on_air.broadcast_id, reason=reason)

    def _close(self, on_air: OnAir, reason: str) -> None:
        publisher, on_air.publisher, on_air.state = on_air.publisher, None, "ended"
        if publisher:
            publisher.connection.close(reason)
        on_air.stream.end()

    def _forget(self, on_air: OnAir) -> None:
        on_air.rearm(None)
        if self._on_air.get(on_air.live_stream_id) is on_air:
            del self._on_air[on_air.live_stream_id]
        if not on_air.kept:
            self._on_gone(on_air.broadcast_id)

    # --- across a restart

    async def _take_up(self) -> None:
        """Every broadcast that had not ended is interrupted now, and has its window to be gone on with."""
        async with self._database.read() as transaction:
            rows = await broadcast_rows.on_air(transaction)
            lives = {row.id: await live_streams.find(transaction, row.live_stream_id) for row in rows}
            unwanted = await broadcast_rows.unwanted(transaction)
        for broadcast in rows:
            live = lives[broadcast.id]
            if live is not None:
                await self._take_up_one(live, broadcast)
        for broadcast_id in unwanted.intersection(await asyncio.to_thread(self._store.layout.broadcast_ids)):
            self._on_gone(broadcast_id)  # the last run ended before it came to this

    async def _take_up_one(self, live: LiveStream, broadcast: Broadcast) -> None:
        on_air = self._on_air[live.id] = await self._recovered(live, broadcast)
        _log.info("taken up after a restart", live_stream=live.id, broadcast=broadcast.id, state=broadcast.state)
        if on_air.due or broadcast.state == "connecting":
            await self.end(on_air, "the server restarted before media came")
            return
        if broadcast.state == "live":
            await self._states.interrupted(on_air, "the server restarted")
        since = (clock.now() - broadcast.interrupted_at).total_seconds() if broadcast.interrupted_at else 0.0
        left = live.reconnect_window_s - since
        if left > 0:
            self._wait_for_return(on_air, left)
        else:
            await self.end(on_air, NOT_BACK)

    async def _recovered(self, live: LiveStream, broadcast: Broadcast) -> OnAir:
        """The broadcast as the disk has it; one that can't be gone on with is to end."""
        on_air = self._make(live, broadcast)
        try:
            recovered = await asyncio.to_thread(self._store.recover, broadcast.id)
            on_air.packager.restore(recovered)
            on_air.stream.restore(on_air.packager.position)
        except Exception as error:  # one broadcast's damage must not keep the server from starting
            _log.error("a broadcast can't be gone on with", broadcast=broadcast.id, exc_info=error)
            on_air = self._make(live, broadcast)
            on_air.due = "the server restarted and could not read what was there"
        on_air.state = "connecting" if broadcast.state == "connecting" else "interrupted"
        return on_air

    async def _leave(self) -> None:
        """Stopping: parts in hand reach the disk, states their rows; the next start goes on from there."""
        self._closing = True
        for on_air in list(self._on_air.values()):
            on_air.rearm(None)
            if on_air.publisher:
                self._send_away(on_air)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEAVE_S)

    def _send_away(self, on_air: OnAir) -> None:
        publisher, on_air.publisher = on_air.publisher, None
        on_air.stream.interrupt()
        if publisher:
            publisher.connection.close("the server is stopping")
        if on_air.state == "live":
            on_air.state = "interrupted"
            self._spawn(self._states.interrupted(on_air, "the server stopped"))

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


def _admitted(live: LiveStream | None) -> LiveStream:
    if live is None:
        raise Refused("unknown stream key")
    if live.state == "disabled":
        raise Refused("the live stream is disabled")
    return live


def target_duration_s(segment_s: float, gop_s: float | None) -> int:
    """EXT-X-TARGETDURATION of a broadcast: 4 s, or what the stream's last seen key-frame interval needs."""
    return max(4, math.ceil(segment_s), math.ceil(gop_s or 0))
