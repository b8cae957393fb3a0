"""A video that shows others before and behind it: the version that is joined of them takes its place.

    ordered    `edit` of the version: {"at": which of the parts the video is, "origins": who may see the others,
               "chapters": of the others}
    joined     … and "joined": {"start", "end": of what the video showed, ms, null: to the end of all, "texts": of the
               others, which lie beside the version, "chapters"}
    done       job `lengthen`: in one transaction the version is shown, and what hangs on the video's times moves with
               what it showed: captions and chapters, to which those of the others come, annotations, the moments of
               posters, the preview

The video goes by what it has then: who changes its captions meanwhile loses nothing. What its file says in words comes
first: it is waited for where its job has not ended.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from server import clock, log
from server.catalog import annotations, jobs, posters, text_tracks, versions, video_details, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Job, TextTrack, Video
from server.catalog.text_tracks import Kind
from server.errors import Problem
from server.formats import webvtt
from server.formats.webvtt import MAX_MS
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed, NotAgain
from server.media.problems import TITLES
from server.storage.layout import Layout
from server.vod import embedded, making
from server.vod.carrying import LAID, Carrying, Told
from server.vod.embedded import LONGEST_WAIT_S, MOST_LOOKS
from server.vod.texts import UPLOAD, WHOLE, Shown, Texts, said, shown_of

ATTEMPTS = 3

_log = log.get("vod")


@dataclass(frozen=True, slots=True)
class Place:
    """Of what the video showed, in all that it shows now. Milliseconds."""

    start: int
    end: int | None  # None: the end of all
    whole: int

    @property
    def length(self) -> int | None:
        return None if self.end is None else self.end - self.start

    def moved(self, start_ms: int, end_ms: int) -> tuple[int, int]:
        """What lasts beyond the end of what the video showed ends there; what begins behind it is behind all."""
        if self.length is None:
            start, end = start_ms + self.start, end_ms + self.start
        elif start_ms < self.length:
            start, end = start_ms + self.start, min(end_ms, self.length) + self.start
        else:
            behind = max(0, self.whole - self.length)
            start, end = start_ms + behind, end_ms + behind
        return min(start, MAX_MS), min(end, MAX_MS)


class Key(NamedTuple):
    """Of a text as it was read."""

    kind: Kind
    language: str
    version: int | None  # of the video's own; None: there is none
    shown: Shown


class Made(NamedTuple):
    text: str | None  # None: nothing is said in what is shown
    spoken: str | None


class Lengthening:
    """Register `run`, `failed` and `redriven` for making.SHOW."""

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout
        self._carrying = Carrying(database, layout)
        self._texts = Texts(database, layout)

    async def joined(self, job: JobContext, told: Sequence[Told], starts_s: Sequence[float], lead_s: float = 0) -> None:
        """To be called by the job of an edit once it is known when the parts begin; `told`: their texts, which go
        along with a new video now, and with a version once it is shown."""
        if "at" in job.arguments:
            await job.step("joined", lambda: self._joined_version(job.object_id, told, starts_s))
        elif told:
            await job.step("texts", lambda: self._carrying.carry(job.object_id, told, starts_s, lead_s))

    async def _joined_version(self, version_id: str, told: Sequence[Told], starts_s: Sequence[float]) -> None:
        laid = await self._carrying.lay(version_id, told, starts_s)
        starts = [round(each * 1000) for each in starts_s]
        async with self._database.write() as transaction:
            version = await videos.find(transaction, version_id)
            if version is None:
                return  # deleted meanwhile
            edit = dict(version.edit or {})
            at, ends = edit["at"], [*starts[1:], None]
            joined = {"start": starts[at], "end": ends[at], "texts": laid}
            joined["chapters"] = _placed(edit["chapters"], starts, ends)
            version.edit = {**edit, "joined": joined}
            if version.poster_s is not None:
                video = await videos.find(transaction, version.version_of or "")
                version.poster_s = starts_s[at] + ((video and video.poster_s) or 0.0)

    async def run(self, job: JobContext) -> None:
        for number in range(MOST_LOOKS):
            anyway = number == MOST_LOOKS - 1
            if await job.step(f"show {number}", partial(self._show, job.object_id, anyway), attempts=ATTEMPTS):
                return
            await job.sleep(min(2.0**number, LONGEST_WAIT_S))

    async def failed(self, transaction: Transaction, job: Job, failure: JobFailed) -> None:
        _log.error("a joined version could not be shown", version=job.object_id, error=failure.text)
        found = await self._to_come(transaction, job.object_id)
        if found is not None:
            version, _ = found
            problem = making.GAVE_UP
            version.deletes_at = clock.now()
            version.error = {"code": problem.code, "title": TITLES[problem.code], "detail": problem.detail}
            told = {**videos.links(version), "state": "error", "error": version.error}
            await videos.tell(transaction, version, "error", told)

    async def redriven(self, transaction: Transaction, job: Job) -> None:
        """Raises NotAgain."""
        if await self._to_come(transaction, job.object_id) is None:
            raise NotAgain("This version of the video is shown, or not wanted any more.")

    async def _show(self, version_id: str, anyway: bool) -> bool:
        """False where texts of the video's file are still to come, unless it is to be shown `anyway`."""
        made: dict[Key, Made] = {}
        async with self._database.read() as transaction:
            found = await self._to_come(transaction, version_id)
            keys = await _keys(transaction, *found) if found is not None else []
        if found is None:
            return True
        await self._make(made, *found, keys)  # it may take a while, which nobody is to wait for
        async with self._database.write() as transaction:
            found = await self._to_come(transaction, version_id)
            if found is None:
                return True
            version, video = found
            if await _texts_to_come(transaction, video):
                if not anyway:
                    return False
                _log.warning("texts of the file do not go along: they are still not read", video=video.id)
            keys = await _keys(transaction, version, video)
            await self._make(made, version, video, keys)  # of those that somebody has changed
            place = _place(version)
            await versions.show(transaction, video, version)
            await self._put(transaction, version, video, {key: made[key] for key in keys}, place)
            await _move(transaction, version, video, place)
        await asyncio.to_thread(self._tidy, version)
        _log.info("joined with others", video=video.id, version=version_id)
        return True

    def _tidy(self, version: Video) -> None:
        """Texts of the others are the video's by now. Blocks."""
        for kind, language in _laid(version):
            self._layout.text_track(version.id, kind, language, LAID).unlink(missing_ok=True)

    async def _to_come(self, transaction: Transaction, version_id: str) -> tuple[Video, Video] | None:
        """The version, which is to be shown, and its video; None where that is done, or nobody wants it."""
        version = await videos.find(transaction, version_id)
        video = await videos.find(transaction, version.version_of or "") if version is not None else None
        if version is None or video is None or version.deletes_at is not None or version.state != "done":
            return None
        return None if versions.was_shown(video, version.id) else (version, video)

    async def _make(self, made: dict[Key, Made], version: Video, video: Video, keys: Sequence[Key]) -> None:
        """What there is not yet."""
        place, laid = _place(version), _laid(version)
        for key in keys:
            if key not in made:
                beside = (key.kind, key.language) in laid
                text = await asyncio.to_thread(self._joined, version.id, video.id, key, beside, place)
                made[key] = Made(text, await said(key.kind, text) if text is not None else None)

    def _joined(self, version_id: str, video_id: str, key: Key, beside: bool, place: Place) -> str | None:
        """The video's own and those of the others, as one. Blocks."""
        parts = []
        if key.version is not None:
            own = self._read(video_id, key, key.version)
            parts.append((place.start, webvtt.within(webvtt.within(own, *key.shown), 0, place.length)))
        if beside:
            parts.append((0, self._read(version_id, key, LAID)))
        whole = webvtt.in_a_row(parts)
        return webvtt.write(whole) if whole.cues else None

    def _read(self, owner: str, key: Key, version: int) -> webvtt.TextTrack:
        """Nothing, where it was deleted. Blocks."""
        try:
            text = self._layout.text_track(owner, key.kind, key.language, version).read_text("utf-8")
        except FileNotFoundError:
            _log.warning("a text is missing", video=owner, kind=key.kind, language=key.language)
            return webvtt.TextTrack(())
        return webvtt.read(text)

    async def _put(
        self, transaction: Transaction, version: Video, video: Video, made: Mapping[Key, Made], place: Place
    ) -> None:
        laid = _laid(version)
        own = {(row.kind, row.language): row for row in await text_tracks.to_watch(transaction, video.id)}
        has_default = any(row.default for row in own.values())
        for key, (text, spoken) in made.items():
            row, told = own.get((key.kind, key.language)), laid.get((key.kind, key.language))
            if row is not None and told is None and place.start == 0 and key.shown == WHOLE and place.end is None:
                continue
            if text is None:
                if row is not None:
                    await self._texts.remove(transaction, video, row)
                continue
            try:
                new = await self._texts.put(
                    transaction, video, key.kind, key.language, text, _origin(row, told), _title(row, told), spoken
                )
            except Problem as problem:
                _log.warning("a text does not go along", video=video.id, language=key.language, reason=problem.detail)
                continue
            if row is None and told is not None and told["default"] and not has_default:
                await text_tracks.set_default(transaction, video, new, True)
                has_default = True


