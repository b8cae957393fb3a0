"""Orders of edits: of a video that is there another version, or another video.

    trimmed, made anew, lengthened ──► a version (catalog.versions)
    a clip, stretches, several     ──► a video of its own
                                       └── both: the files they are made of, linked ──► job `edit` ──► as any upload

The links are made before the commit, so that nothing that happens to the origin afterwards touches what was ordered.
"""

import asyncio
import math
import os
import shutil
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from server import ids
from server.catalog import sandboxes, versions, video_details, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Video
from server.catalog.versions import NotNow
from server.jobs.orders import Enqueue
from server.storage import early
from server.storage.layout import Layout
from server.storage.watermarks import WatermarkStore
from server.vod.carrying import Carrying
from server.vod.recordings import is_recording

JOB = "edit"
WHOLE = "whole"  # the file that stretches are cut out of
LEAST_S = 0.1  # of what is left: a few pictures
LIKE = ("project_id", "title", "description", "public", "panoramic", "mp4_support", "player_id", "language",
        "folder_id", "crop", "watermark")  # fmt: skip
GONE = "The video's file is not there."

Looks = Mapping[str, Mapping[str, Any] | None]  # "crop", "watermark" as a video's row has them
Given = Mapping[str, Any]  # columns of a new video that go before those of what it is made of
NOTHING: Given = MappingProxyType({})


class SpanError(ValueError):
    """`name` is the moment at fault, start or end; the text a sentence for who asked."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds from the beginning; `end_s` None: to the end."""

    start_s: float = 0.0
    end_s: float | None = None


def span_of(start_s: float, end_s: float | None, duration_s: float | None) -> Span:
    """What is meant by times of which negative ones count back from the end. Raises SpanError."""
    if duration_s is not None:
        start_s = max(0.0, duration_s + start_s) if start_s < 0 else start_s
        end_s = duration_s + end_s if end_s is not None and end_s < 0 else end_s
        if start_s > duration_s - LEAST_S:
            raise SpanError("start", f"The video is {duration_s:.3f} s long.")
        end_s = None if end_s is None or end_s >= duration_s else end_s
    if start_s < 0 or (end_s is not None and end_s < start_s + LEAST_S):
        raise SpanError("end", "The end must lie after the start.")
    return Span(start_s, end_s)


def apart(spans: Sequence[Span], duration_s: float | None) -> None:
    """Raises SpanError where two of them have something in common."""
    ordered = sorted(spans, key=lambda span: span.start_s)
    for span, after in pairwise(ordered):
        if (span.end_s if span.end_s is not None else duration_s or math.inf) > after.start_s:
            raise SpanError("trim", "The stretches must not overlap.")


class PartNotNow(NotNow):
    """Of the videos that are to be joined, the one with number `part` is in the way; `sentence` why."""

    def __init__(self, part: int, sentence: str) -> None:
        super().__init__(f"videos[{part}]: {sentence}")
        self.part = part
        self.sentence = sentence


