"""The durable job from an uploaded file to a video: probe and index in a child, playable, planned, poster.

    pre-processing ── indexed ──► processing (playable) ── planned ──► jobs of `encoding` ──► done
          └───────── unsupported, invalid, a child that failed ─────► error
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from server import log
from server.catalog import renditions, upload_sessions, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Job, Video
from server.catalog.sandboxes import MARK_ID
from server.catalog.upload_models import UploadSession
from server.formats.fmp4.index import MovieIndex
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed
from server.media.calls import Examination
from server.media.child import ChildFailed, Children
from server.media.containers import BY_NAME
from server.media.continuity import is_broken
from server.media.encoding import soon
from server.media.facts import SourceFacts
from server.media.orders import TIMESCALE
from server.media.packaging import copies_of
from server.media.problems import MediaProblem, Unreadable
from server.packager.presentation import VIDEO
from server.packager.vod import IndexedVideo
from server.storage import early
from server.storage.layout import Layout
from server.storage.renditions import Made, RenditionStore
from server.storage.room import Room
from server.storage.watermarks import WatermarkStore
from server.vod import copying, making, passthrough, plan, plans, sandbox, terms, waiting
from server.vod.alterations import Alteration
from server.vod.copying import Copying
from server.vod.examining import Examining
from server.vod.making import GAVE_UP, UNFINISHED
from server.vod.ordering import Ordering
from server.vod.posters import Posters

JOB = "vod"
JOINED_S = 2.0  # that more comes of a file than it tells

_log = log.get("vod")


class Pipeline:
    """Register `run` as the job, and `failed` for one that failed for good."""

    def __init__(
        self,
        database: Database,
        layout: Layout,
        children: Children,
        posters: Posters,
        ordering: Ordering,
        probe_timeout_s: float,
        room: Room | None = None,
    ) -> None:
        """`room` is kept to by what is copied."""
        self._database = database
        self._watermarks = WatermarkStore(layout)
        self._copying = Copying(children, RenditionStore(layout, room))
        self._ordering = ordering
        self._wanted = ordering.wanted
        self._layout = layout
        self._children = children
        self._examining = Examining(children, layout, probe_timeout_s)
        self._posters = posters

    async def run(self, job: JobContext) -> None:
        """Steps that were finished before a crash are not done again."""
        video_id = job.object_id
        if await waiting.step(job, "examine", lambda: self._examine(video_id)):
            await job.step("poster", lambda: self._poster(video_id))

    async def failed(self, transaction: Transaction, job: Job, failure: JobFailed) -> None:
        """The job gave up."""
        _log.error("processing failed", video=job.object_id, error=failure.text)
        video = await videos.find(transaction, job.object_id)
        if video is not None and video.state in UNFINISHED:
            await making.fail(transaction, video, GAVE_UP)

    async def _examine(self, video_id: str) -> bool:
        """Whether the video is, or will be, one to be watched."""
        state = await self._state(video_id)
        if state not in UNFINISHED:
            return state == "done"  # ended before a crash; or deleted meanwhile
        if self._wanted.lines:
            soon(self._children)  # what is found will have a smallest rendition
        try:
            found = await self._found_early(video_id) or await self._examined(video_id)
            if found.problem is None and found.facts is not None:
                await self._go_on(video_id, found.facts, found.indexed)
        except Unreadable as error:
            found = replace(found, problem=MediaProblem(error.code, error.detail))
        except FileNotFoundError:
            if await self._state(video_id) is None:
                return False  # deleted with its files
            raise
        if found.problem is not None:
            await self._refuse(video_id, found.problem, found.facts)
        await asyncio.to_thread(early.drop, self._layout, video_id)
        return found.problem is None

    async def _found_early(self, video_id: str) -> Examination | None:
        """What was found out, and made, while the file came; None where the whole of it has to be looked at."""
        async with self._database.read() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None or await renditions.of_video(transaction, video_id, video.source_revision):
                return None  # deleted; or planned before a crash
        revision = video.source_revision
        without = {VIDEO} if video.altered else set[str]()
        found = await asyncio.to_thread(early.take, self._layout, video_id, video.upload_id, revision, without)
        if found is None:
            return None
        facts = SourceFacts.of_event(dict(found.facts))
        if found.indexed:
            await self._publish(video_id, self._layout.video_early(video_id).index)
        elif found.open is not None:
            copied = await self._copy(video_id, revision, facts, video.altered)
            if found.open == "end" or copied.keys() != {copy.name for copy in copies_of(facts)}:
                return None
            facts = _with_length(facts, copying.length_s(copied), found.size)
        return None if found.indexed and found.open else Examination(found.indexed, facts, None)

    async def _copy(
        self, video_id: str, revision: int, facts: SourceFacts, altered: bool
    ) -> Mapping[str, Made]:
        """What can be copied of the source, to be watched from its first segments on; `altered` pictures can't."""
        await asyncio.to_thread(plans.keep, self._layout, video_id, revision, plan.while_copied(facts))
        wanted = replace(facts, picture=None) if altered else facts
        order = copying.Order(video_id, revision, self._layout.video_source(video_id), wanted)
        return await self._copying.copy(order, lambda: self._copied(video_id, facts))

    async def _copy_beside(
        self, video_id: str, revision: int, facts: SourceFacts, passed: IndexedVideo
    ) -> Mapping[str, Made]:
        """Further tracks of sound, which the index of a file does not serve; their segments keep to its playlists."""
        if len(facts.sounds) <= 1:
            return {}
        source, wanted = self._layout.video_source(video_id), replace(facts, picture=None)
        but, target_s = tuple(passed.renditions), float(passed.target_s)
        return await self._copying.copy(
            copying.Order(video_id, revision, source, wanted, but=but, target_s=target_s), _nobody_waits
        )

    async def _examined(self, video_id: str) -> Examination:
        """The video is playable as soon as its index is whole."""
        return await self._examining.tried(video_id, lambda index: self._publish(video_id, index))

    async def _state(self, video_id: str) -> str | None:
        async with self._database.read() as transaction:
            video = await videos.find(transaction, video_id)
        return video.state if video else None

    async def _publish(self, video_id: str, index: Path) -> None:
        """The index is whole: the video can be watched from now on, unless it is not to be seen as it is."""
        with suppress(FileNotFoundError):  # it was done before a crash
            os.replace(index, self._layout.video_index(video_id))
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None or video.state not in UNFINISHED or video.altered:
                return
            if not terms.limited(await upload_sessions.of_video(transaction, video)):
                await making.publish(transaction, video)

    async def _go_on(self, video_id: str, facts: SourceFacts, indexed: bool) -> None:
        """Copies what can be shown as it is, plans what is made beside it, and orders that; after a crash, the rest."""
        begun = await self._begin(video_id, facts)
        if begun is None:
            return
        revision, altered = begun.source_revision, Alteration.of_video(begun)
        session = await self._admit(begun, facts, indexed)
        marked = (begun.watermark or {}).get("id") == MARK_ID  # by a sandbox
        if marked:
            self._check_length(facts)
            await self._weigh_mark(video_id, self._watermarks.keep, video_id, sandbox.picture())
        elif begun.version_of is not None and begun.watermark is not None:
            await self._share_watermark(begun.version_of, video_id)
        altered.check(facts.picture)
        copied: Mapping[str, Made] = {}
        times: Sequence[int] = ()
        if indexed:
            passed = await asyncio.to_thread(self._indexed, video_id)
            copied = await self._copy_beside(video_id, revision, facts, passed)
            shown = passthrough.shown_by_index(passed, begun.altered, copied)
            rows = (*(name for name in passed.renditions if name in shown.kinds), *copied)
            times = passed.picture_times(TIMESCALE)
        else:
            copied = await self._copy(video_id, revision, facts, begun.altered)
            shown, rows = passthrough.shown_by_copies(facts, copied), tuple(copied)
            facts = _joined(facts, copying.length_s(copied))
            terms.check(session, facts)  # some files tell their length only when they were read
            if marked:
                self._check_length(facts)
        made = self._ordering.planned(video_id, facts, shown, altered, times)
        if copied and not indexed:
            made = replace(made, target_s=plan.COPIED_TARGET_S)
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None or video.state not in UNFINISHED:
                return  # deleted meanwhile
            video.duration_s = facts.duration_s
            await asyncio.to_thread(plans.keep, self._layout, video_id, revision, made)
            await making.list_planned(transaction, video, made, passthrough.rows(video, facts, rows))
            await self._ordering.order(transaction, video, made, facts)
            await making.settle(transaction, video)

    async def _admit(self, video: Video, facts: SourceFacts, indexed: bool) -> UploadSession | None:
        """The upload session that let the file in. One that keeps to its terms can be watched from now on. Raises
        Unreadable."""
        async with self._database.read() as transaction:
            session = await upload_sessions.of_video(transaction, video)
        terms.check(session, facts)
        if terms.limited(session) and indexed and not video.altered:
            async with self._database.write() as transaction:
                fresh = await videos.find(transaction, video.id)
                if fresh is not None and fresh.state in UNFINISHED:
                    await making.publish(transaction, fresh)
        return session

    def _check_length(self, facts: SourceFacts) -> None:
        """Raises Unreadable for what is too long in a sandbox."""
        if (facts.duration_s or 0) > self._wanted.sandbox_s:
            raise Unreadable("sandbox", f"It has {facts.duration_s:.0f} seconds, {self._wanted.sandbox_s:g} are taken.")

    async def _share_watermark(self, video_id: str, version_id: str) -> None:
        """What the video is shown with, unless the version was given one of its own."""
        if await asyncio.to_thread(self._layout.video_watermark(version_id).exists):
            return
        async with self._database.read() as transaction:
            video = await videos.find(transaction, video_id)
        if video is not None:
            await self._weigh_mark(version_id, self._watermarks.share, video.material, version_id)

    async def _weigh_mark(self, video_id: str, put: Callable[..., int], *what: Any) -> None:
        """Puts a video's own copy of its watermark in place, and says so."""
        size = await asyncio.to_thread(put, *what)
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is not None:
                video.watermark_bytes = size

    async def _begin(self, video_id: str, facts: SourceFacts) -> Video | None:
        """What to go on with; None where that was done before a crash, or nobody wants it."""
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None or video.state not in UNFINISHED:
                return None
            video.duration_s, video.media = facts.duration_s, facts.media()
            if video.state == "pre-processing":
                await videos.move(transaction, video, "processing")
            if await renditions.of_video(transaction, video.id, video.source_revision):
                return None
            return video

    async def _copied(self, video_id: str, facts: SourceFacts) -> None:
        """All that is copied can be watched from now on; what has to be encoded before is waited for."""
        whole = (facts.picture is None or facts.picture.unpassable is None) and (
            not facts.sounds or any((sound.rfc6381 or "").startswith(passthrough.EVERYWHERE) for sound in facts.sounds)
        )
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None or video.state not in UNFINISHED or (video.altered and facts.picture):
                return
            if whole and not terms.limited(await upload_sessions.of_video(transaction, video)):
                await making.publish(transaction, video)

    def _indexed(self, video_id: str) -> IndexedVideo:
        index = MovieIndex.from_bytes(self._layout.video_index(video_id).read_bytes())
        return IndexedVideo(index, self._wanted.segment_s)

    async def _refuse(self, video_id: str, problem: MediaProblem, facts: SourceFacts | None) -> None:
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None or video.state not in UNFINISHED:
                return  # deleted meanwhile, or ended before a crash
            if facts:
                video.duration_s, video.media = facts.duration_s, facts.media()
            await making.fail(transaction, video, problem)

    async def _poster(self, video_id: str) -> None:
        """A video without a poster is a video all the same."""
        try:
            await self._posters.of_upload(video_id)
        except (ChildFailed, OSError, ValueError) as error:
            _log.warning("no poster", video=video_id, error=str(error))


async def _nobody_waits() -> None:
    return None


def _joined(facts: SourceFacts, length_s: float) -> SourceFacts:
    """A file that is put together of several tells the length of the last; what is copied of it has all."""
    if not is_broken(BY_NAME[facts.container]) or length_s < facts.duration_s + JOINED_S:
        return facts
    return replace(facts, duration_s=round(length_s, 6), mended=True)


def _with_length(facts: SourceFacts, length_s: float, size: int) -> SourceFacts:
    """Of a file whose length only its end told."""
    return replace(facts, duration_s=round(length_s, 6), bit_rate=round(size * 8 / max(length_s, 0.001)))
