"""Children that encode segments on request, kept for a while in case the next one is asked for too."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from server.media.child import ChildFailed, Children
from server.media.orders import Reading
from server.media.warm_encoder import MODULE, WarmEncoder
from server.storage.layout import Layout

# After so long nobody watches on: a child holds a decoder's pictures, some 100 MiB of 1080p. Players with a full buffer
# ask every segment's length.
IDLE_S = 10.0


Start = Callable[[Children, int, int | None, Reading, int | None], WarmEncoder]


class SourceKey(NamedTuple):
    video_id: str
    revision: int


class WarmEncoders:
    """At most `places` children, working or idle; whoever asks for more than that many at once is at fault."""

    def __init__(
        self, layout: Layout, children: Children, places: int, idle_s: float = IDLE_S, start: Start = WarmEncoder
    ) -> None:
        self.places = places
        self._layout = layout
        self._children = children
        self._idle_s = idle_s
        self._start = start
        self._idle: list[tuple[SourceKey, WarmEncoder, asyncio.TimerHandle]] = []  # longest idle first
        self._lent: list[tuple[SourceKey, WarmEncoder]] = []
        self._closed = False
        self.started = 0

    @property
    def alive(self) -> int:
        return len(self._lent) + len(self._idle)

    @asynccontextmanager
    async def lent(
        self, key: SourceKey, reading: Reading, position: int, marked: bool = False
    ) -> AsyncIterator[WarmEncoder]:
        """One that is at `position` if there is one, or any of this source, or a fresh one, which has the video's
        watermark where it is `marked`. Raises OSError, and ChildFailed after `close`."""
        encoder = self._taken(key, position) or await self._fresh(key, reading, marked)
        if self._closed:
            encoder.kill()
            raise ChildFailed("crashed", "no more are started")
        self._lent.append((key, encoder))
        try:
            yield encoder
        except BaseException:  # what it writes to is not to be written by it any more
            encoder.kill()
            await encoder.ended()
            raise
        finally:
            self._lent.remove((key, encoder))
            self._put_back(key, encoder)

    def forget(self, video_id: str) -> None:
        """Ends the children of a video, whatever they are at."""
        for key, encoder, _ in list(self._idle):
            if key.video_id == video_id:
                self._end(encoder)
        for key, encoder in self._lent:
            if key.video_id == video_id:
                encoder.kill()

    def prepare(self) -> None:
        """Has children started in advance, for sources that nobody has asked for yet."""
        self._children.prepare(MODULE)

    async def close(self) -> None:
        """Ends them all; who has one is told by its ChildFailed."""
        self._closed = True
        idle = [encoder for _, encoder, _ in self._idle]
        for encoder in idle:
            self._end(encoder)
        for _, encoder in self._lent:
            encoder.kill()
        for encoder in idle:
            await encoder.ended()

    def _taken(self, key: SourceKey, position: int) -> WarmEncoder | None:
        mine = [each for each in self._idle if each[0] == key and each[1].usable]
        if not mine:
            return None
        best = min(mine, key=lambda each: each[1].position != position)
        best[2].cancel()
        self._idle.remove(best)
        return best[1]

    async def _fresh(self, key: SourceKey, reading: Reading, marked: bool) -> WarmEncoder:
        while self._idle and self.alive >= self.places:
            self._end(self._idle[0][1])
        source, index, mark = await asyncio.to_thread(self._opened, key.video_id, reading.indexed, marked)
        self.started += 1
        return self._start(self._children, source, index, reading, mark)

    def _opened(self, video_id: str, indexed: bool, marked: bool) -> tuple[int, int | None, int | None]:
        with ExitStack() as stack:

            def opened(path: Path) -> int:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                stack.callback(os.close, descriptor)
                return descriptor

            source = opened(self._layout.video_source(video_id))
            index = opened(self._layout.video_index(video_id)) if indexed else None
            mark = opened(self._layout.video_watermark(video_id)) if marked else None
            stack.pop_all()  # from here on they are the child's
            return source, index, mark

    def _put_back(self, key: SourceKey, encoder: WarmEncoder) -> None:
        if self._closed or not encoder.usable:
            encoder.end()
            return
        timer = asyncio.get_running_loop().call_later(self._idle_s, self._end, encoder)
        self._idle.append((key, encoder, timer))

    def _end(self, encoder: WarmEncoder) -> None:
        for each in [each for each in self._idle if each[1] is encoder]:
            each[2].cancel()
            self._idle.remove(each)
        encoder.end()
