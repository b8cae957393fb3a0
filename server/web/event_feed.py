"""What happened, told to those who listen: server-sent events (WHATWG HTML, section 9.2), straight from the rows.

A listener is read for as fast as it takes what was written, so there is no queue; one that takes nothing for WRITE_S is
cut off and comes back with the id of the last event that it had.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import orjson
from aiohttp import web

from server import clock
from server.catalog import events
from server.catalog.database import Database
from server.catalog.events import Wanted
from server.catalog.models import Event
from server.errors import Problem
from server.webhooks.formats import Told, native

HEARTBEAT_S = 15.0  # proxies close what is silent for a minute; a connection that is gone is noticed
LONGEST_S = 3600.0  # then the listener comes again, with its credentials
WRITE_S = 10.0
GATHER_S = 0.05  # what is committed shortly after each other is read together
AT_ONCE = 10  # listeners; where there are more, they wait longer for more to read
READ_AT_ONCE = 100
LISTENERS = 200  # in all
LISTENERS_OF_PROJECT = 20
RETRY_MS = 2000

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold it back
}


@dataclass(slots=True)
class Listener:
    """Where it is, and what it wants."""

    project_id: str
    position: int
    wanted: Wanted


class Feed:
    """`listeners` is for metrics."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = asyncio.Event()  # another one after each change
        self._by_project: dict[str, int] = {}
        self._stopping = False
        self.listeners = 0
        self.refused = 0
        database.on_commit(self._heard)

    def let_go(self) -> None:
        """The server stops: listeners are told to come again."""
        self._stopping = True
        self._changed.set()

    async def listen(
        self, request: web.Request, listener: Listener, still_may: Callable[[], Awaitable[bool]]
    ) -> web.StreamResponse:
        """Until the listener goes, its time is over or it may no more. Raises Problem before the answer begins."""
        with self._admitted(listener.project_id):
            response = web.StreamResponse(headers=HEADERS)
            await response.prepare(request)
            with suppress(ConnectionError, TimeoutError):
                await _write(response, f"retry: {RETRY_MS}\n\n".encode())
                async for chunk in self._chunks(listener, still_may):
                    await _write(response, chunk)
            return response

    async def _chunks(self, listener: Listener, still_may: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        until, asked = clock.monotonic() + LONGEST_S, clock.monotonic()
        while not self._stopping and clock.monotonic() < until:
            changed = self._changed
            rows = await self._next(listener)
            if rows:
                yield b"".join(map(_told, rows))
            if clock.monotonic() - asked >= HEARTBEAT_S:
                asked = clock.monotonic()
                if not await still_may():
                    return
            if len(rows) == READ_AT_ONCE:
                continue
            try:
                await asyncio.wait_for(changed.wait(), HEARTBEAT_S)
                await asyncio.sleep(GATHER_S * max(1.0, self.listeners / AT_ONCE))
            except TimeoutError:
                yield b":\n\n"

    async def _next(self, listener: Listener) -> Sequence[Event]:
        async with self._database.read() as transaction:
            newest = await events.newest(transaction)
            rows = await events.page(
                transaction, listener.project_id, listener.wanted, listener.position, READ_AT_ONCE
            )
        if rows:
            listener.position = rows[-1].position
        if len(rows) < READ_AT_ONCE:  # there was nothing else up to there: it need not be looked through again
            listener.position = max(listener.position, newest)
        return rows

    @contextmanager
    def _admitted(self, project_id: str) -> Iterator[None]:
        count = self._by_project.get(project_id, 0)
        if self.listeners >= LISTENERS or count >= LISTENERS_OF_PROJECT or self._stopping:
            self.refused += 1
            raise Problem("unavailable", "Too many listen already.", headers={"Retry-After": "5"})
        self.listeners += 1
        self._by_project[project_id] = count + 1
        try:
            yield
        finally:
            self.listeners -= 1
            self._by_project[project_id] -= 1
            if not self._by_project[project_id]:
                del self._by_project[project_id]

    def _heard(self, changed: Set[str]) -> None:
        if any(id.startswith("ev") for id in changed):
            self._changed.set()
            if not self._stopping:
                self._changed = asyncio.Event()


FEED = web.AppKey("feed", Feed)


async def let_go(app: web.Application) -> None:
    app[FEED].let_go()


def shown(row: Event) -> dict[str, object]:
    return native(
        Told(row.id, row.type, row.project_id, row.object_id, row.sequence, row.created_at, row.payload)
    )


def _told(row: Event) -> bytes:
    """JSON has no line breaks, so it is one `data` line."""
    return f"id: {row.id}\nevent: {row.type}\ndata: ".encode() + orjson.dumps(shown(row)) + b"\n\n"


async def _write(response: web.StreamResponse, chunk: bytes) -> None:
    await asyncio.wait_for(response.write(chunk), WRITE_S)
