"""Broadcasts across a stop, or a crash, and the next start."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from server import clock, log
from server.catalog import broadcasts as rows
from server.catalog import live_streams
from server.catalog.database import Database
from server.catalog.models import Broadcast, LiveStream
from server.formats import aac
from server.formats.aac import AacError
from server.formats.fmp4.box import BoxError
from server.formats.fmp4.init import sample_entry
from server.formats.sample import AudioConfig
from server.ingest.beginnings import Beginnings
from server.ingest.on_air import OnAir
from server.ingest.registry import Registry
from server.ingest.states import States
from server.storage.segments import Recovered

SOUND = "audio"  # the rendition of the main track
LATELY = timedelta(days=2)  # ended before, they were looked through at an earlier start
NOT_BACK = "the publisher did not come back in time"
STOPPING = "the server is stopping"

_log = log.get("live")


class Restart:
    """Takes up at a start what was on air at the last end."""

    def __init__(
        self,
        registry: Registry,
        beginnings: Beginnings,
        states: States,
        end: Callable[[OnAir, str], Awaitable[None]],
        fill_window: Callable[[OnAir, float], None],
    ) -> None:
        self._registry = registry
        self._beginnings = beginnings
        self._states = states
        self._end = end
        self._fill_window = fill_window

    async def take_up(self, database: Database) -> set[str]:
        """Every broadcast that had not ended is interrupted now, and has its window to be gone on with.

        Answers the ids of those of whose bytes all or some may be needed by nobody: the last run may have ended
        before it came to remove them.
        """
        async with database.read() as transaction:
            found = await rows.on_air(transaction)
            lives = {row.id: await live_streams.find(transaction, row.live_stream_id) for row in found}
            unwanted = await rows.unwanted(transaction)
            unwanted |= await rows.partly_shown(transaction, clock.now() - LATELY)
        for broadcast in found:
            live = lives[broadcast.id]
            if live is not None:
                await self._take_up_one(live, broadcast)
        return unwanted.intersection(await asyncio.to_thread(self._beginnings.store.layout.broadcast_ids))

    async def _take_up_one(self, live: LiveStream, broadcast: Broadcast) -> None:
        on_air = await self._recovered(live, broadcast)
        self._registry.put(on_air)
        _log.info("taken up after a restart", live_stream=live.id, broadcast=broadcast.id, state=broadcast.state)
        if on_air.due or broadcast.state == "connecting":
            await self._end(on_air, "the server restarted before media came")
            return
        if broadcast.state == "live":
            await self._states.interrupted(on_air, "the server restarted")
        since = (clock.now() - broadcast.interrupted_at).total_seconds() if broadcast.interrupted_at else 0.0
        left = live.reconnect_window_s - since
        if left > 0:
            self._fill_window(on_air, left)
        else:
            await self._end(on_air, NOT_BACK)

    async def _recovered(self, live: LiveStream, broadcast: Broadcast) -> OnAir:
        """The broadcast as the disk has it; one that can't be gone on with is to end."""
        on_air = self._beginnings.make(live, broadcast)
        try:
            recovered = await asyncio.to_thread(self._beginnings.store.recover, broadcast.id)
            on_air.packager.restore(recovered)
            on_air.stream.restore(on_air.packager.position)
            on_air.sound = _sound(recovered)
        except Exception as error:  # one broadcast's damage must not keep the server from starting
            _log.error("a broadcast can't be gone on with", broadcast=broadcast.id, exc_info=error)
            on_air = self._beginnings.make(live, broadcast)
            on_air.due = "the server restarted and could not read what was there"
        on_air.state = "connecting" if broadcast.state == "connecting" else "interrupted"
        return on_air

    async def leave(self) -> None:
        """Stopping: parts in hand reach the disk, states their rows; the next start goes on from there."""
        self._registry.closing = True
        for on_air in list(self._registry.all()):
            on_air.rearm(None)
            if on_air.publishers:
                self._send_away(on_air)
        await self._registry.settle()

    def _send_away(self, on_air: OnAir) -> None:
        publishers, on_air.publisher, on_air.standby = on_air.publishers, None, None
        on_air.stream.interrupt()
        for publisher in publishers:
            publisher.connection.close(STOPPING)
        if on_air.state == "live":
            on_air.state = "interrupted"
            self._registry.spawn(self._states.interrupted(on_air, "the server stopped"))


def _sound(recovered: Recovered) -> AudioConfig | None:
    """What the last publisher sent beside its pictures, for the silence of a slate; None where it was not AAC."""
    found = recovered.renditions.get(SOUND)
    if found is None or not found.inits:
        return None
    try:
        return aac.audio_config(aac.asc_of(sample_entry(found.inits[max(found.inits)])))
    except (AacError, BoxError):
        return None
