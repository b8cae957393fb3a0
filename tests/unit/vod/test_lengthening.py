"""What hangs on a video's times when it is shown with others before and behind it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from sqlalchemy import select

from server import clock
from server.catalog import (
    annotations,
    jobs,
    models,
    posters,
    projects,
    sandboxes,
    text_tracks,
    versions,
    video_details,
    videos,
)
from server.catalog.database import Transaction
from server.catalog.library_models import Annotation
from server.catalog.models import DEFAULT_PROJECT, Project, Video
from server.catalog.text_tracks import Kind
from server.formats import webvtt
from server.formats.webvtt import MAX_MS, Cue, TextTrack
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed, NotAgain
from server.media.child import Children
from server.media.facts import Chapter, SourceFacts, SubtitleFacts
from server.vod import embedded, making
from server.vod.edits import Edits, PartNotNow
from server.vod.embedded import EmbeddedTexts
from server.vod.lengthening import Lengthening, Place
from server.vod.texts import Texts
from tests.unit.vod.conftest import Archive
from tests.unit.vod.test_pipeline import FakeJob

STARTS_S = (0.0, 5.0, 15.0)  # one of five seconds, the video's ten, and one of seven
WHOLE_S = 22.0
OWN = (Cue(0, 2000, "one"), Cue(8000, 12_000, "two"))


@pytest.mark.parametrize(
    ("start", "end", "times", "moved"),
    [
        (0, None, (1000, 2000), (1000, 2000)),
        (5000, None, (1000, 99_000), (6000, 104_000)),
        (5000, 15_000, (1000, 2000), (6000, 7000)),
        (5000, 15_000, (9000, 99_000), (14_000, 15_000)),
        (5000, 15_000, (10_000, 11_000), (22_000, 23_000)),  # it was never shown
        (5000, 15_000, (MAX_MS - 1, MAX_MS), (MAX_MS, MAX_MS)),
    ],
)
def test_times_move_with_what_was_shown(
    start: int, end: int | None, times: tuple[int, int], moved: tuple[int, int]
) -> None:
    assert Place(start, end, 22_000).moved(*times) == moved


async def nothing() -> None:
    raise AssertionError("there is nothing to wait for")


@dataclass
class Job(FakeJob):
    arguments: Mapping[str, Any] = field(default_factory=dict)
    meanwhile: Callable[[], Awaitable[None]] = nothing

    async def sleep(self, seconds: float) -> None:
        await self.meanwhile()


class Room:
    """A video, with one before and one behind it; as `make` left them."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.edits = Edits(archive.database, archive.layout, archive.enqueue)
        self.texts = Texts(archive.database, archive.layout)
        self.lengthening = Lengthening(archive.database, archive.layout)
        self.version = ""

    async def video(self, **fields: Any) -> str:
        made = {"state": "done", "playable": True, "duration_s": 10.0, **fields}
        id = await self.archive.video(**made)
        async with self.archive.database.write() as transaction:
            (await self.row(transaction, id)).source = fields.get("source", "upload")
        return id

    async def row(self, transaction: Transaction, id: str) -> Video:
        found = await videos.find(transaction, id)
        assert found
        return found

    async def put(self, id: str, language: str, cues: Sequence[Cue], kind: Kind = "captions", **more: Any) -> None:
        async with self.archive.database.write() as transaction:
            video = await self.row(transaction, id)
            text = webvtt.write(TextTrack(tuple(cues)))
            row = await self.texts.put(transaction, video, kind, language, text, title=language.upper())
            if more.get("default"):
                await text_tracks.set_default(transaction, video, row, True)

    async def order(self, id: str, before: Sequence[str], behind: Sequence[str]) -> str:
        async with self.archive.database.write() as transaction:
            rows = [[await self.row(transaction, each) for each in ids] for ids in (before, behind)]
            version = await self.edits.lengthen(transaction, await self.row(transaction, id), *rows)
        self.version = version.id
        return version.id

    async def join(self, starts_s: Sequence[float] = STARTS_S) -> None:
        """What the jobs do up to the end."""
        _, arguments = self.archive.ordered[-1]
        job = Job(self.version, arguments=arguments)
        await self.lengthening.joined(cast(JobContext, job), arguments.get("texts", []), starts_s)

    async def show(self, meanwhile: Callable[[], Awaitable[None]] = nothing) -> None:
        """`meanwhile`: what happens while it waits."""
        await self.lengthening.run(cast(JobContext, Job(self.version, meanwhile=meanwhile)))

    async def said(self, id: str, language: str = "en", kind: Kind = "captions") -> list[tuple[int, int, str]] | None:
        found = await self.texts.find(id, kind, language)
        return [(cue.start_ms, cue.end_ms, cue.text) for cue in webvtt.read(found[1].decode()).cues] if found else None