async def _texts_to_come(transaction: Transaction, video: Video) -> bool:
    """Whether a job is still to read what the file says that the video shows."""
    files = {video.material, (video.trim or {}).get("of", video.material)}
    return any([await jobs.unfinished(transaction, embedded.JOB, each) for each in files])


async def _keys(transaction: Transaction, version: Video, video: Video) -> list[Key]:
    """Of all that there will be."""
    rows = await text_tracks.to_watch(transaction, video.id)
    shown = shown_of(video)
    own = [Key(row.kind, row.language, row.version, shown) for row in rows]  # type: ignore[arg-type]
    known = {(key.kind, key.language) for key in own}
    return own + [Key(*each, None, shown) for each in _laid(version) if each not in known]


def _laid(version: Video) -> dict[tuple[Kind, str], Told]:
    """Texts of the others, by kind and language."""
    return {(each["kind"], each["language"]): each for each in (version.edit or {})["joined"]["texts"]}


def _origin(row: TextTrack | None, told: Told | None) -> str:
    origins = {each for each in (row and row.origin, told and told["origin"]) if each}
    return origins.pop() if len(origins) == 1 else UPLOAD


def _title(row: TextTrack | None, told: Told | None) -> str:
    return (row.title if row is not None else "") or (told["title"] if told is not None else "")


def _place(version: Video) -> Place:
    joined = (version.edit or {})["joined"]
    return Place(joined["start"], joined["end"], round((version.duration_s or 0.0) * 1000))


def _placed(
    chapters: Sequence[Mapping[str, Any]], starts: Sequence[int], ends: Sequence[int | None]
) -> list[dict[str, Any]]:
    """Those that lie within their parts, with times of the whole."""
    found = []
    for each in chapters:
        time, end = starts[each["part"]] + each["time"], ends[each["part"]]
        if end is None or time < end:
            found.append({"time": time, "title": each["title"]})
    return found


async def _move(transaction: Transaction, version: Video, video: Video, place: Place) -> None:
    """All but the texts."""
    edit = version.edit or {}
    by_s = place.start / 1000
    await annotations.move(transaction, video, place.moved)
    await posters.move(transaction, video.id, by_s)
    if video.poster_s is not None:
        video.poster_s += by_s
    await video_details.move(transaction, video, place.moved, edit["joined"]["chapters"])
    await video_details.look_again_at_others(transaction, video, version)
