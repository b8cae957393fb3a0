"""What is being watched, kept in memory: loaded once off the event loop, shared by all who watch."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Self, TypeVar

from server import clock
from server.formats.fmp4.index import MovieIndex
from server.media.orders import TIMESCALE
from server.packager import on_demand
from server.packager.on_demand import OnDemandVideo
from server.packager.presentation import VIDEO, Presentation, SegmentPlan, Stored
from server.packager.vod import IndexedVideo
from server.storage.journal import SegmentEntry
from server.storage.layout import Layout
from server.storage.renditions import RenditionStore, entry
from server.vod.plan import Plan

KEPT_S = 48 * 3600.0  # of media, together; the index of an hour is about 4 MiB
LEAST_S = 60.0  # what the shortest counts as
THREADS = 4
INDEXES_KEPT = 16  # of videos that grow

REFRESH_S = 1.0  # how old one that grows may be: a segment takes about as long to be made

Loader = Callable[[Stored], Presentation]
Result = TypeVar("Result")
Identity = tuple[str, int]  # video id, revision


class Presentations:
    """`loaders` make a presentation by its video's source; they run in a thread."""

    def __init__(self, layout: Layout, loaders: Mapping[str, Loader]) -> None:
        self._layout = layout
        self._loaders = loaders
        self._kept: OrderedDict[Identity, Presentation] = OrderedDict()
        self._loaded_at: dict[Identity, float] = {}
        self._kept_s = 0.0
        self._loading: dict[tuple[Identity, bool], asyncio.Future[Presentation]] = {}
        self._threads = ThreadPoolExecutor(THREADS, "vod")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def get(self, stored: Stored, revision: int, source: str) -> Presentation:
        """Raises OSError or ValueError when what is stored can't be presented."""
        identity = (stored.video_id, revision)
        kept = self._kept.get(identity)
        if kept is not None and not self._outgrown(identity, kept, stored):
            self._kept.move_to_end(identity)
            return kept
        wanted = identity, stored.settled  # what began to be loaded before the end does not answer who asks after it
        loading = self._loading.get(wanted)
        if loading is None:
            work = self._load(identity, source, stored)
            loading = self._loading[wanted] = asyncio.ensure_future(work)
            loading.add_done_callback(lambda done: self._loaded(wanted, done))
        return await asyncio.shield(loading)

    def _outgrown(self, identity: Identity, kept: Presentation, stored: Stored) -> bool:
        old = clock.monotonic() - self._loaded_at.get(identity, 0.0) >= REFRESH_S
        return kept.growing and (stored.settled or old)

    def outdated(self, changed: Set[str]) -> None:
        """Those of changed videos that grow are read again when they are next asked for; other ids mean nothing."""
        for identity in self._loaded_at:
            if identity[0] in changed:
                self._loaded_at[identity] = -inf
        for wanted in [wanted for wanted in self._loading if wanted[0][0] in changed]:
            del self._loading[wanted]  # those that wait get what they asked for; who comes now asks anew

    def put(self, video_id: str, revision: int, presentation: Presentation) -> None:
        """One that was made elsewhere: reading the journals of a day takes a second or two."""
        self._keep((video_id, revision), presentation)

    async def segment(self, video_id: str, plan: SegmentPlan) -> bytearray:
        """The bytes of a segment cut from the video's source."""
        return await self.run(_cut, self._layout.video_source(video_id), plan)

    def forget(self, video_id: str) -> None:
        """The video is gone or changed."""
        for identity in [identity for identity in self._kept if identity[0] == video_id]:
            self._kept_s -= _weight_s(self._kept.pop(identity))
            self._loaded_at.pop(identity, None)

    async def run(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Blocking work on the files of a video, in a thread of its own pool."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def _load(self, identity: Identity, source: str, stored: Stored) -> Presentation:
        presentation = await self.run(self._loaders[source], stored)
        self._keep(identity, presentation)
        if presentation.growing and self._loading.get((identity, stored.settled)) is not asyncio.current_task():
            self._loaded_at[identity] = -inf  # it changed while it was read
        return presentation

    def _keep(self, identity: Identity, presentation: Presentation) -> None:
        known = self._kept.get(identity)
        if known is not None and presentation.growing and not known.growing:
            return  # overtaken
        if known is not None:
            self._kept_s -= _weight_s(self._kept.pop(identity))
        self._kept[identity] = presentation
        self._loaded_at[identity] = clock.monotonic()
        self._kept_s += _weight_s(presentation)
        while self._kept_s > KEPT_S and len(self._kept) > 1:
            oldest, known = self._kept.popitem(last=False)
            self._kept_s -= _weight_s(known)
            del self._loaded_at[oldest]

    def _loaded(self, wanted: tuple[Identity, bool], done: asyncio.Future[Presentation]) -> None:
        if self._loading.get(wanted) is done:
            del self._loading[wanted]
        if not done.cancelled():
            done.exception()  # who still waits is told; that nobody does is no fault of its own


def _weight_s(presentation: Presentation) -> float:
    return max(LEAST_S, presentation.duration_s)


def uploaded(layout: Layout, renditions: RenditionStore, segment_s: float) -> Loader:
    """The loader of uploads: by the index that the pipeline left beside the source, the plan, and what is made yet."""
    # what stays what it is while renditions grow
    indexes: OrderedDict[tuple[str, int, bool], IndexedVideo | None] = OrderedDict()

    def passed(stored: Stored) -> IndexedVideo | None:
        identity = stored.video_id, stored.source_revision, stored.altered
        if identity not in indexes:
            path = layout.video_index(stored.video_id)
            if not path.exists():
                return None
            indexes[identity] = _passed(MovieIndex.from_bytes(path.read_bytes()), segment_s, stored.altered)
            if len(indexes) > INDEXES_KEPT:
                indexes.popitem(last=False)
        return indexes[identity]

    def load(stored: Stored) -> Presentation:
        source = stored.video_id, stored.source_revision
        path = layout.video_plan(*source)
        if not path.exists():
            found = passed(stored)
            if found is None or stored.altered:
                raise ValueError("nothing can be watched yet")
            return found if stored.settled else OnDemandVideo(found, {}, 0, False, 0.0)  # the plan is to come
        plan = Plan.of_bytes(path.read_bytes())
        on_request = _on_request(plan)
        made = {
            name: each
            for name in renditions.names(*source)
            if (each := renditions.planned(*source, name, on_request[name]) if name in on_request
                else renditions.read(*source, name))
        }  # fmt: skip
        if stored.altered:
            made.pop(VIDEO, None)
        of_source = passed(stored) if plan.passed else None
        if of_source is not None and not plan.renditions and not made:
            return of_source
        target = plan.target_s or on_demand.target_s(plan.cuts, TIMESCALE)
        ceilings = {rung.name: rung.bitrate for rung in plan.fitted}
        return OnDemandVideo(
            of_source, made, target, stored.settled, plan.duration_s, ceilings, frozenset(on_request)
        )

    return load


def _passed(index: MovieIndex, segment_s: float, altered: bool) -> IndexedVideo | None:
    """What of a source is shown as it is; of an altered one its sound, None where it has none."""
    if altered and index.audio is None:
        return None
    return IndexedVideo(index, segment_s, (VIDEO,) if altered else ())


def _on_request(plan: Plan) -> Mapping[str, list[SegmentEntry]]:
    """Of each rendition that is made when it is asked for, what there will be; sizes as its bit rate has them."""
    if plan.on_request is None or plan.on_request.look is None:
        return {}
    return {
        rung.name: [
            entry(number, start, stop - start, TIMESCALE, rung.bitrate * (stop - start) // (8 * TIMESCALE))
            for number, (start, stop) in enumerate(pairwise(plan.cuts))
        ]
        for rung in plan.fitted
    }


def _cut(source: Path, plan: SegmentPlan) -> bytearray:
    descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return plan.fill(partial(os.preadv, descriptor))
    finally:
        os.close(descriptor)
