"""How many bytes the renditions take that are made of videos: told by the jobs that make them; of the others, which
are copied or came to nothing, counted when they have ended. Gone with their rows."""

import asyncio
from contextlib import AbstractAsyncContextManager

from server import log
from server.catalog import renditions
from server.catalog.database import Database
from server.catalog.models import Rendition
from server.storage.renditions import RenditionStore
from server.vod.making import MADE_ON_REQUEST
from server.vod.rounds import rounds

EVERY_S = 60.0
AT_ONCE = 100  # renditions of a round: a few journals to read of each

_log = log.get("vod")


class Weighing:
    """Also of what older releases made, while `running()` lasts."""

    def __init__(self, database: Database, store: RenditionStore) -> None:
        self._database = database
        self._store = store

    def running(self) -> AbstractAsyncContextManager[None]:
        return rounds(self.round, EVERY_S, _log, "renditions could not be weighed", AT_ONCE)

    async def round(self) -> int:
        """How many were counted, AT_ONCE at most."""
        async with self._database.read() as transaction:
            rows = await renditions.unweighed(transaction, AT_ONCE)
        if not rows:
            return 0
        sizes = await asyncio.to_thread(self._sizes, rows)
        async with self._database.write() as transaction:
            for row, size in zip(rows, sizes, strict=True):
                await renditions.weighed(transaction, row, size)
        return len(rows)

    def _sizes(self, rows: list[Rendition]) -> list[int]:
        """Blocks. What is made on request lies in a cache of all projects."""
        return [
            0 if row.origin == MADE_ON_REQUEST else self._store.size(row.video_id, row.revision, [row.name])
            for row in rows
        ]