class Edits:
    def __init__(self, database: Database, layout: Layout, enqueue: Enqueue) -> None:
        self._database = database
        self._layout = layout
        self._enqueue = enqueue
        self._watermarks = WatermarkStore(layout)
        self._carrying = Carrying(database, layout)

    async def trim(self, transaction: Transaction, video: Video, start_s: float, end_s: float | None) -> Video:
        """The version that shows this part of the whole file. Raises NotNow, SpanError."""
        known = video.trim or {}
        versions.check(video, recorded=True)
        duration_s = known["duration"] if known else video.duration_s
        span = span_of(start_s, end_s, duration_s)
        trim = {"start": span.start_s, "end": span.end_s, "of": known.get("of", video.material), "duration": duration_s}
        if video.broadcast_id is not None:
            trim["media"] = known["media"] if known else video.media  # of the whole, to be told again
            trim["bytes"] = known.get("bytes") if known else video.source_bytes
        return await self._version(transaction, video, versions.TRIM, trim["of"], span, trim)

    async def untrim(self, transaction: Transaction, video: Video) -> Video:
        """The version that shows the whole file again; the video itself, where the trim was only on its way. Raises
        NotNow."""
        if video.trim is None:
            if not await versions.give_up(transaction, video, versions.TRIM):
                raise NotNow("The video is not trimmed.")
            return video
        if video.broadcast_id is not None and video.trim["of"] == video.id:
            versions.check(video, recorded=True)
            await versions.show_recording(transaction, video)
            return video
        return await self._version(transaction, video, versions.UNTRIM, video.trim["of"])

    async def remake(self, transaction: Transaction, video: Video, looks: Looks = MappingProxyType({})) -> Video:
        """A version that is made of the file that is shown, as a new upload would be now; with these `looks` in place
        of the video's. A watermark among them is to be given to it. Raises NotNow."""
        return await self._version(transaction, video, versions.REMAKE, video.material, None, video.trim, looks)

    async def trimmed_at_once(self, video_id: str) -> bool:
        """Orders the trim that a new video was asked for with; False where none was."""
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None or video.trim is None or video.version_of is not None:
                return False
            if "of" in video.trim or video.state != "pre-processing":
                return True  # it was done before a crash
            trim = {**video.trim, "of": video.id, "duration": None}
            await asyncio.to_thread(early.drop, self._layout, video_id)
            video.trim = trim
            version = await versions.begin(transaction, video, versions.TRIM, trim=trim)
            await self._order(transaction, version, [video.id], Span(trim["start"], trim["end"]), whole=video.id)
        return True

    async def clip(
        self, transaction: Transaction, video: Video, span: Span, title: str | None, given: Given = NOTHING
    ) -> Video:
        """A part of what the video shows as a video of its own. Raises NotNow."""
        _check(video)
        clip = _like(video, title or f"{video.title} (clip)", given)
        await self._add(transaction, clip, video, given)
        await self._order(transaction, clip, [video.material], span, texts_of=[video])
        if clip.watermark is not None:
            clip.watermark_bytes = await asyncio.to_thread(self._watermarks.share, video.material, clip.id)
        await videos.tell(transaction, clip, "clipped", {**videos.links(clip), "of": video.id})
        return clip

    async def cut(
        self, transaction: Transaction, video: Video, spans: Sequence[Span], title: str | None, given: Given = NOTHING
    ) -> Video:
        """Several stretches of what the video shows, one after the other, as a video of its own. Raises NotNow."""
        _check(video)
        cut = _like(video, title or f"{video.title} (cut)", given)
        await self._add(transaction, cut, video, given)
        await self._order(transaction, cut, [video.material], None, texts_of=[video] * len(spans), spans=spans)
        if cut.watermark is not None:
            cut.watermark_bytes = await asyncio.to_thread(self._watermarks.share, video.material, cut.id)
        await videos.tell(transaction, cut, "clipped", {**videos.links(cut), "of": video.id})
        return cut

    async def concat(
        self, transaction: Transaction, parts: Sequence[Video], title: str | None, given: Given = NOTHING
    ) -> Video:
        """All of them, one after the other, as a new video. Raises NotNow, PartNotNow."""
        _check_parts(parts)
        joined = _like(parts[0], title or f"{parts[0].title} (joined)", given)
        joined.crop = joined.watermark = None  # they are in the pictures by then
        await self._add(transaction, joined, parts[0], given)
        recorded = [part for part in parts if is_recording(part)]
        await self._order(transaction, joined, [part.material for part in parts], None, parts, parts, recorded)
        told = {**videos.links(joined), "of": [part.id for part in parts]}
        await videos.tell(transaction, joined, "joined", told)
        return joined

    async def lengthen(
        self, transaction: Transaction, video: Video, before: Sequence[Video], behind: Sequence[Video]
    ) -> Video:
        """The version that shows others before and behind what the video shows, which is for good: a trim can't be
        taken back any more. See vod.lengthening. Raises NotNow, PartNotNow."""
        parts, at = [*before, video, *behind], len(before)
        _check_parts(parts)
        others = [None if number == at else part for number, part in enumerate(parts)]
        kept = [part for part in others if part is not None and part.id != video.id]
        chapters = await _chapters(transaction, others)
        version = await versions.new(transaction, video, versions.CONCAT, wait=True, at=at, chapters=chapters)
        await video_details.remember(transaction, version, kept)
        version.crop = version.watermark = None  # they are in the pictures by then
        await sandboxes.mark(transaction, version)
        recorded = [part for part in parts if is_recording(part)]
        materials = [part.material for part in parts]
        await self._order(transaction, version, materials, None, parts, others, recorded, at=at)
        return version

    async def _add(self, transaction: Transaction, row: Video, like: Video, given: Given) -> None:
        """A new video, which is for those to see whom the other one is for, unless something else is said of that."""
        await videos.add(transaction, row)
        if "public" not in given:
            await video_details.remember(transaction, row, [like])

    async def _version(
        self,
        transaction: Transaction,
        video: Video,
        reason: str,
        of: str,
        span: Span | None = None,
        trim: Mapping[str, Any] | None = None,
        looks: Looks = MappingProxyType({}),
    ) -> Video:
        version = await versions.new(transaction, video, reason, trim=trim, wait=video.archived_at is None)
        for name, look in looks.items():
            setattr(version, name, look)
        await sandboxes.mark(transaction, version)  # whatever look was wished
        recorded = [video] if of == video.id and video.broadcast_id is not None else []
        if span is None and not recorded:
            version.shares_with = of  # its file will be a link of that one
        await self._order(transaction, version, [of], span, recorded=recorded)
        return version

    async def _order(
        self,
        transaction: Transaction,
        row: Video,
        of: Sequence[str],
        span: Span | None,
        parts: Sequence[Video] = (),
        texts_of: Sequence[Video | None] = (),
        recorded: Sequence[Video] = (),
        spans: Sequence[Span] = (),
        **more: Any,
    ) -> None:
        """Of these materials; `parts` are those that are joined, `recorded` those of them of which the job makes a
        file first, `spans` what is to be had of the only one. Raises NotNow."""
        row.source = "upload"
        await videos.move(transaction, row, "pre-processing")
        try:
            recordings = {number: id for number, id in enumerate(of) if id in {each.id for each in recorded}}
            if spans:
                whole = self._layout.video_input_part(row.id, WHOLE)
                await asyncio.to_thread(_link, self._layout.video_source(of[0]), whole)
            else:
                await asyncio.to_thread(self._link, row.id, of, recordings.keys())
            await asyncio.to_thread(self._link_marks, row.id, parts)
            times = [(each.start_s, each.end_s) for each in spans or ([span] if span else [])]
            texts = await self._carrying.link(transaction, row.id, texts_of, times)
        except OSError:
            shutil.rmtree(self._layout.video(row.id), ignore_errors=True)
            raise NotNow(GONE) from None
        arguments: dict[str, Any] = {"inputs": len(of), "start": span and span.start_s, "end": span and span.end_s}
        arguments |= more | ({"texts": texts} if texts else {})
        if parts:
            arguments["parts"] = [{"crop": part.crop, "watermark": _own_mark(part)} for part in parts]
        if spans:
            arguments["stretches"] = [[each.start_s, each.end_s] for each in spans]
        if recordings:
            arguments["recordings"] = {str(number): id for number, id in recordings.items()}
        await self._enqueue(transaction, row.project_id, JOB, row.id, arguments)

    def _link(self, row_id: str, of: Sequence[str], recorded: Set[int] = frozenset()) -> None:
        """The files; of what is recorded one is made by the job."""
        for number, origin in enumerate(of):
            path = self._layout.video_input(row_id, number)
            if number in recorded:
                path.parent.mkdir(parents=True, exist_ok=True)
            else:
                _link(self._layout.video_source(origin), path)

    def _link_marks(self, row_id: str, parts: Sequence[Video]) -> None:
        for number, part in enumerate(parts):
            if _own_mark(part) is not None:
                path = self._layout.video_input_part(row_id, f"{number}-mark")
                _link(self._layout.video_watermark(part.material), path)


