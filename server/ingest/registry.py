"""What is on air in this process, a lock for each live stream, and the state changes under way."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any
from weakref import WeakValueDictionary

from server import log
from server.ingest.on_air import OnAir

LEAVE_S = 5.0  # a stopping server waits this long for rows that are being written

_log = log.get("live")


class Registry:
    """One broadcast at most of each live stream: on air, interrupted, or lately ended."""

    def __init__(self) -> None:
        self.closing = False  # the server is stopping: nothing begins any more
        self._on_air: dict[str, OnAir] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, live_stream_id: str) -> OnAir | None:
        return self._on_air.get(live_stream_id)

    def all(self) -> Iterable[OnAir]:
        return self._on_air.values()

    def put(self, on_air: OnAir) -> None:
        self._on_air[on_air.live_stream_id] = on_air

    def drop(self, on_air: OnAir) -> None:
        """Forgets a broadcast, unless another one has taken its place."""
        if self._on_air.get(on_air.live_stream_id) is on_air:
            del self._on_air[on_air.live_stream_id]

    def lock(self, live_stream_id: str) -> asyncio.Lock:
        """Admissions and ends of a live stream happen one after the other."""
        lock = self._locks.get(live_stream_id)
        if lock is None:
            lock = self._locks[live_stream_id] = asyncio.Lock()
        return lock

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """A change that is written behind the media; its failure is logged."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a state change failed", exc_info=error)

    async def settle(self) -> None:
        """Waits for what is under way, but not for ever."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEAVE_S)
