"""Posters: made once of a video, and now and then of a live stream."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from server import clock, log
from server.catalog import videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Video
from server.media import calls
from server.media.child import ChildFailed, Children
from server.media.fitting import Box
from server.media.problems import MediaProblem
from server.storage.layout import Layout
from server.vod import whereabouts
from server.vod.orders import candidate_times, thumbnail

BOX = Box(1280, 1280)  # it fills a player; larger ones cost more than the first segment
TRIES = 3  # of a poster whose moment is chosen anew while it is made
LIVE_S = 10.0  # a live poster is this fresh
LIVE_AT_ONCE = 2  # children for live posters; while they work, who has a picture shows that
LIVE_KEPT = 256  # posters, some 100 KiB each

_log = log.get("vod")


@dataclass(frozen=True, slots=True)
class _Live:
    made_at: float
    picture: bytes | None  # None: it could not be made, and not be tried again at once


class Posters:
    """Pictures are made in child processes."""

    def __init__(self, database: Database, layout: Layout, children: Children) -> None:
        self._database = database
        self._layout = layout
        self._children = children
        self._live: OrderedDict[str, _Live] = OrderedDict()
        self._making: dict[str, asyncio.Task[bytes | None]] = {}
        self._turn = asyncio.Semaphore(LIVE_AT_ONCE)

    async def of_upload(self, video_id: str) -> None:
        """Makes the poster of an upload, unless it has one. Raises ChildFailed, OSError."""
        for number in range(TRIES):
            async with self._database.read() as transaction:
                video = await videos.find(transaction, video_id)
            if video is None or (video.poster_at is not None and number == 0):
                return
            with ExitStack() as stack:
                picture = await self._of_upload(stack, video)
            if await self._keep(video_id, picture) in (None, video.poster_s):
                return

    async def _of_upload(self, stack: ExitStack, video: Video) -> bytes | MediaProblem:
        """At the chosen moment, else of the first good key frame; of sound alone how loud it is."""
        where, fds = whereabouts.opened(stack, self._layout, video.id, video.source_revision, video.altered)
        duration_s, at_s = video.duration_s or 0.0, video.poster_s
        picture: bytes | MediaProblem
        if at_s is not None:
            picture = await self._image(where, fds, thumbnail("jpg", min(at_s, duration_s), BOX, exact=True).make)
        elif "index" in where and not video.altered:
            picture = await calls.poster(self._children, where["source"], where["index"])
        else:
            picture = await self._image(where, fds, {"kind": "poster", "times": candidate_times(duration_s)})
        if isinstance(picture, MediaProblem):
            picture = await self._image({"kind": "file", "source": where["source"]}, fds[:1], {"kind": "waveform"})
        return picture

    async def _image(
        self, where: Mapping[str, Any], fds: Sequence[int], make: Mapping[str, Any]
    ) -> bytes | MediaProblem:
        made = await calls.images(self._children, where, fds, make, ["jpg"])
        return made if isinstance(made, MediaProblem) else made.files["jpg"]

    async def of_picture(self, picture: bytes) -> bytes | MediaProblem:
        """An uploaded picture as a poster. Raises ChildFailed."""
        with calls.memory_file("picture", picture) as fd:
            return await self._image({"kind": "picture", "source": fd}, [fd], thumbnail("jpg", 0.0, BOX).make)

    async def choose(self, transaction: Transaction, video: Video, picture: bytes | None, at_s: float | None) -> None:
        """Keeps the poster that its owner chose; the moment alone where there is no picture of it yet."""
        video.poster_s = at_s
        if picture is not None:
            video.poster_given = True
            await asyncio.to_thread(_store, self._layout, video.id, picture)
            video.poster_at, video.poster_bytes = clock.now(), len(picture)
        payload = {**videos.links(video), "changed": ["thumbnail"]}
        await videos.tell(transaction, video, "updated", payload)

    async def of_recording(self, video_id: str, init: bytes, segment: bytes) -> None:
        """Makes the poster of a video from a segment of it. Raises ChildFailed, OSError."""
        await self._keep(video_id, await calls.segment_poster(self._children, init, segment))

    async def live(self, broadcast_id: str, init: bytes, read: Callable[[], Awaitable[bytes]]) -> bytes | None:
        """A recent picture of a broadcast, None if none can be made; one child every LIVE_S, whoever asks.

        Where the children are busy it is an older one, or the request waits for its turn. `read` gives the newest
        key frame's part or segment; it may raise OSError.
        """
        kept = self._live.get(broadcast_id)
        if kept and (clock.monotonic() - kept.made_at < LIVE_S or (kept.picture and self._busy)):
            return kept.picture
        making = self._making.get(broadcast_id)
        if making is None:
            making = self._making[broadcast_id] = asyncio.ensure_future(self._make_live(broadcast_id, init, read))
            making.add_done_callback(lambda _: self._making.pop(broadcast_id, None))
        return await asyncio.shield(making)

    @property
    def _busy(self) -> bool:
        return len(self._making) >= LIVE_AT_ONCE or self._children.waiting > 0

    async def _make_live(
        self, broadcast_id: str, init: bytes, read: Callable[[], Awaitable[bytes]]
    ) -> bytes | None:
        try:
            async with self._turn:
                made = await calls.segment_poster(self._children, init, await read())
        except (ChildFailed, OSError) as error:
            _log.warning("no live poster", broadcast=broadcast_id, error=str(error))
            made = None
        picture = made if isinstance(made, bytes) else None
        self._live[broadcast_id] = _Live(clock.monotonic(), picture)
        self._live.move_to_end(broadcast_id)
        if len(self._live) > LIVE_KEPT:
            self._live.popitem(last=False)
        return picture

    async def _keep(self, video_id: str, picture: bytes | MediaProblem) -> float | None:
        """The moment whose picture its owner wants by now; None: any. What he gave meanwhile stays."""
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None or video.poster_given:  # a deleted one's folder must not come back
                return None
            if isinstance(picture, MediaProblem):
                return video.poster_s  # else sound alone, or nothing that can be shown: it is a video without a poster
            await asyncio.to_thread(_store, self._layout, video_id, picture)
            video.poster_at, video.poster_bytes = clock.now(), len(picture)
            shown = await videos.shown_as(transaction, video)
            if shown is not None and not shown.poster_given:
                shown.poster_at = video.poster_at
            return video.poster_s


def _store(layout: Layout, video_id: str, picture: bytes) -> None:
    path = layout.video_poster(video_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_bytes(picture)
    temporary.replace(path)