@pytest.fixture
def room(archive: Archive) -> Room:
    return Room(archive)


async def made(room: Room, id: str, before: Sequence[str], behind: Sequence[str], starts_s: Sequence[float]) -> None:
    """Joined, made and shown."""
    await room.order(id, before, behind)
    await room.join(starts_s)
    async with room.archive.database.write() as transaction:
        version = await room.row(transaction, room.version)
        version.state, version.playable, version.duration_s = "done", True, WHOLE_S
    await room.show()


async def test_texts_of_all_come_together_by_language(room: Room) -> None:
    intro, id, outro = [await room.video() for _ in range(3)]
    await room.put(id, "en", OWN)
    await room.put(intro, "en", [Cue(1000, 9000, "intro")])
    await room.put(outro, "de", [Cue(0, 1000, "Ende")], default=True)

    await made(room, id, [intro], [outro], STARTS_S)

    assert await room.said(id) == [(1000, 5000, "intro"), (5000, 7000, "one"), (13_000, 15_000, "two")]
    assert await room.said(id, "de") == [(15_000, 16_000, "Ende")]
    assert await room.said(outro, "de") == [(0, 1000, "Ende")]
    async with room.archive.database.read() as transaction:
        rows = await text_tracks.of_video(transaction, id, "captions")
        words = await text_tracks.words_of(transaction, rows[1])
    assert [(row.language, row.version, row.default, row.title) for row in rows] == [
        ("de", 1, True, "DE"), ("en", 2, False, "EN"),
    ]  # fmt: skip
    assert words == "intro one two"
    assert not list(room.archive.layout.video(room.version).rglob("*.vtt"))


async def test_texts_stay_where_nothing_comes_before_them(room: Room) -> None:
    id, outro = await room.video(), await room.video()
    await room.put(id, "en", OWN[:1])
    await made(room, id, [], [outro], (0.0, 10.0))
    assert await room.said(id) == [(0, 2000, "one")]


async def test_of_a_trimmed_one_the_texts_are_those_of_what_was_shown(room: Room) -> None:
    intro, id = await room.video(), await room.video()
    await room.put(id, "en", OWN)
    await room.put(id, "fr", [Cue(0, 500, "rien")])
    async with room.archive.database.write() as transaction:
        (await room.row(transaction, id)).trim = {"start": 1.0, "end": 9.0, "of": id, "duration": 12.0}

    await made(room, id, [intro], [], (0.0, 5.0))

    assert await room.said(id) == [(5000, 6000, "one"), (12_000, 13_000, "two")]
    assert await room.said(id, "fr") is None  # nothing of it is heard any more
    assert (await room.archive.row(id)).trim is None


async def test_what_its_owner_changes_meanwhile_is_what_moves(room: Room) -> None:
    intro, id = await room.video(), await room.video()
    await room.put(id, "en", OWN)
    await room.put(intro, "en", [Cue(0, 1000, "intro")])
    await room.order(id, [intro], [])
    await room.join((0.0, 5.0))
    await room.put(id, "en", [Cue(0, 1000, "new")])
    await room.put(intro, "en", [Cue(0, 1000, "too late")])
    async with room.archive.database.write() as transaction:
        version = await room.row(transaction, room.version)
        version.state, version.playable, version.duration_s = "done", True, 15.0

    await room.show()
    await room.show()  # a crash may repeat it

    assert await room.said(id) == [(0, 1000, "intro"), (5000, 6000, "new")]
    assert (await room.archive.row(id)).revision == 2


def reads(room: Room, id: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Awaitable[None]]:
    """Its file says `Heard` in its second second, and has a chapter: the job that keeps that."""

    async def subtitles(*_: Any) -> list[bytes]:
        return [b"WEBVTT\n\n00:01.000 --> 00:02.000\nHeard\n"]

    monkeypatch.setattr(embedded.embedded, "subtitles", subtitles)
    track = SubtitleFacts(2, "mov_text", "text", "de")
    facts = SourceFacts("MP4", 10.0, subtitles=(track,), chapters=(Chapter(0.0, 10.0, "All"),))
    arguments = dict(embedded.order(1, facts) or {})
    texts = EmbeddedTexts(room.archive.database, room.archive.layout, cast(Children, room.archive.children))

    async def run() -> None:
        await texts.run(cast(JobContext, Job(id, arguments=arguments)))

    return run


