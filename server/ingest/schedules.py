"""Schedules: live streams that begin and end by the clock.

Before its start a live stream takes publishers, measures them and does not show them; at the start they go on air. At
its end the broadcast completes, and nobody is let in until the schedule is changed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from server import clock, log
from server.catalog import faults, live_streams
from server.catalog.database import Database
from server.catalog.models import LiveStream

EVERY_S = 0.5

Due = Callable[[str], Awaitable[bool]]  # of a live stream; whether there was something to do

_log = log.get("live")


@dataclass(slots=True)
class _Plan:
    """What is still to come."""

    starts_at: datetime | None
    stops_at: datetime | None
    missed: bool = False  # its end passed while the server was down: nothing may be left to do
    release: bool = False  # it begins no later any more: who waited for that is to go on air

    @property
    def is_done(self) -> bool:
        return self.starts_at is None and self.stops_at is None and not self.release


class Schedules:
    """`on_start` puts on air who rehearses, `on_stop` completes; each is called at its time or soon after, and again
    until it is done and told.

    `on_release` puts on air who only waits, where a schedule is moved to now or taken away.
    """

    def __init__(self, database: Database, on_start: Due, on_release: Due, on_stop: Due) -> None:
        self._database = database
        self._on_start = on_start
        self._on_release = on_release
        self._on_stop = on_stop
        self._plans: dict[str, _Plan] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Takes up the schedules of the catalogue: what should have ended meanwhile ends now."""
        async with self._database.read() as transaction:
            rows = await live_streams.scheduled(transaction)
        now = clock.now()
        for row in rows:
            self.changed(row)
            plan = self._plans.get(row.id)
            if plan and row.stops_at and row.stops_at <= now:
                plan.stops_at, plan.missed = row.stops_at, True
        task = asyncio.ensure_future(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    def changed(self, live: LiveStream) -> None:
        """Its schedule is another one, or it has none; what has passed already is not done again."""
        now = clock.now()
        starts_at = live.starts_at if live.starts_at and live.starts_at > now else None
        last = self._plans.pop(live.id, None)
        release = starts_at is None and last is not None and last.starts_at is not None
        if starts_at or live.stops_at or release:
            self._plans[live.id] = _Plan(starts_at, live.stops_at, release=release)

    def deleted(self, live_stream_id: str) -> None:
        self._plans.pop(live_stream_id, None)

    async def _run(self) -> None:
        while True:
            await self.look(clock.now())
            await asyncio.sleep(EVERY_S)

    async def look(self, now: datetime) -> None:
        """Does what is due."""
        for live_stream_id, plan in list(self._plans.items()):
            try:
                if plan.release:
                    await self._on_release(live_stream_id)
                    plan.release = False
                if plan.starts_at and plan.starts_at <= now:
                    await self._on_start(live_stream_id)
                    await self._tell(live_stream_id, "started")
                    plan.starts_at = None
                if plan.stops_at and plan.stops_at <= now:
                    if await self._on_stop(live_stream_id):
                        plan.missed = False  # it is to be told, also where that has to be tried again
                    if not plan.missed:
                        await self._tell(live_stream_id, "stopped")
                    plan.stops_at = None
            except Exception as error:  # tried again; the other streams' times come too
                faults.tell(_log, "a schedule could not be kept", error, live_stream=live_stream_id)
            if plan.is_done and self._plans.get(live_stream_id) is plan:
                del self._plans[live_stream_id]

    async def _tell(self, live_stream_id: str, what: str) -> None:
        async with self._database.write() as transaction:
            live = await live_streams.find(transaction, live_stream_id)
            if live is not None:
                await live_streams.tell(transaction, live, f"schedule.{what}")
        _log.info(f"schedule {what}", live_stream=live_stream_id)
