"""Files that go with videos: stored whole or not at all, and swept."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from server import clock
from server.catalog import keys, materials, videos
from server.catalog.database import Database
from server.catalog.library_models import Material
from server.catalog.materials import TooMany
from server.catalog.models import DEFAULT_PROJECT, Video
from server.errors import Problem
from server.storage.layout import Layout
from server.vod import materials as stored
from server.vod.materials import Materials
from tests.harness import catalogue


@pytest.fixture
def url(tmp_path: Path) -> str:
    return catalogue.copy(tmp_path)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with Database.open(url) as database:
        async with database.write() as transaction:
            await keys.default_project(transaction)
        yield database


@pytest.fixture
def store(database: Database, tmp_path: Path) -> Materials:
    return Materials(database, Layout(tmp_path), 0)


async def chunks(*data: bytes, broken: bool = False) -> AsyncIterator[bytes]:
    for each in data:
        yield each
    if broken:
        raise ConnectionResetError


def row(size: int | None = 1) -> Material:
    return Material(project_id=DEFAULT_PROJECT, title="a", filename="a", filetype="text/plain", size=size)


async def add(database: Database, *rows: Material) -> Video:
    async with database.write() as transaction:
        video = await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="V"))
        for each in rows:
            each.video_id = video.id
            await materials.add(transaction, video, each)
    return video


async def test_a_file_is_there_when_it_is_whole(store: Materials) -> None:
    assert await store.keep("ma1", 6, chunks(b"abc", b"def")) == 6
    assert store.path("ma1").read_bytes() == b"abcdef"


async def test_nothing_stays_of_what_is_not(store: Materials, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MAX_BYTES", 5)
    for expected, data, code in (
        (None, chunks(), "uploaded-file-empty"),
        (6, chunks(b"abcdef"), "uploaded-file-too-large"),
        (None, chunks(b"abc", b"def"), "uploaded-file-too-large"),
    ):
        with pytest.raises(Problem) as caught:
            await store.keep("ma1", expected, data)
        assert caught.value.code == code
    with pytest.raises(ConnectionResetError):
        await store.keep("ma1", None, chunks(b"abc", broken=True))
    assert list(store.path("ma1").parent.iterdir()) == []


async def test_room_is_left(database: Database, tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        await Materials(database, Layout(tmp_path), 1 << 60).keep("ma1", 1, chunks(b"a"))
    assert caught.value.code == "storage-full"


async def test_what_has_no_row_is_swept(store: Materials, database: Database) -> None:
    kept = row()
    await add(database, kept)
    for name in (kept.id, "ma1", "new0123"):
        await store.keep(name, 1, chunks(b"a"))

    await store.sweep()

    assert [path.name for path in store.path("ma1").parent.iterdir()] == [kept.id]


async def test_addresses_that_nobody_used_make_room(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materials, "MOST", 1)
    waiting = row(None)
    video = await add(database, waiting)
    async with database.write() as transaction:
        with pytest.raises(TooMany):
            await materials.add(transaction, video, row())
    later = clock.now() + timedelta(days=2)
    monkeypatch.setattr(clock, "now", lambda: later)

    async with database.write() as transaction:
        fresh = row()
        fresh.video_id = video.id
        await materials.add(transaction, video, fresh)
        assert await materials.find(transaction, waiting.id) is None
        assert [each.id for each in await materials.of_videos(transaction, [video.id])] == [fresh.id]
