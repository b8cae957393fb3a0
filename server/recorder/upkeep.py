"""Which bytes of broadcasts are still wanted: those that some video shows. What nobody shows is deleted."""

import asyncio
import shutil
from collections.abc import Iterable, Sequence

from server import log
from server.catalog import broadcasts
from server.catalog.database import Database
from server.packager.presentation import Span
from server.storage.layout import Layout
from server.storage.segments import SegmentStore

_log = log.get("recorder")

Spans = Sequence[tuple[int, int] | None]  # first and last segment of each video; None: all of them


class Upkeep:
    """Deletes what no video needs, of broadcasts that are over."""

    def __init__(self, database: Database, store: SegmentStore) -> None:
        self._database = database
        self._store = store
        self.lock = asyncio.Lock()  # held while something is deleted, or a video comes to need it

    def spare(self, broadcast_id: str, span: Span) -> None:
        """The segments are about to be shown by a video."""
        self._store.spare(broadcast_id, *span)

    async def restore(self) -> None:
        """After a restart: clips of what is on air keep their segments."""
        async with self._database.read() as transaction:
            for row in await broadcasts.on_air(transaction):
                for span in await broadcasts.spans(transaction, row.id):
                    if span is not None:
                        self._store.spare(row.id, *span)

    async def release(self, broadcast_id: str) -> None:
        """A broadcast is over, or a video of it is gone. One that is on air is left to its window."""
        async with self.lock:
            # not only read: this comes after a clip that is made, but whose transaction is not committed yet
            async with self._database.write() as transaction:
                row = await broadcasts.get(transaction, broadcast_id)
                if row is not None and row.state in broadcasts.ON_AIR:
                    return
                spans = await broadcasts.spans(transaction, broadcast_id)
            self._store.over(broadcast_id)
            await asyncio.to_thread(_delete, self._store.layout, broadcast_id, spans)


def _delete(layout: Layout, broadcast_id: str, spans: Spans) -> None:
    if not spans:
        shutil.rmtree(layout.broadcast(broadcast_id), ignore_errors=True)
        return
    for name in layout.renditions(broadcast_id):
        folder = layout.rendition(broadcast_id, name)
        for msn in unwanted(folder.numbers(), spans):
            folder.segment(msn).unlink(missing_ok=True)


def unwanted(numbers: Iterable[int], spans: Spans) -> list[int]:
    """The segments that no span holds."""
    if None in spans:
        return []
    held = [span for span in spans if span is not None]
    return [msn for msn in numbers if not any(first <= msn <= last for first, last in held)]
