"""Broadcasts of sandbox projects: they end after a while, whoever publishes."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from server import clock, log
from server.catalog import sandboxes
from server.catalog.database import Database
from server.errors import Problem
from server.ingest.broadcasts import Broadcasts

OVER = "a broadcast of a sandbox lasts no longer"

_log = log.get("live")


class Trials:
    """Call `round` now and then."""

    def __init__(self, database: Database, broadcasts: Broadcasts, longest_s: float) -> None:
        self._database = database
        self._broadcasts = broadcasts
        self._longest = timedelta(seconds=longest_s)

    async def round(self) -> int:
        """Ends what has lasted too long; how many. Asks nobody while nothing is on air."""
        if not any(on_air.state != "ended" for on_air in self._broadcasts.all()):
            return 0
        return await self._end(await self._outlasting(clock.now() - self._longest))

    async def _outlasting(self, before: datetime) -> list[str]:
        async with self._database.read() as transaction:
            return await sandboxes.outlasting(transaction, before)

    async def _end(self, live_stream_ids: Iterable[str]) -> int:
        ended = 0
        for live_stream_id in live_stream_ids:
            try:
                ended += await self._broadcasts.complete(live_stream_id, OVER)
            except Problem as problem:  # it ends as soon as that can be written
                _log.warning("a broadcast of a sandbox goes on", live_stream=live_stream_id, reason=str(problem))
        return ended
