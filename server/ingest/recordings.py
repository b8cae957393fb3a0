"""Recording, started and stopped while a broadcast is on air: intervals of it, each a video by reference.

An interval is whole segments: it begins with the one that is open when recording starts, and ends with the one that is
open when it stops. Its segments are spared when the window of live playback passes them.
"""

import asyncio

from server import clock, log
from server.errors import Problem
from server.ingest import intervals
from server.ingest.intervals import FOREVER, Interval
from server.ingest.on_air import OnAir
from server.ingest.registry import Registry
from server.ingest.states import States
from server.packager.live import LivePackager
from server.storage.segments import SegmentStore

CLOSE_S = 30.0  # the segment in which recording stopped is closed by then, longer than any is
LOOK_S = 0.25
FLUSH_S = 10.0
MAX_INTERVALS = 1000  # of one broadcast: they are kept in its row

_log = log.get("live")


class Recordings:
    """Starts and stops recording. Raises Problem where nobody is on air."""

    def __init__(self, registry: Registry, store: SegmentStore, states: States) -> None:
        self._registry = registry
        self._store = store
        self._states = states

    async def start(self, live_stream_id: str) -> OnAir:
        """From the segment that is open on; nothing happens where recording runs."""
        async with self._registry.lock(live_stream_id):
            on_air = self._on_air(live_stream_id)
            if not intervals.running(on_air.intervals):
                if len(on_air.intervals) >= MAX_INTERVALS:
                    raise Problem("conflict", "The broadcast has been recorded in too many parts.")
                interval = intervals.new(intervals.open_msn(on_air.packager))
                self._store.spare(on_air.broadcast_id, interval["first"], FOREVER)
                await self._keep(on_air, [*on_air.intervals, interval], "recording.started")
        return on_air

    async def stop(self, live_stream_id: str) -> OnAir:
        """With the segment that is open; the video follows as soon as that is closed."""
        async with self._registry.lock(live_stream_id):
            on_air = self._on_air(live_stream_id)
            if intervals.running(on_air.intervals):
                await self._stop(on_air)
        return on_air

    async def _stop(self, on_air: OnAir) -> None:
        *before, interval = on_air.intervals
        last = intervals.open_msn(on_air.packager)
        if all(rendition.window.open is None for rendition in on_air.packager.renditions.values()):
            last -= 1
        kept = [intervals.stopped(interval, last)] if last >= interval["first"] else []  # nothing came since it started
        await self._keep(on_air, [*before, *kept], "recording.stopped")
        self._store.unspare(on_air.broadcast_id, interval["first"], FOREVER)
        if kept:
            self._store.spare(on_air.broadcast_id, interval["first"], last)
            self._registry.spawn(self._make_video(on_air, last))

    async def _keep(self, on_air: OnAir, kept: list[Interval], what: str) -> None:
        await self._states.recording(on_air, kept, what)
        on_air.intervals = kept
        _log.info(what.replace(".", " "), live_stream=on_air.live_stream_id, broadcast=on_air.broadcast_id)

    async def _make_video(self, on_air: OnAir, last: int) -> None:
        deadline = clock.monotonic() + CLOSE_S
        while True:
            if on_air.state == "ended" or _closed(on_air.packager, last) or clock.monotonic() > deadline:
                break
            await asyncio.sleep(LOOK_S)
        async with self._registry.lock(on_air.live_stream_id):
            if not on_air.stated and _closed(on_air.packager, last):  # else the end of the broadcast makes it
                await asyncio.wait_for(asyncio.wrap_future(self._store.flush()), FLUSH_S)
                await self._states.recorded(on_air)

    def _on_air(self, live_stream_id: str) -> OnAir:
        on_air = self._registry.get(live_stream_id)
        if on_air is None or on_air.due or on_air.state == "ended":
            raise Problem("conflict", "Nobody is on air.")
        return on_air


def _closed(packager: LivePackager, msn: int) -> bool:
    return all(rendition.window.next_msn > msn for rendition in packager.renditions.values())
