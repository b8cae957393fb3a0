"""What a child says that it wrote of renditions, brought to their journals in its order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import NamedTuple

from server.media.orders import Described, Segment
from server.storage.appender import uncancelled
from server.storage.journal import TrackEntry
from server.storage.renditions import RenditionStore, Run, entry

AT_ONCE = 64  # segments that wait for the disk together: it may be slower than sound is encoded
QUEUE = 4096  # segments that wait for the disk: a day of video in one job has fewer on the way

Label = tuple[str, str]  # language and title
OnSegment = Callable[[str, int], Awaitable[None]]  # rendition and number, once the segment is on disk


class Ways(NamedTuple):
    """For a child: a descriptor for each rendition, and whom to tell."""

    outputs: Mapping[str, int]
    described: Callable[[Described], None]
    made: Callable[[Segment], None]


class Writing:
    """Of a video at one revision of its source; `labels` by rendition, where there is something to say."""

    def __init__(
        self,
        renditions: RenditionStore,
        video_id: str,
        revision: int,
        on_segment: OnSegment,
        labels: Mapping[str, Label] | None = None,
    ) -> None:
        self._renditions = renditions
        self._video_id = video_id
        self._revision = revision
        self._on_segment = on_segment
        self._labels = labels or {}
        self._timescales: dict[str, int] = {}
        self._runs: dict[str, Run] = {}

    @asynccontextmanager
    async def open(self, missing: Mapping[str, int]) -> AsyncIterator[Ways]:
        """New runs from the first `missing` segment of each rendition on. When the block ends well all that was said
        is on disk; it is cut off where the disk takes no more. Raises RunBusyError, DifferentError, NoRoomError,
        OSError."""
        block = asyncio.current_task()
        assert block is not None

        def cut_off(writer: asyncio.Task[None]) -> None:
            if not writer.cancelled() and writer.exception() is not None:
                block.cancel()

        said: asyncio.Queue[Described | Segment | None] = asyncio.Queue(QUEUE)
        with ExitStack() as stack:
            self._runs = {
                name: stack.enter_context(self._renditions.begin(self._video_id, self._revision, name, first))
                for name, first in missing.items()
            }
            writer = asyncio.create_task(self._write(said))
            writer.add_done_callback(cut_off)
            outputs = {name: run.descriptor for name, run in self._runs.items()}
            try:
                yield Ways(outputs, said.put_nowait, said.put_nowait)
                said.put_nowait(None)
                await writer
            except asyncio.CancelledError:
                fault = writer.exception() if writer.done() and not writer.cancelled() else None
                if fault is None:
                    raise
                block.uncancel()
                raise fault from None
            finally:
                writer.remove_done_callback(cut_off)
                writer.cancel()
                await asyncio.wait([writer])

    async def _write(self, said: "asyncio.Queue[Described | Segment | None]") -> None:
        ended = False
        while not ended:
            waits = [await said.get()]
            while not said.empty() and len(waits) < AT_ONCE:
                waits.append(said.get_nowait())
            whole: dict[str, list[Segment]] = {}
            for news in waits:
                if isinstance(news, Described):
                    self._timescales[news.rendition] = news.timescale
                    await uncancelled(asyncio.to_thread(self._describe, news))
                elif news is not None:
                    whole.setdefault(news.rendition, []).append(news)
            for name, segments in whole.items():
                await self._add(name, segments)
            ended = waits[-1] is None

    async def _add(self, name: str, segments: Sequence[Segment]) -> None:
        timescale = self._timescales[name]
        entries = [entry(each.number, each.start, each.duration, timescale, each.size) for each in segments]
        await uncancelled(asyncio.to_thread(self._runs[name].add, *entries))
        for each in segments:
            await self._on_segment(name, each.number)

    def _describe(self, news: Described) -> None:
        label = self._labels.get(news.rendition, ("", ""))
        describe(self._renditions, self._video_id, self._revision, news, label)


def describe(
    renditions: RenditionStore, video_id: str, revision: int, news: Described, label: Label = ("", "")
) -> None:
    """Keeps what a child said of a rendition. Raises DifferentError."""
    language, title = label
    track = TrackEntry(
        0, "audio" if news.channels else "video", news.codec, news.timescale, 0, 0, news.width, news.height,
        news.frame_rate, news.channels, language, title,
    )  # fmt: skip
    renditions.describe(video_id, revision, news.rendition, news.init, track)
