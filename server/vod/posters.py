"""Posters: made once of a video, and now and then of a live stream."""

import asyncio
import os
from collections import OrderedDict
from dataclasses import dataclass

from server import clock
from server.catalog import videos
from server.catalog.database import Database
from server.media import calls
from server.media.calls import MediaProblem
from server.media.child import Children
from server.storage.layout import Layout

LIVE_S = 10.0  # a live poster is this fresh
LIVE_KEPT = 256  # posters, some 100 KiB each


@dataclass(slots=True)
class _Live:
    made_at: float
    picture: bytes


class Posters:
    """Pictures are made in child processes."""

    def __init__(self, database: Database, layout: Layout, children: Children) -> None:
        self._database = database
        self._layout = layout
        self._children = children
        self._live: OrderedDict[str, _Live] = OrderedDict()
        self._making: dict[str, asyncio.Task[bytes | None]] = {}

    async def of_upload(self, video_id: str) -> None:
        """Makes the poster of an indexed upload. Raises ChildFailed, OSError."""
        source = os.open(self._layout.video_source(video_id), os.O_RDONLY | os.O_CLOEXEC)
        try:
            index = os.open(self._layout.video_index(video_id), os.O_RDONLY | os.O_CLOEXEC)
            try:
                picture = await calls.poster(self._children, source, index)
            finally:
                os.close(index)
        finally:
            os.close(source)
        await self._keep(video_id, picture)

    async def of_recording(self, video_id: str, init: bytes, segment: bytes) -> None:
        """Makes the poster of a video from a segment of it. Raises ChildFailed, OSError."""
        await self._keep(video_id, await calls.segment_poster(self._children, init, segment))

    async def live(self, broadcast_id: str, init: bytes, segment: bytes) -> bytes | None:
        """A recent picture of a broadcast; one child at a time, whoever asks. Raises ChildFailed."""
        kept = self._live.get(broadcast_id)
        if kept and clock.monotonic() - kept.made_at < LIVE_S:
            return kept.picture
        making = self._making.get(broadcast_id)
        if making is None:
            making = self._making[broadcast_id] = asyncio.ensure_future(self._make_live(broadcast_id, init, segment))
            making.add_done_callback(lambda _: self._making.pop(broadcast_id, None))
        return await asyncio.shield(making)

    async def _make_live(self, broadcast_id: str, init: bytes, segment: bytes) -> bytes | None:
        picture = await calls.segment_poster(self._children, init, segment)
        if isinstance(picture, MediaProblem):
            return None
        self._live[broadcast_id] = _Live(clock.monotonic(), picture)
        self._live.move_to_end(broadcast_id)
        if len(self._live) > LIVE_KEPT:
            self._live.popitem(last=False)
        return picture

    async def _keep(self, video_id: str, picture: bytes | MediaProblem) -> None:
        if isinstance(picture, MediaProblem):
            return  # sound alone, or nothing that can be shown: a video without a poster is a video all the same
        await asyncio.to_thread(_store, self._layout, video_id, picture)
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is not None:
                video.poster_at = clock.now()


def _store(layout: Layout, video_id: str, picture: bytes) -> None:
    path = layout.video_poster(video_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_bytes(picture)
    temporary.replace(path)
