"""The exact beginning and end of a clip: its first and last segment made anew, a moment after the clip is there.

    videos/<clip>/edges/<rendition>/journal, init-<generation>.mp4, <msn>.m4s

Pictures are coded anew, from the key frame before; sound is cut between its frames. What was made stands in the place
of the broadcast's own segments, in generations of its own: the pictures' configuration is another one.
"""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from server import log
from server.catalog import videos
from server.catalog.database import Database
from server.formats.fmp4.part import audio_part
from server.formats.fmp4.read import read_samples
from server.jobs.context import JobContext
from server.media import calls
from server.media.calls import Edge
from server.media.child import ChildFailed, Children
from server.media.problems import MediaProblem
from server.packager.presentation import VIDEO
from server.storage.journal import Journal, SegmentEntry, TrackEntry, line
from server.storage.layout import Layout, RenditionFolder

JOB = "clip"
MIN_CUT_MS = 10  # less than a picture: nothing to cut
FIRST_GENERATION = 900_000  # beyond those of any broadcast
CODEC = "avc1"
MORE_BITS = 1.5  # than the segment has: a few pictures behind a key frame weigh more than their like in the middle

_log = log.get("clips")


@dataclass(frozen=True, slots=True)
class Cut:
    """What of one segment stays, in milliseconds from its start and its end."""

    msn: int
    head_ms: int
    tail_ms: int


@dataclass(frozen=True, slots=True)
class _Made:
    """A segment in the place of another."""

    track: TrackEntry
    entry: SegmentEntry
    init: bytes
    data: bytes


def cuts(segments: Mapping[str, Any]) -> list[Cut]:
    """The segments of a clip's row that are to be cut: the first, the last, or the one that is both."""
    first, last = segments["first"], segments["last"]
    head, tail = segments["head_ms"], segments["tail_ms"]
    wanted = [Cut(first, head, tail)] if first == last else [Cut(first, head, 0), Cut(last, 0, tail)]
    return [cut for cut in wanted if max(cut.head_ms, cut.tail_ms) >= MIN_CUT_MS]


class Edges:
    """Register `run` as the job. A clip whose edges can't be made stays as it is, exact to the segment."""

    def __init__(self, database: Database, layout: Layout, children: Children) -> None:
        self._database = database
        self._layout = layout
        self._children = children

    async def run(self, job: JobContext) -> None:
        problem = await job.step("cut", lambda: self._make(job.object_id))
        if problem is None:
            await job.step("show", lambda: self._show(job.object_id))
        else:
            _log.info("a clip stays exact to the segment", video=job.object_id, reason=problem)

    async def _make(self, video_id: str) -> str | None:
        """Writes the edges; why they can't be made."""
        async with self._database.read() as transaction:
            clip = await videos.find(transaction, video_id)
        if clip is None or clip.broadcast_id is None or not clip.segments:
            return "it is gone"
        wanted = cuts(clip.segments)
        names = await asyncio.to_thread(self._layout.renditions, clip.broadcast_id)
        for name in names:
            folder = self._layout.rendition(clip.broadcast_id, name)
            journal = await asyncio.to_thread(Journal.read, folder.journal)
            try:
                made = [one for cut in wanted if (one := await self._cut(folder, journal, cut))]
            except (ChildFailed, OSError, _ImpossibleError) as error:
                return str(error)
            await asyncio.to_thread(_store, self._layout.clip_edges(video_id, name), made)
        return None

    async def _cut(self, folder: RenditionFolder, journal: Journal, cut: Cut) -> _Made | None:
        """None where the rendition has nothing of the segment. Raises ChildFailed, OSError."""
        entry = next((entry for entry in journal.segments if entry.msn == cut.msn and not entry.gap), None)
        if entry is None:
            return None
        track = journal.tracks[entry.generation]
        init, data = await asyncio.to_thread(_read, folder, entry)
        start = entry.start + cut.head_ms * entry.timescale // 1000
        until = entry.end - cut.tail_ms * entry.timescale // 1000
        if track.kind != VIDEO:
            return _cut_sound(track, entry, init, data, start, until)
        if not track.codec.startswith(CODEC):
            raise _ImpossibleError(f"pictures of {track.codec} are not coded anew")
        bitrate = round(entry.size * 8 / entry.duration_s * MORE_BITS)
        edge = await calls.cut(self._children, init, data, start, until, bitrate)
        if isinstance(edge, MediaProblem):
            raise _ImpossibleError(edge.detail)
        return _cut_pictures(track, entry, edge)

    async def _show(self, video_id: str) -> None:
        """From now on the edges are what is watched, under a new revision."""
        async with self._database.write() as transaction:
            clip = await videos.find(transaction, video_id)
            if clip is None or not clip.segments or clip.segments.get("exact"):
                return
            cut_s = (clip.segments["head_ms"] + clip.segments["tail_ms"]) / 1000
            clip.duration_s = round((clip.duration_s or 0) - cut_s, 6)
            clip.revision += 1
            clip.segments = {**clip.segments, "exact": clip.revision}
            payload = {**videos.links(clip), "changed": ["duration"], "duration": clip.duration_s}
            await videos.tell(transaction, clip, "updated", payload)


class _ImpossibleError(ValueError):
    """The edges of this clip can't be made; a sentence why."""


def _cut_pictures(track: TrackEntry, entry: SegmentEntry, edge: Edge) -> _Made:
    generation = FIRST_GENERATION + entry.msn % 90_000
    cut = _placed(entry, track, edge.start, edge.end, len(edge.segment))
    return _Made(
        replace(track, generation=generation), replace(cut, generation=generation, independent=True), edge.init,
        edge.segment,
    )  # fmt: skip


def _cut_sound(
    track: TrackEntry, entry: SegmentEntry, init: bytes, data: bytes, start: int, until: int
) -> _Made | None:
    """The frames that begin within start..until-1."""
    samples = read_samples(data)
    ends = [*(sample.dts for sample in samples[1:]), entry.end]
    kept = [(sample, end) for sample, end in zip(samples, ends, strict=True) if start <= sample.dts < until]
    if not kept:
        raise _ImpossibleError("no sound is left of a segment")
    durations = [end - sample.dts for sample, end in kept]
    first = kept[0][0].dts
    segment = audio_part(1, first, durations, [sample.data for sample, _ in kept])
    generation = FIRST_GENERATION + entry.msn % 90_000
    cut = _placed(entry, track, first, kept[-1][1], len(segment))
    return _Made(replace(track, generation=generation), replace(cut, generation=generation), init, segment)


def _placed(entry: SegmentEntry, track: TrackEntry, start: int, end: int, size: int) -> SegmentEntry:
    return replace(entry, start=start, duration=end - start, wall_ms=track.wall_ms(start), size=size)


def _read(folder: RenditionFolder, entry: SegmentEntry) -> tuple[bytes, bytes]:
    """Init segment and segment; blocks."""
    return folder.init(entry.generation).read_bytes(), folder.segment(entry.msn).read_bytes()


def _store(folder: RenditionFolder, made: Sequence[_Made]) -> None:
    """All of it or, after a crash, again; blocks."""
    shutil.rmtree(folder.path, ignore_errors=True)
    folder.path.mkdir(parents=True)
    for each in made:
        folder.init(each.track.generation).write_bytes(each.init)
        folder.segment(each.entry.msn).write_bytes(each.data)
    folder.journal.write_bytes(b"".join(line(each.track) + line(each.entry) for each in made))
