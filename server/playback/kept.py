"""Rows that every request to watch may ask for, kept in memory: no database on the way of a segment.

Loaded from the catalogue on a miss, dropped when a committed transaction changed the row (`Database.on_commit`), and
read anew while one does: who was told the new by a read of the database is never told the old here.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from server import clock
from server.catalog.database import Database, Transaction

TTL_S = 60.0  # a row changed by another process on the same database is noticed within this
ABSENT_TTL_S = 2.0  # an id that names nothing is looked up again after this; long enough to blunt a scan

T = TypeVar("T")


@dataclass(slots=True)
class _Entry(Generic[T]):
    value: T | None
    fresh_until: float


class Kept(Generic[T]):
    """A cache by canonical ids. `database.on_commit(kept.forget)` keeps it true."""

    def __init__(
        self,
        database: Database,
        read: Callable[[Transaction, str], Awaitable[T | None]],
        size: int,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        """`read` makes the value of a row, None where there is none; `size` is the most that are kept."""
        self._database = database
        self._read = read
        self._size = size
        self._monotonic = monotonic
        self._entries: OrderedDict[str, _Entry[T]] = OrderedDict()
        self._loading: dict[str, asyncio.Task[T | None]] = {}
        self.misses = 0

    def peek(self, id: str) -> T | None:
        """What is in memory and fresh; None says nothing about the rest."""
        entry = self._entries.get(id)
        return entry.value if entry is not None and entry.fresh_until > self._monotonic() else None

    async def get(self, id: str) -> T | None:
        entry, changing = self._entries.get(id), self._database.is_changing(id)
        if entry is not None and entry.fresh_until > self._monotonic() and not changing:
            return entry.value
        loading = self._loading.get(id)
        if loading is None or changing:  # a thousand viewers at once make one query
            loading = asyncio.create_task(self._load(id))
            self._loading[id] = loading
            loading.add_done_callback(lambda done: self._loaded(id, done))
        return await asyncio.shield(loading)

    def forget(self, changed: Iterable[str]) -> None:
        """Drops the entries of changed rows; other ids mean nothing here."""
        for id in changed:
            self._entries.pop(id, None)
            self._loading.pop(id, None)  # those that wait get what they asked for; who comes now asks anew

    async def _load(self, id: str) -> T | None:
        self.misses += 1
        async with self._database.read() as transaction:
            value = await self._read(transaction, id)
        # else the row changed while it was read; until that is heard of it is kept for `peek`
        if self._loading.get(id) is asyncio.current_task() or self._database.is_changing(id):
            self._keep(id, value)
        return value

    def _loaded(self, id: str, loading: asyncio.Task[T | None]) -> None:
        if self._loading.get(id) is loading:
            del self._loading[id]
        if not loading.cancelled():
            loading.exception()  # who still waits is told; that nobody does is no fault of its own

    def _keep(self, id: str, value: T | None) -> None:
        life_s = ABSENT_TTL_S if value is None else TTL_S
        self._entries[id] = _Entry(value, self._monotonic() + life_s)
        self._entries.move_to_end(id)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
