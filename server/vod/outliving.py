"""What another version has taken the place of: kept for those who watch it, then deleted.

A restart forgets nothing: what is kept, and since when, is in the video's row until the last byte is gone.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

from server import clock, log
from server.catalog import renditions, versions, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Video
from server.storage.layout import Layout
from server.vod.rounds import rounds

EVERY_S = 60.0  # how late it may go
AT_ONCE = 20  # videos of a round

_log = log.get("vod")


class Outliving:
    """`delete` takes a version's row away, and orders that of its bytes; `on_gone` is told of material that is not to
    be watched any more."""

    def __init__(
        self,
        database: Database,
        layout: Layout,
        kept_s: float,
        delete: Callable[[Transaction, Video], Awaitable[None]],
        on_gone: Callable[[str], None],
    ) -> None:
        self._database = database
        self._layout = layout
        self._kept = timedelta(seconds=kept_s)
        self._delete = delete
        self._on_gone = on_gone

    def running(self) -> AbstractAsyncContextManager[None]:
        """Deletes what is due, while the block lasts."""
        return rounds(self.round, EVERY_S, _log, "a round of deletions failed", AT_ONCE)

    async def round(self) -> int:
        """Deletes what has been kept long enough; of how many videos."""
        before = clock.now() - self._kept
        async with self._database.read() as transaction:
            due = await versions.outlived(transaction, before, AT_ONCE)
        for video in due:
            for material in video.previous or ():
                if material["since"] <= before.timestamp():
                    await self._let_go(video.id, material)
        return len(due)

    async def _let_go(self, video_id: str, material: Mapping[str, Any]) -> None:
        """First the bytes, then the word of them: what a crash leaves is done again."""
        async with self._database.read() as transaction:
            video = await videos.find(transaction, video_id)
        if video is None:
            return  # deleted with all of its versions
        owner = material["material"]
        archived = video.material == owner and video.archived_at is not None
        whole = (video.trim or {}).get("of") == owner or archived
        if (owner == video_id or whole) and (archived or video.material != owner):
            self._on_gone(owner)
            await asyncio.to_thread(self._erase, owner, whole)
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None:
                return
            versions.forget(video, material)
            if owner == video_id and not whole and video.broadcast_id is None:
                video.own_bytes = None  # of a recording they stay with the video
            await self._forget(transaction, video, owner)
        _log.info("what was shown before is deleted", video=video_id, revision=material["revision"])

    async def _forget(self, transaction: Transaction, video: Video, owner: str) -> None:
        """The rows of what nothing needs any more."""
        held = {video.material, (video.trim or {}).get("of"), *(each["material"] for each in video.previous or ())}
        version = await videos.find(transaction, owner)
        if version is None or (video.material == owner and video.archived_at is None):
            return
        for revision in range(1, version.source_revision + 1):
            await renditions.remove(transaction, owner, revision)
        if version.version_of == video.id and owner not in held:
            await self._delete(transaction, version)

    def _erase(self, owner: str, but_source: bool) -> None:
        """Renditions and index, and the file they are made of; captions and posters stay."""
        for folder in self._layout.video_revisions(owner):
            shutil.rmtree(folder)
        paths = [self._layout.video_index(owner), *([] if but_source else [self._layout.video_source(owner)])]
        for path in paths:
            path.unlink(missing_ok=True)

