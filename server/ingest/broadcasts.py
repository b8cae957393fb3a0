"""Broadcasts on air: who is let in, and what all the parts of their lives are made of.

One `OnAir` per live stream that is publishing, interrupted, or ended lately. Media goes straight from the connection
through `Publisher` into the stream; state changes go to the catalogue behind it, in order.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Self

from server import clock, log
from server.catalog import live_streams
from server.catalog.database import Database
from server.catalog.models import LiveStream
from server.config import LiveConfig
from server.ingest.admission import Refusals, admitted, early, make_room, role_of
from server.ingest.beginnings import Began, Beginnings
from server.ingest.endings import Endings, Over
from server.ingest.health.episodes import News
from server.ingest.life import Life
from server.ingest.on_air import Connection, OnAir, Publisher, Refused
from server.ingest.recordings import Recordings
from server.ingest.registry import Registry
from server.ingest.rehearsals import Rehearsals
from server.ingest.restart import STOPPING, Restart
from server.ingest.slates import Slates
from server.ingest.states import Recorded, States
from server.ingest.switch import Role
from server.storage.segments import SegmentStore

_log = log.get("live")


async def _nothing(on_air: OnAir) -> None:
    """Nobody has to be waited for at the end."""


class Broadcasts:
    """All that is on air in this process. `async with Broadcasts.open(…)`."""

    def __init__(
        self,
        database: Database,
        store: SegmentStore,
        config: LiveConfig,
        on_recorded: Recorded,
        on_gone: Callable[[str], None],
        on_part: Callable[[int], None],
        on_began: Began,
        on_over: Over,
        slates: Slates | None,
    ) -> None:
        self._database = database
        self._registry = Registry()
        self._states = States(database, on_recorded)
        self._beginnings = Beginnings(store, config, on_part, on_began)
        self._endings = Endings(self._registry, store, self._states, on_gone, on_over)
        self._life = Life(self._registry, self._endings, self._states, slates)
        self._restart = Restart(
            self._registry, self._beginnings, self._states, self._endings.end, self._life.fill_window
        )
        self.rehearsals = Rehearsals(
            lambda live_stream_id, reason: self._registry.spawn(self._states.refused(live_stream_id, reason))
        )
        self.recordings = Recordings(self._registry, store, self._states)
        self._refusals = Refusals()
        self.refused = 0  # publishers not let in
        self.unknown = 0  # of these, with a key that is nobody's

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: Database,
        store: SegmentStore,
        config: LiveConfig,
        on_recorded: Recorded,
        on_gone: Callable[[str], None],
        on_part: Callable[[int], None] = lambda end_ms: None,
        on_began: Began = lambda live, on_air: None,
        on_over: Over = _nothing,
        slates: Slates | None = None,
    ) -> AsyncIterator[Self]:
        """Takes up what a restart left, and leaves what is on air for the next start to take up.

        `on_part` is told the wall clock at the end of each part's media, `on_began` of a broadcast before its media,
        `on_over`, waited for, when none follows. `slates` fill the reconnect window.
        """
        broadcasts = cls(database, store, config, on_recorded, on_gone, on_part, on_began, on_over, slates)
        for broadcast_id in await broadcasts._restart.take_up(database):
            on_gone(broadcast_id)
        try:
            yield broadcasts
        finally:
            broadcasts.rehearsals.close(STOPPING)
            await broadcasts._restart.leave()

    def get(self, live_stream_id: str) -> OnAir | None:
        """What a live stream shows now: on air, interrupted, or just ended."""
        return self._registry.get(live_stream_id)

    def all(self) -> Iterable[OnAir]:
        return self._registry.all()

    def publishers(self) -> int:
        return sum(len(on_air.publishers) for on_air in self.all())

    # --- admission

    async def publish(self, key: str, connection: Connection) -> Publisher:
        """Lets a publisher in by its stream key. Raises Refused with what to tell the broadcaster."""
        try:
            return await self._publish(key, connection)
        except Refused:
            self.refused += 1
            raise

    async def _publish(self, key: str, connection: Connection) -> Publisher:
        live = await self._by_key(key)
        if live is None:
            self.unknown += 1
            raise Refused("unknown stream key", "unknown")
        try:
            admitted(live, clock.now())
            async with self._registry.lock(live.id):
                # while others came and went the key may have been reset, or the stream disabled
                current = admitted(await self._by_key(key), clock.now())
                return await self._admit(current, connection, role_of(current, key))
        except Refused as refused:
            news = self._refusals.worth_telling(live.id, str(refused), clock.monotonic())
            if news and not self._registry.closing:
                self._registry.spawn(self._states.refused(live.id, str(refused)))
            raise

    async def _by_key(self, key: str) -> LiveStream | None:
        async with self._database.read() as transaction:
            return await live_streams.by_key(transaction, key) if key else None

    async def _admit(self, live: LiveStream, connection: Connection, role: Role) -> Publisher:
        on_air = self._registry.get(live.id)
        if on_air and on_air.due:  # what is over is stated before what follows
            await self._endings.end_locked(on_air, on_air.due)
            if not on_air.stated:
                raise Refused("the last broadcast can't be ended yet, try again")
        if self._registry.closing:
            raise Refused(STOPPING)
        if on_air is not None and on_air.state != "ended":
            make_room(on_air, role)
            self._registry.spawn(self._states.connected(on_air, connection.protocol, role))
        elif self.rehearsals.get(live.id) or early(live, clock.now()):
            return self.rehearsals.admit(live.id, connection, role)
        else:
            on_air = await self._begin(live.id, connection, role)
        return self._enter(on_air, Publisher(self._life, on_air, connection, role))

    def _enter(self, on_air: OnAir, publisher: Publisher) -> Publisher:
        """Whoever comes first is on air."""
        if on_air.publisher is None:
            on_air.rearm(None)
            publisher.go_on_air()
        else:
            on_air.standby, on_air.paired = publisher, True
            _log.info("standing by", live_stream=on_air.live_stream_id, ingest=publisher.role)
        return publisher

    async def _begin(self, live_stream_id: str, connection: Connection, role: Role) -> OnAir:
        """A new broadcast, in place of what lingers of the last one."""
        async with self._database.write() as transaction:
            found = await live_streams.find(transaction, live_stream_id)  # it may have changed meanwhile
            live = admitted(found, clock.now())
            broadcast = await self._beginnings.row(transaction, live, connection.protocol)
            await live_streams.connected(transaction, live, broadcast.id, connection.protocol, role)
        if self._registry.closing:
            raise Refused(STOPPING)  # the next start ends what has begun here
        if last := self._registry.get(live.id):
            self._endings.forget(last)
        on_air = self._beginnings.make(live, broadcast)
        self._registry.put(on_air)
        return on_air

    async def begin_scheduled(self, live_stream_id: str, *, even_armed: bool = True) -> bool:
        """Who rehearses before the scheduled start goes on air; False when nobody is there.

        One whose rehearsal was asked for stays in it unless `even_armed`.
        """
        async with self._registry.lock(live_stream_id):
            stage = self.rehearsals.get(live_stream_id)
            if stage is None or (stage.armed and not even_armed):
                return False
            waiting = self.rehearsals.take(live_stream_id)
            try:
                for publisher in waiting:
                    await self._go_on_air(live_stream_id, publisher)
            except Exception as error:
                reason = str(error) if isinstance(error, Refused) else "the server can't take the stream now, try again"
                for publisher in waiting:
                    publisher.connection.close(reason)
                if not isinstance(error, Refused):
                    raise
        return bool(waiting)

    async def _go_on_air(self, live_stream_id: str, publisher: Publisher) -> None:
        on_air = self._registry.get(live_stream_id)
        if on_air is None or on_air.state == "ended":
            on_air = await self._begin(live_stream_id, publisher.connection, publisher.role)
        publisher.move(self._life, on_air)
        self._enter(on_air, publisher)

    async def cut(self, live_stream_id: str, role: Role, reason: str) -> None:
        """Closes the connection with this key, whose broadcaster may come back with another one."""
        async with self._registry.lock(live_stream_id):
            for stage in (self._registry.get(live_stream_id), self.rehearsals.get(live_stream_id)):
                for publisher in stage.publishers if stage else ():
                    if publisher.role == role:
                        publisher.closed(reason, ended=False)
                        publisher.connection.close(reason)

    # --- life on air

    def send_away(self, publisher: Publisher, reason: str) -> None:
        """What it sends can't be shown: it is told, and its broadcast goes on without it or ends."""
        publisher.rejected(reason)
        publisher.closed(reason, ended=True)
        publisher.connection.close(reason)

    def warned(self, on_air: OnAir, news: News) -> None:
        """A warning about what is on air begins, or is over."""
        self._registry.spawn(self._states.warned(on_air, news))

    # --- the end

    async def complete(self, live_stream_id: str, reason: str = "completed over the API") -> bool:
        """Ends what is on air at once; False when nothing was. Raises Problem when that can't be stated now."""
        return await self._endings.complete(live_stream_id, reason)

    async def end(self, on_air: OnAir, reason: str) -> None:
        """Ends a broadcast, whoever publishes; once."""
        await self._endings.end(on_air, reason)

    async def deleted(self, live_stream_id: str) -> None:
        """The live stream's rows are gone: so go its publishers and, where no video has them, the segments."""
        await self._endings.deleted(live_stream_id)

    def withdraw(self, broadcast_id: str) -> None:
        """The video of a broadcast is deleted: it is not shown as the stream's last one any more."""
        self._endings.withdraw(broadcast_id)

