"""The job that keeps what a file says in words: its text subtitles as captions, its chapters as chapters.

    embedded-texts   {"revision", "container", "start_s", "tracks": [fields of SubtitleFacts], "language", "chapters",
                     "duration_s"}

What the owner uploaded stays as it is; what an earlier source of the video brought goes. Of bitmap subtitles nothing is
made: they are named among the video's streams. A video that was trimmed meanwhile has the texts of the whole file all
the same, as others that are trimmed; one that is to be joined with others waits for them (vod.lengthening).
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from server import log
from server.catalog import text_tracks, versions, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Video
from server.catalog.text_tracks import Kind
from server.errors import Problem
from server.formats import webvtt
from server.formats.webvtt import Cue, TextTrack
from server.jobs.context import JobContext
from server.media import embedded
from server.media.child import ChildFailed, Children
from server.media.facts import UNKNOWN, SourceFacts, SubtitleFacts
from server.storage.layout import Layout
from server.vod import texts
from server.vod.texts import Texts, said

JOB = "embedded-texts"
SOURCE = "source"  # the origin of what is kept here
FORCED = "forced"
MAX_PRIMARY = 20  # characters of a language that leave room for what tells its tracks apart; RFC 5646 allows 35
FIRST_REVISION = 1  # before it there was no source that could have brought anything
ATTEMPTS = 2  # of a child that crashes: once may be the machine's fault
MOST_LOOKS, LONGEST_WAIT_S = 40, 300.0  # three hours: an encoder has begun by then

_log = log.get("vod")


class Found(NamedTuple):
    """A text of the file."""

    language: str  # BCP 47; what tells tracks of one language apart is a private use subtag (RFC 5646 2.2.7)
    text: str
    title: str = ""
    default: bool = False
    spoken: str | None = None


def order(revision: int, facts: SourceFacts) -> Mapping[str, Any] | None:
    """The arguments of the job; None where there is nothing for it."""
    tracks = [asdict(each) for each in facts.subtitles if each.kind == "text"]
    if not tracks and not facts.chapters and revision == FIRST_REVISION:
        return None
    spoken = next((sound.language for sound in facts.sounds if sound.language), "")
    told = {"revision": revision, "container": facts.container, "start_s": facts.start_s}
    chapters = [asdict(each) for each in facts.chapters]
    return {**told, "tracks": tracks, "language": spoken, "chapters": chapters, "duration_s": facts.duration_s}


class EmbeddedTexts:
    """Register `run` for JOB."""

    def __init__(self, database: Database, layout: Layout, children: Children) -> None:
        self._database = database
        self._layout = layout
        self._children = children
        self._texts = Texts(database, layout)

    async def run(self, job: JobContext) -> None:
        for number in range(MOST_LOOKS):  # a version's are its video's once that shows it
            if not await job.step(f"shown {number}", lambda: self._is_to_come(job), attempts=ATTEMPTS):
                break
            await job.sleep(min(2.0**number, LONGEST_WAIT_S))
        await job.step("texts", lambda: self._keep(job), attempts=ATTEMPTS)

    async def _is_to_come(self, job: JobContext) -> bool:
        async with self._database.read() as transaction:
            version = await self._current(transaction, job)
            if version is None or version.version_of is None or version.deletes_at is not None:
                return False
            video = await videos.find(transaction, version.version_of)
            return video is not None and not versions.was_shown(video, version.id)

    async def _keep(self, job: JobContext) -> None:
        video = await self._video(job)
        if video is None:
            return
        tracks = [SubtitleFacts(**each) for each in job.arguments["tracks"]]
        try:
            captions = await self._captions(job, tracks)
        except (ChildFailed, FileNotFoundError) as error:
            if await self._video(job) is None:
                return  # deleted meanwhile
            if job.attempt < ATTEMPTS and isinstance(error, ChildFailed):
                raise
            _log.warning("no captions of the file", video=job.object_id, reason=str(error))
            captions = []
        chapters = chapters_of(job.arguments, video.language)
        async with self._database.write() as transaction:
            row = await self._current(transaction, job)
            shown = row and await versions.shown_of_file(transaction, row)
            if shown is not None:
                await self._put(transaction, shown, "captions", captions)
                await self._put(transaction, shown, "chapters", chapters)
            elif row is not None and row.deletes_at is None:
                _log.warning("texts of a file that is not shown any more are not kept", of=job.object_id)

    async def _video(self, job: JobContext) -> Video | None:
        async with self._database.read() as transaction:
            return await self._current(transaction, job)

    async def _current(self, transaction: Transaction, job: JobContext) -> Video | None:
        """The video, unless it is gone or of another source by now."""
        video = await videos.find(transaction, job.object_id)
        if video is None or versions.own_source_revision(video) not in (None, job.arguments["revision"]):
            return None
        return video

    async def _captions(self, job: JobContext, tracks: Sequence[SubtitleFacts]) -> list[Found]:
        """Raises ChildFailed, FileNotFoundError."""
        if not tracks:
            return []
        source = os.open(self._layout.video_source(job.object_id), os.O_RDONLY | os.O_CLOEXEC)
        try:
            container, start_s = job.arguments["container"], job.arguments["start_s"]
            read = await embedded.subtitles(self._children, source, container, start_s, tracks)
        finally:
            os.close(source)
        found = []
        for track, language, data in zip(tracks, languages(tracks, job.arguments["language"]), read, strict=True):
            text = await asyncio.to_thread(_text, data)
            if text:
                found.append(Found(language, text, track.title, track.default, await said("captions", text)))
        return found

    async def _put(self, transaction: Transaction, video: Video, kind: Kind, found: Sequence[Found]) -> None:
        known = {row.language: row for row in await text_tracks.of_video(transaction, video.id, kind)}
        wanted = {each.language for each in found}
        for row in known.values():
            if row.origin == SOURCE and row.language not in wanted:
                await self._texts.remove(transaction, video, row)
        default = any(row.default for row in known.values() if row.language not in wanted or row.origin != SOURCE)
        for each in found[: text_tracks.MAX_TRACKS - len(known)]:
            if each.language in known and known[each.language].origin != SOURCE:
                continue
            made = await self._texts.put(
                transaction, video, kind, each.language, each.text, SOURCE, each.title, each.spoken
            )
            if kind == "captions" and each.default and not default:
                await text_tracks.set_default(transaction, video, made, True)
                default = True


def languages(tracks: Sequence[SubtitleFacts], spoken: str) -> list[str]:
    """A tag for each that no other has: en, en-x-forced, en-x-2."""
    tags: list[str] = []
    for track in tracks:
        language = track.language or spoken or UNKNOWN
        primary = language if len(language) <= MAX_PRIMARY else language.partition("-")[0][:MAX_PRIMARY]
        private = [FORCED] if track.forced else []
        tag, number = _tag(primary, private), 2
        while tag in tags:
            tag, number = _tag(primary, [*private, str(number)]), number + 1
        tags.append(tag)
    return tags


def _tag(language: str, private: Sequence[str]) -> str:
    if not private:
        return language
    return f"{language}{'-' if '-x-' in language else '-x-'}{'-'.join(private)}"


def chapters_of(told: Mapping[str, Any], language: str | None) -> list[Found]:
    """One track, of chapters one after the other: each lasts until the next begins. `told`: the arguments of the job;
    `language`: of the video, as its owner says."""
    chapters = told.get("chapters")
    if not chapters:
        return []
    starts = [round(each["start_s"] * 1000) for each in chapters]
    last = round(max(chapters[-1]["end_s"], told["duration_s"] or 0.0) * 1000)
    cues = [
        Cue(start, end, webvtt.escaped(each["title"] or f"Chapter {number}"))
        for number, (each, start, end) in enumerate(zip(chapters, starts, [*starts[1:], last], strict=True), 1)
        if end > start
    ]
    if not cues:
        return []
    return [Found(language or told["language"] or UNKNOWN, webvtt.write(TextTrack(tuple(cues))))]


def _text(data: bytes) -> str:
    """Read again here: it comes from a child that had a stranger's file in its hands."""
    try:
        return texts.checked(data) if data else ""
    except Problem as problem:
        _log.warning("captions of a file can't be read", reason=problem.detail)
        return ""
