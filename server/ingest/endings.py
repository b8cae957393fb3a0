"""The end of a broadcast: files closed, then stated until the catalogue has it, then told to viewers."""

import asyncio
from collections.abc import Awaitable, Callable

from server import clock, log
from server.catalog import faults
from server.errors import Problem
from server.ingest import intervals
from server.ingest.on_air import OnAir
from server.ingest.registry import Registry
from server.ingest.states import NotYet, States
from server.storage.segments import SegmentStore

LINGER_S = 60.0  # an ended playlist keeps EXT-X-ENDLIST this long, then the manifest answers 202 again
FLUSH_TIMEOUT_S = 10.0  # waiting for the disk at the end of a broadcast
RETRY_S = 5.0  # an end that the catalogue or the disk refused is stated again after this

NOT_STATED = "the end can't be stated yet"

Over = Callable[[OnAir], Awaitable[None]]  # no media follows: waited for before the stream's readers are told

_log = log.get("live")


class Endings:
    """Ends broadcasts, each once, under its live stream's lock."""

    def __init__(
        self,
        registry: Registry,
        store: SegmentStore,
        states: States,
        on_gone: Callable[[str], None],
        on_over: Over,
    ) -> None:
        self._registry = registry
        self._store = store
        self._states = states
        self._on_gone = on_gone  # segments of the broadcast that no video shows are wanted no more
        self._on_over = on_over

    def soon(self, on_air: OnAir, reason: str) -> None:
        on_air.due = reason  # from now on, whoever comes first
        self._registry.spawn(self.end(on_air, reason))

    async def complete(self, live_stream_id: str, reason: str) -> bool:
        """Ends what is on air at once, closing the publishers' connections; False when nothing was.

        Raises Problem when the end can't be stated now; it will be, and nothing is lost.
        """
        async with self._registry.lock(live_stream_id):  # an admission or an end under way is waited for
            on_air = self._registry.get(live_stream_id)
            if on_air is None or on_air.stated:
                return False
            await self.end_locked(on_air, reason)
        if not on_air.stated:
            raise Problem("unavailable", "The end of the broadcast can't be written now.")
        return True

    async def end(self, on_air: OnAir, reason: str) -> None:
        """Ends a broadcast, whoever publishes; once."""
        async with self._registry.lock(on_air.live_stream_id):
            await self.end_locked(on_air, reason)

    async def deleted(self, live_stream_id: str) -> None:
        """The live stream's rows are gone: so go its publisher and, where no video has them, the segments."""
        async with self._registry.lock(live_stream_id):
            on_air = self._registry.get(live_stream_id)
            if on_air is not None:
                await self.end_locked(on_air, "the live stream was deleted")
                if on_air.stated:
                    self.forget(on_air)

    def withdraw(self, broadcast_id: str) -> None:
        """The video of a broadcast is deleted: it is not shown as the stream's last one any more."""
        for on_air in list(self._registry.all()):
            if on_air.broadcast_id == broadcast_id and on_air.stated:
                self.forget(on_air)

    async def end_locked(self, on_air: OnAir, reason: str) -> None:
        """Under the live stream's lock; `on_air.stated` says whether it succeeded, else it is tried again."""
        on_air.due = on_air.due or reason
        try:
            await self._finish(on_air)
        except Exception as error:
            if isinstance(error, NotYet):
                _log.warning(NOT_STATED, broadcast=on_air.broadcast_id, reason=str(error))
            else:
                faults.tell(_log, NOT_STATED, error, broadcast=on_air.broadcast_id)
            if not self._registry.closing:
                loop = asyncio.get_running_loop()
                on_air.rearm(loop.call_later(RETRY_S, lambda: self.soon(on_air, on_air.due or reason)))

    async def _finish(self, on_air: OnAir) -> None:
        """Closes files, then states the end and, in the same transaction, the recording.

        May be called again until it succeeds. Viewers are told only what is stated: a broadcast that is cut off before
        goes on after the restart.
        """
        if on_air.stated:
            return
        reason = on_air.due or ""
        on_air.rearm(None)
        if on_air.state != "ended":
            await self._close(on_air, reason)
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._store.flush())), FLUSH_TIMEOUT_S)
        await self._states.ended(on_air, reason)
        on_air.stated = True
        on_air.stream.end()
        on_air.rearm(asyncio.get_running_loop().call_later(LINGER_S, lambda: self.forget(on_air)))
        _log.info("ended", live_stream=on_air.live_stream_id, broadcast=on_air.broadcast_id, reason=reason)

    async def _close(self, on_air: OnAir, reason: str) -> None:
        publishers, on_air.publisher, on_air.standby = on_air.publishers, None, None
        on_air.state, on_air.over_at = "ended", clock.now()
        for publisher in publishers:
            publisher.connection.close(reason)
        try:
            await self._on_over(on_air)
        except Exception:
            _log.exception("the end is stated without what was still to come", broadcast=on_air.broadcast_id)
        finally:
            on_air.stream.interrupt()
            on_air.packager.close()

    def forget(self, on_air: OnAir) -> None:
        """It is not shown any more."""
        on_air.rearm(None)
        self._registry.drop(on_air)
        if not (on_air.kept and intervals.whole(on_air.intervals)):
            self._on_gone(on_air.broadcast_id)
