"""Captions and chapters of what edits make: with the times of what is shown."""

from typing import Any

import pytest

from server.catalog import text_tracks, videos
from server.catalog.models import Video
from server.catalog.text_tracks import Kind
from server.formats import webvtt
from server.formats.webvtt import Cue, TextTrack
from server.vod.carrying import Carrying, earlier
from server.vod.texts import Texts
from tests.unit.vod.conftest import Archive

CUES = (Cue(0, 2000, "one"), Cue(3000, 5000, "two"), Cue(8000, 9000, "three"))


def text(*cues: Cue) -> str:
    return webvtt.write(TextTrack(cues))


class Room:
    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.texts = Texts(archive.database, archive.layout)
        self.carrying = Carrying(archive.database, archive.layout)

    async def video(self, language: str | None = "en", kind: Kind = "captions", **fields: Any) -> str:
        id = await self.archive.video(state="done", **fields)
        if language:
            await self.put(id, language, kind, text(*CUES))
        return id

    async def put(self, id: str, language: str, kind: Kind, content: str, default: bool = False) -> None:
        async with self.archive.database.write() as transaction:
            video = await videos.find(transaction, id)
            assert video
            row = await self.texts.put(transaction, video, kind, language, content, title="As said")
            await text_tracks.set_default(transaction, video, row, default)

    async def shown(self, id: str, language: str = "en", kind: Kind = "captions") -> list[tuple[int, int, str]] | None:
        found = await self.texts.find(id, kind, language)
        return [(cue.start_ms, cue.end_ms, cue.text) for cue in webvtt.read(found[1].decode()).cues] if found else None

    async def made(
        self, parts: list[str], starts_s: list[float], times: tuple[float, float | None] | None = None,
        lead_s: float = 0.0,
    ) -> str:
        made = await self.archive.video()
        async with self.archive.database.write() as transaction:
            rows: list[Video] = [row for id in parts if (row := await videos.find(transaction, id))]
            told = await self.carrying.link(transaction, made, rows, [times] * len(rows) if times else ())
        await self.carrying.carry(made, told, starts_s, lead_s)
        return made


@pytest.fixture
def room(archive: Archive) -> Room:
    return Room(archive)


async def test_a_trimmed_video_shows_its_texts_from_its_own_beginning(room: Room, archive: Archive) -> None:
    id = await room.video()
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        video.trim = {"start": 1.5, "end": 8.5, "of": id, "duration": 10.0}
    shown = [(0, 500, "one"), (1500, 3500, "two"), (6500, 7000, "three")]
    assert await room.shown(id) == shown
    await room.put(id, "de", "captions", text(Cue(0, 1000, "eins")))  # with the times of what is watched
    assert await room.shown(id, "de") == [(0, 1000, "eins")]
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        video.trim = {**video.trim, "lead": 0.5}  # type: ignore[dict-item]
    assert (await room.shown(id) or [])[1] == (2000, 4000, "two")
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        video.trim = None
    assert (await room.shown(id), await room.shown(id, "de")) == (
        [(cue.start_ms, cue.end_ms, cue.text) for cue in CUES], [(1500, 2500, "eins")],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("times", "lead_s", "shown"),
    [
        ((4, 8.5), 0.0, [(0, 1000, "two"), (4000, 4500, "three")]),
        ((4, None), 0.5, [(0, 1500, "two"), (4500, 5500, "three")]),
        ((5.5, 7), 0.0, None),
    ],
)
async def test_a_clip_has_its_part_of_them(
    room: Room, times: tuple[float, float | None], lead_s: float, shown: list[tuple[int, int, str]] | None
) -> None:
    made = await room.made([await room.video()], [0.0], times, lead_s=lead_s)
    assert await room.shown(made) == shown


async def test_those_of_joined_videos_follow_one_another(room: Room, archive: Archive) -> None:
    first, silent, last = await room.video(), await room.video(language=None), await room.video()
    await room.put(last, "de", "captions", text(Cue(1000, 2000, "eins")), default=True)
    await room.put(first, "en", "chapters", text(Cue(0, 8000, "Intro")))
    made = await room.made([first, silent, last], [0.0, 8.5, 12.0])
    one = [(0, 2000, "one"), (3000, 5000, "two"), (8000, 8500, "three")]
    assert await room.shown(made) == [*one, (12000, 14000, "one"), (15000, 17000, "two"), (20000, 21000, "three")]
    assert await room.shown(made, "de") == [(13000, 14000, "eins")]
    assert await room.shown(made, "en", "chapters") == [(0, 8000, "Intro")]
    async with archive.database.read() as transaction:
        rows = await text_tracks.of_video(transaction, made, "captions")
        words = {row.language: await text_tracks.words_of(transaction, row) for row in rows}
    assert words == {"de": "eins", "en": "one two three"}
    assert [(row.language, row.default) for row in rows] == [("de", True), ("en", False)]
    assert {row.title for row in rows} == {"As said"}


async def test_stretches_of_one_have_their_parts_of_them(room: Room, archive: Archive) -> None:
    origin, made = await room.video(), await archive.video()
    async with archive.database.write() as transaction:
        row = await videos.find(transaction, origin)
        assert row
        told = await room.carrying.link(transaction, made, [row, row], [(3.0, 4.0), (0.5, 2.5)])
    await room.carrying.carry(made, earlier(told, [0.0, 0.5]), [0.0, 1.0])  # the second begins with a key frame

    assert await room.shown(made) == [(0, 1000, "two"), (1000, 3000, "one")]


async def test_what_its_owner_uploads_before_it_is_made_stays(room: Room, archive: Archive) -> None:
    origin, made = await room.video(), await archive.video()
    await room.put(origin, "de", "captions", text(Cue(0, 1000, "eins")), default=True)
    async with archive.database.write() as transaction:
        row = await videos.find(transaction, origin)
        assert row
        told = await room.carrying.link(transaction, made, [row])
    await room.put(made, "en", "captions", text(Cue(0, 1000, "mine")), default=True)
    for _ in range(2):  # again, after a crash
        await room.carrying.carry(made, told, [0.0])
    async with archive.database.read() as transaction:
        rows = await text_tracks.of_video(transaction, made, "captions")
    assert [(row.language, row.version, row.default) for row in rows] == [("de", 1, False), ("en", 1, True)]
    assert await room.shown(made) == [(0, 1000, "mine")]


async def test_a_text_that_its_owner_deletes_meanwhile_goes_along_all_the_same(room: Room, archive: Archive) -> None:
    origin, made = await room.video(), await archive.video()
    async with archive.database.write() as transaction:
        row = await videos.find(transaction, origin)
        assert row
        told = await room.carrying.link(transaction, made, [row])
        track = await text_tracks.get(transaction, origin, "captions", "en")
        assert track
        await room.texts.remove(transaction, row, track)
    await room.carrying.carry(made, told, [0.0])
    assert len(await room.shown(made) or []) == len(CUES)
