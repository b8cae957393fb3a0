"""Watermarks: images checked and coded anew in a child, kept, given to videos, and gone.

    uploaded ── child: whatever it was becomes a PNG ──► <data>/watermarks/<id>.png ── a video wants it ──► its own copy

Deleting one takes it from nobody: a video goes by its copy as long as it is there.
"""

import asyncio
import contextlib

from server import ids, log
from server.catalog import watermarks
from server.catalog.database import Database, Transaction
from server.catalog.models import Video, Watermark
from server.errors import Problem
from server.media.child import Children
from server.storage.watermarks import WatermarkStore
from server.vod import pictures

MOST = 1000  # of a project: what a list shows on ten pages
OUTPUT = "png"

_log = log.get("vod")


class Marks:
    """`await sweep()` once at the start, before anything is uploaded."""

    def __init__(self, database: Database, store: WatermarkStore, children: Children) -> None:
        self._database = database
        self._store = store
        self._children = children

    async def keep(self, project_id: str, picture: bytes) -> Watermark:
        """A new watermark of an uploaded picture. Raises Problem: 400 no picture, 409 too many."""
        made = await pictures.coded(self._children, picture, {"kind": "watermark"}, OUTPUT)
        id = ids.new("watermark_")
        await asyncio.to_thread(self._store.put, id, made.files[OUTPUT])
        try:
            async with self._database.write() as transaction:
                if await watermarks.count(transaction, project_id) >= MOST:
                    raise Problem("conflict", f"A project has {MOST} watermarks at most.")
                row = Watermark(id=id, project_id=project_id, width=made.told["width"], height=made.told["height"],
                                stored_bytes=len(made.files[OUTPUT]))  # fmt: skip
                return await watermarks.add(transaction, row)
        except BaseException:
            self._discard(id)
            raise

    async def remove(self, transaction: Transaction, row: Watermark) -> None:
        await watermarks.remove(transaction, row)
        transaction.after_commit(lambda: self._discard(row.id))

    async def give(self, transaction: Transaction, video: Video, watermark_id: str) -> bool:
        """A copy for a new video; whether its project has the watermark. Where the transaction fails, call
        `take_back`."""
        if await watermarks.get(transaction, video.project_id, watermark_id) is None:
            return False
        try:
            video.watermark_bytes = await asyncio.to_thread(self._store.give, watermark_id, video.id)
        except FileNotFoundError:  # deleted by another process since its row was read
            return False
        return True

    def take_back(self, video_id: str) -> None:
        """The video did not come to be."""
        with contextlib.suppress(OSError):
            self._store.take_back(video_id)

    async def sweep(self) -> None:
        """Files that a crash left without a row."""
        async with self._database.read() as transaction:
            known = await watermarks.all_ids(transaction)
        for id in await asyncio.to_thread(self._store.ids):
            if id not in known:
                self._discard(id)

    def _discard(self, id: str) -> None:
        try:
            self._store.remove(id)
        except OSError as error:
            _log.warning("a watermark's file stays", watermark=id, error=str(error))
