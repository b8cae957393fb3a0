"""Words of captions."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.catalog import text_tracks, videos
from server.catalog.database import Database, Transaction
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, TextTrack, Video
from server.catalog.text_tracks import Kind
from server.storage.layout import Layout
from server.vod import text_words
from server.vod.text_words import TextWords, words_of
from server.vod.texts import Texts, checked, said
from tests.harness import catalogue


@pytest.fixture
def url(tmp_path: Path) -> str:
    return catalogue.copy(tmp_path)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with Database.open(url) as database:
        yield database


def vtt(*cues: str) -> str:
    return "WEBVTT\n\n" + "\n\n".join(f"00:00:0{at}.000 --> 00:00:0{at + 1}.000\n{cue}" for at, cue in enumerate(cues))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (vtt("<v Ann>Hello <i>there</i>", "It's R&amp;D\nthere"), "hello there it s r d"),
        (vtt("<c.red>wo</c><c.blue>rd</c> 1 &lt; 2"), "word 1 2"),
        ("WEBVTT\n\nNOTE nobody says this\n\nSTYLE\n::cue {}\n\n" + vtt("said").partition("\n\n")[2], "said"),
    ],
)
def test_what_is_said(text: str, found: str) -> None:
    assert words_of(text) == found


async def found_by(database: Database, search: str) -> int:
    async with database.read() as transaction:
        page = await videos.page(transaction, DEFAULT_PROJECT, videos.Filter(search=search), Paging())
        return page.total


async def put(texts: Texts, transaction: Transaction, video: Video, kind: Kind, cue: str) -> None:
    text = checked(vtt(cue).encode())
    await texts.put(transaction, video, kind, "en", text, spoken=await said(kind, text))


async def test_what_is_kept_replaced_and_removed_is_found_so(database: Database, tmp_path: Path) -> None:
    texts = Texts(database, Layout(tmp_path))
    async with database.write() as transaction:
        video = await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="title"))
        await put(texts, transaction, video, "captions", "whale")
        await put(texts, transaction, video, "chapters", "shark")
    assert [await found_by(database, each) for each in ("whale title", "shark")] == [1, 0]
    async with database.write() as transaction:
        await put(texts, transaction, video, "captions", "dolphin")
    assert [await found_by(database, each) for each in ("whale", "dolphin")] == [0, 1]
    async with database.write() as transaction:
        row = await text_tracks.get(transaction, video.id, "captions", "en")
        assert row is not None
        await texts.remove(transaction, video, row)
    assert await found_by(database, "dolphin") == 0


async def test_captions_of_before_are_read_some_at_a_time(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_words, "AT_ONCE", 2)
    layout = Layout(tmp_path)
    async with database.write() as transaction:
        video = await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="title"))
        for language, text in (("en", vtt("whale")), ("fr", "no captions"), ("de", None)):
            ids = {"video_id": video.id, "project_id": DEFAULT_PROJECT}
            transaction.add(TextTrack(kind="captions", language=language, **ids))
            path = layout.text_track(video.id, "captions", language, 1)
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text)
    reading = TextWords(database, layout)
    assert [await reading.round() for _ in range(3)] == [2, 1, 0]
    assert await found_by(database, "whale") == 1