def _link(origin: Path, path: Path) -> None:
    """Blocks. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.link(origin, path)


def _check(video: Video) -> None:
    """Raises NotNow unless the video shows a file."""
    if (video.source != "upload" or video.broadcast_id is not None) and video.material_id is None:
        raise NotNow("The video has no file.")
    if video.state not in ("processing", "done"):
        raise NotNow("The video's file is not known yet.")


def _check_parts(parts: Sequence[Video]) -> None:
    """Whether they can be joined, as far as is known before their files are looked at. Raises PartNotNow."""
    for number, part in enumerate(parts):
        try:
            if not (is_recording(part) and part.state == "done"):
                _check(part)
        except NotNow as error:
            raise PartNotNow(number, str(error)) from None
    pictures = [_has_pictures(part) for part in parts]
    if True in pictures and False in pictures:
        raise PartNotNow(pictures.index(False), "It has no pictures, and others have.")


def _own_mark(part: Video) -> dict[str, Any] | None:
    """A sandbox's is put over all of them once they are joined."""
    return None if (part.watermark or {}).get("id") == sandboxes.MARK_ID else part.watermark


def _has_pictures(video: Video) -> bool | None:
    """None: it is not known."""
    streams = (video.media or {}).get("streams")
    return None if streams is None else any(each.get("kind") == "video" for each in streams)


async def _chapters(transaction: Transaction, parts: Sequence[Video | None]) -> list[dict[str, Any]]:
    """Of lists that are shown: {"part", "time", "title"}."""
    details = await video_details.of_videos(transaction, [part.id for part in parts if part is not None])
    found: list[dict[str, Any]] = []
    for number, part in enumerate(parts):
        row = details.get(part.id) if part is not None else None
        if row is not None and row.chapters_shown:
            found += [{"part": number, **each} for each in row.chapters]
    return found[: video_details.MOST_CHAPTERS]


def _like(video: Video, title: str, given: Given) -> Video:
    values = {name: getattr(video, name) for name in LIKE}
    values |= {"id": ids.new("vi"), "title": title, "tags": list(video.tags), "meta": list(video.meta)}
    values["custom"] = dict(video.custom)
    return Video(**{**values, **given})