async def test_what_the_file_says_is_waited_for(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    intro, id = await room.video(), await room.video()
    await room.order(id, [intro], [])
    await room.join((0.0, 5.0))
    async with room.archive.database.write() as transaction:
        version = await room.row(transaction, room.version)
        version.state, version.playable, version.duration_s = "done", True, 15.0
        waits = await jobs.add(transaction, DEFAULT_PROJECT, embedded.JOB, id)
    read, looks = reads(room, id, monkeypatch), 0

    async def meanwhile() -> None:
        nonlocal looks
        looks += 1
        assert (await room.archive.row(id)).material == id
        if looks == 2:
            await read()
            async with room.archive.database.write() as transaction:
                (await transaction.merge(waits)).finished_at = clock.now()

    await room.show(meanwhile)

    assert (looks, (await room.archive.row(id)).material) == (2, room.version)
    assert await room.said(id, "de") == [(6000, 7000, "Heard")]
    assert await room.said(id, "und", "chapters") == [(5000, 15_000, "All")]


async def test_what_the_file_says_too_late_is_not_said_at_wrong_times(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job has failed, and is run again once the joined one is shown; or it is never run."""
    intro, id = await room.video(), await room.video()
    async with room.archive.database.write() as transaction:
        await jobs.add(transaction, DEFAULT_PROJECT, embedded.JOB, id)

    async def meanwhile() -> None:
        pass

    await room.order(id, [intro], [])
    await room.join((0.0, 5.0))
    async with room.archive.database.write() as transaction:
        version = await room.row(transaction, room.version)
        version.state, version.playable, version.duration_s = "done", True, 15.0
    await room.show(meanwhile)
    assert (await room.archive.row(id)).material == room.version

    await reads(room, id, monkeypatch)()

    assert await room.said(id, "de") is None


async def test_all_that_hangs_on_its_times_moves_in_the_one_step(room: Room) -> None:
    intro, id, outro = [await room.video() for _ in range(3)]
    async with room.archive.database.write() as transaction:
        row = await room.row(transaction, id)
        fields = {"project_id": DEFAULT_PROJECT, "video_id": id, "title": "More", "link": "https://example.com"}
        await annotations.add(transaction, row, Annotation(**fields, start_ms=1000, end_ms=20_000))
        await posters.add(transaction, row, 2.5)
        await posters.add(transaction, row, None)
        row.poster_s, row.poster_given = 2.5, True
        details = await video_details.own(transaction, row)
        details.chapters, details.chapters_shown = [{"time": 0, "title": "Own"}], True
        details.preview = {"start": 1.5, "length": 3.0, "quality": "360p"}
        for other, times in ((intro, (0, 6000)), (outro, (500,))):
            theirs = await video_details.own(transaction, await room.row(transaction, other))
            theirs.chapters_shown = True
            theirs.chapters = [{"time": time, "title": f"{time}"} for time in times]

    await made(room, id, [intro], [outro], STARTS_S)

    async with room.archive.database.read() as transaction:
        row, version = await room.row(transaction, id), await room.row(transaction, room.version)
        (annotation,) = await annotations.of_video(transaction, id)
        chosen = await posters.of_video(transaction, id)
        found = (await video_details.of_videos(transaction, [id]))[id]
    assert (row.material_id, row.duration_s, row.revision, row.state) == (version.id, WHOLE_S, 2, "done")
    assert (annotation.start_ms, annotation.end_ms) == (6000, 15_000)
    assert sorted((each.at_s or 0) for each in chosen) == [0, 7.5]
    assert (row.poster_s, row.poster_given, version.poster_s) == (7.5, True, 7.5)
    assert found.chapters == [
        {"time": 0, "title": "0"}, {"time": 5000, "title": "Own"}, {"time": 15_500, "title": "500"},
    ]  # fmt: skip
    assert found.preview == {"start": 6.5, "length": 3.0, "quality": "360p"}
    told = await room.archive.event_types(id)
    assert told[told.index("video.version.created") :].count("video.updated") >= 2


PAGES = ["a.io", "b.io"]


@pytest.mark.parametrize(
    ("own", "other", "public", "pages"),
    [
        (None, None, True, []),
        (PAGES, None, False, PAGES),
        (None, PAGES, False, PAGES),
        (PAGES, ["b.io", "c.io"], False, ["b.io"]),
        (None, [], False, []),
        (PAGES, [], False, []),
        ([], PAGES, False, []),
    ],
)
async def test_nobody_sees_it_who_may_not_see_the_others(
    room: Room, own: list[str] | None, other: list[str] | None, public: bool, pages: list[str]
) -> None:
    """None: it is public; no domains: it is for nobody's pages."""
    id, outro = await room.video(), await room.video()
    async with room.archive.database.write() as transaction:
        for each, domains in ((id, own), (outro, other)):
            if domains is not None:
                row = await room.row(transaction, each)
                await video_details.set_privacy(transaction, row, "custom" if domains else "nowhere", domains or None)

    await made(room, id, [], [outro], (0.0, 10.0))

    async with room.archive.database.read() as transaction:
        assert (await room.row(transaction, id)).public is public
        assert list(await video_details.pages(transaction, id)) == pages


@pytest.mark.parametrize(("then", "now", "public", "pages"), [
    (None, [], False, []),
    (None, PAGES, False, PAGES),
    (PAGES, ["b.io", "c.io"], False, ["b.io", "c.io"]),
    ([], None, True, []),
    (PAGES, "deleted", False, PAGES),
    (None, "deleted", True, []),
])  # fmt: skip
async def test_the_others_are_seen_as_they_are_once_it_is_shown(
    room: Room, then: list[str] | None, now: Any, public: bool, pages: list[str]
) -> None:
    id, outro = await room.video(), await room.video()

    async def limit(domains: list[str] | None) -> None:
        async with room.archive.database.write() as transaction:
            word = "anywhere" if domains is None else "custom" if domains else "nowhere"
            await video_details.set_privacy(transaction, await room.row(transaction, outro), word, domains)

    await limit(then)
    await room.order(id, [], [outro])
    await (room.archive.delete(outro) if now == "deleted" else limit(now))
    await room.join((0.0, 10.0))
    async with room.archive.database.write() as transaction:
        version = await room.row(transaction, room.version)
        version.state, version.playable, version.duration_s = "done", True, 15.0

    await room.show()

    async with room.archive.database.read() as transaction:
        assert (await room.row(transaction, id)).public is public
        assert list(await video_details.pages(transaction, id)) == pages


async def test_one_that_is_superseded_is_not_shown(room: Room) -> None:
    id, outro = await room.video(), await room.video()
    first = await room.order(id, [], [outro])
    await room.join((0.0, 10.0))
    async with room.archive.database.write() as transaction:
        await versions.new(transaction, await room.row(transaction, id), versions.REPLACE)
        (await room.row(transaction, first)).state = "done"
    await room.show()
    assert (await room.archive.row(id)).material == id


async def test_one_that_is_made_is_shown_by_a_job(room: Room) -> None:
    """Once."""
    id, outro = await room.video(), await room.video()
    version = await room.order(id, [], [outro])
    async with room.archive.database.write() as transaction:
        row = await room.row(transaction, version)
        row.state, row.playable = "done", True
        await making.settle(transaction, row)
        await making.settle(transaction, row)
        assert (await room.row(transaction, id)).material == id
        wanted = [each for each in await transaction.scalars(select(models.Job)) if each.object_id == version]
    assert [(each.kind, each.lane) for each in wanted] == [(making.SHOW, making.SHOW_LANE)]


async def test_one_that_can_not_be_shown_goes_and_says_so(room: Room) -> None:
    id, outro = await room.video(), await room.video()
    version = await room.order(id, [], [outro])
    job = models.Job(object_id=version, project_id=DEFAULT_PROJECT, kind=making.SHOW)
    async with room.archive.database.write() as transaction:
        (await room.row(transaction, version)).state = "done"
        await room.lengthening.redriven(transaction, job)
        await room.lengthening.failed(transaction, job, JobFailed("internal", "a fault"))
        row = await room.row(transaction, version)
        assert (row.deletes_at is not None, (row.error or {})["code"]) == (True, "failed")
        with pytest.raises(NotAgain):
            await room.lengthening.redriven(transaction, job)
    assert (await room.archive.event_types(id))[-1] == "video.version.error"


async def test_what_is_joined_in_a_sandbox_bears_the_mark_once(room: Room) -> None:
    async with room.archive.database.write() as transaction:
        project = await projects.add(transaction, Project(name="Try", sandbox=True))
    id, outro = [await room.video(project_id=project.id) for _ in range(2)]
    version = await room.order(id, [], [outro])
    _, arguments = room.archive.ordered[-1]
    assert arguments["parts"] == [{"crop": None, "watermark": None}] * 2
    assert (await room.archive.row(version)).watermark == sandboxes.MARK


async def test_looks_are_in_the_pictures_by_then(room: Room) -> None:
    crop = {"left": "0px", "top": "0px", "width": "50%", "height": "50%"}
    id, outro = await room.video(crop=crop), await room.video()
    await made(room, id, [], [outro], (0.0, 10.0))
    _, arguments = room.archive.ordered[-1]
    assert [each["crop"] for each in arguments["parts"]] == [crop, None]
    assert (await room.archive.row(id)).crop is None


async def test_a_part_that_is_in_the_way_is_named_by_its_number(room: Room) -> None:
    id, other = await room.video(), await room.video(state="processing", source=None)
    with pytest.raises(PartNotNow, match="no file") as caught:
        await room.order(id, [other], [])
    assert caught.value.part == 0
    assert room.archive.ordered == []
