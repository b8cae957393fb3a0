"""The cache of watchable assets: true after every commit, and asks the database once."""

import asyncio
import sqlite3
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from server import ids
from server.catalog import live_streams, sqlite_driver, videos
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, LiveStream, Video
from server.playback import assets as module
from server.playback.assets import Assets, spellings
from server.playback.kept import ABSENT_TTL_S, TTL_S


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def assets(database: Database, clock: Clock) -> Assets:
    made = Assets(database, clock)
    database.on_commit(made.forget)
    return made


async def add_video(database: Database, **fields: object) -> str:
    async with database.write() as transaction:
        return (await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="A film", **fields))).id


async def add_live(database: Database, **fields: object) -> str:
    async with database.write() as transaction:
        row = LiveStream(project_id=DEFAULT_PROJECT, name="A stream", stream_key="k", **fields)
        return (await live_streams.add(transaction, row)).id


async def test_a_video_as_it_is(database: Database, assets: Assets) -> None:
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    id = await add_video(
        database, public=False, state="done", playable=True, revision=3, source="live", broadcast_id="br1",
        duration_s=61.5, tokens_valid_after=moment, poster_at=moment, player_id="pl1",
    )  # fmt: skip

    asset = await assets.get(id)

    assert asset is not None
    assert (asset.id, asset.kind, asset.live, asset.project_id) == (id, "video", False, DEFAULT_PROJECT)
    assert (asset.title, asset.public, asset.state, asset.playable) == ("A film", False, "done", True)
    assert (asset.revision, asset.source, asset.broadcast_id) == (3, "live", "br1")
    assert (asset.duration_s, asset.tokens_valid_after) == (61.5, moment.timestamp())
    assert (asset.has_poster, asset.player_id) == (True, "pl1")


async def test_a_live_stream_as_it_is(database: Database, assets: Assets) -> None:
    id = await add_live(database, state="broadcasting", broadcast_id="br1", latency_mode="reduced")

    asset = await assets.get(id)

    assert asset is not None
    assert (asset.kind, asset.live, asset.title, asset.playable) == ("live", True, "A stream", True)
    assert (asset.broadcast_id, asset.latency_mode, asset.has_poster) == ("br1", "reduced", False)


async def test_the_second_time_asks_nobody(database: Database, assets: Assets) -> None:
    id = await add_video(database)

    first, second = await assets.get(id), await assets.get(id)

    assert first is second is not None
    assert assets.misses == 1


async def test_a_thousand_at_once_make_one_query(database: Database, assets: Assets) -> None:
    id = await add_video(database)

    found = await asyncio.gather(*(assets.get(id) for _ in range(1000)))

    assert {asset.id for asset in found if asset} == {id}
    assert assets.misses == 1


async def test_a_commit_is_seen_at_once(database: Database, assets: Assets) -> None:
    id = await add_video(database)
    before = await assets.get(id)

    async with database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        video.public = False
        still = await assets.get(id)
    after = await assets.get(id)

    assert before is still
    assert after is not None
    assert after.public is False


async def test_who_was_told_of_a_commit_is_not_shown_what_was_before(
    database: Database, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit is seen by readers before the loop knows that it is done: its thread may have to wait for its turn."""
    id = await add_video(database, public=True)
    await assets.get(id)
    worked, go_on = sqlite_driver._Connection._worked, threading.Event()

    def held(connection: Any, work: Any, arguments: Any) -> None:
        worked(connection, work, arguments)
        if work is sqlite3.Connection.commit:
            go_on.wait(10)

    async def change() -> None:
        async with database.write() as transaction:
            video = await videos.find(transaction, id)
            assert video
            video.public = False

    async def told() -> bool:
        async with database.read() as transaction:
            video = await videos.find(transaction, id)
        return video is not None and not video.public

    monkeypatch.setattr(sqlite_driver._Connection, "_worked", held)
    changing = asyncio.create_task(change())
    async with asyncio.timeout(10):
        while not await told():
            await asyncio.sleep(0)
    assert not changing.done()

    shown, peeked = await assets.get(id), assets.peek(id, "video")
    go_on.set()
    await changing

    assert shown is not None
    assert (shown.public, peeked) == (False, shown)


async def test_a_deleted_video_is_gone_at_once(database: Database, assets: Assets) -> None:
    id = await add_video(database)
    await assets.get(id)

    async with database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        await videos.remove(transaction, video)

    assert await assets.get(id) is None


async def test_a_rolled_back_change_drops_nothing(database: Database, assets: Assets) -> None:
    id = await add_video(database)
    before = await assets.get(id)

    async def fail() -> None:
        async with database.write() as transaction:
            video = await videos.find(transaction, id)
            assert video
            video.title = "Never"
            await transaction.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await assets.get(id) is before


async def test_a_row_read_before_a_change_is_not_kept_after_it(database: Database, assets: Assets) -> None:
    id = await add_video(database)
    loading = asyncio.create_task(assets.get(id))
    while not assets.misses:
        await asyncio.sleep(0)  # until it has begun to read
    assets.forget({id})

    await loading

    assert id not in assets._rows._entries


async def test_what_is_not_there_is_asked_for_seldom(assets: Assets, clock: Clock) -> None:
    id = ids.new("vi")
    assert await assets.get(id) is None
    assert await assets.get(id) is None
    assert assets.misses == 1

    clock.now += ABSENT_TTL_S + 0.1

    assert await assets.get(id) is None
    assert assets.misses == 2


async def test_a_video_that_appears_is_seen_at_once(database: Database, assets: Assets) -> None:
    id = ids.new("vi")
    assert await assets.get(id) is None

    await add_video(database, id=id)

    assert await assets.get(id) is not None


async def test_another_processes_change_is_seen_in_a_while(database: Database, assets: Assets, clock: Clock) -> None:
    id = await add_video(database)
    await assets.get(id)
    clock.now += TTL_S + 0.1

    await assets.get(id)

    assert assets.misses == 2


SPELLINGS: list[Callable[[str], str]] = [
    lambda id: id,
    lambda id: id[2:],
    lambda id: str(ids.to_uuid(id[:2], id)),
    lambda id: ids.to_uuid(id[:2], id).hex.upper(),
]
NO_IDS = ["", "vi", "../../etc/passwd", "vi" + "0" * 22, "x" * 5000, "vi%2e%2e", "pr" + "1" * 22]


@pytest.mark.parametrize("spell", SPELLINGS)
async def test_every_spelling_finds_it(database: Database, assets: Assets, spell: Callable[[str], str]) -> None:
    video, live = await add_video(database), await add_live(database)

    for id in (video, live):
        asset = await assets.find(spell(id))
        assert asset is not None
        assert asset.id == id


async def test_the_kind_narrows_a_bare_id(database: Database, assets: Assets) -> None:
    video = await add_video(database)

    assert await assets.find(video[2:], "video") is not None
    assert await assets.find(video[2:], "live") is None
    assert await assets.find(video, "live") is None


@pytest.mark.parametrize("text", NO_IDS)
async def test_what_is_no_id_is_not_looked_up(assets: Assets, text: str) -> None:
    assert await assets.find(text) is None
    assert assets.misses == 0


async def test_the_cache_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_SIZE", 2)
    assets = Assets(database)
    made = [await add_video(database) for _ in range(3)]
    for id in made:
        await assets.get(id)

    assert list(assets._rows._entries) == made[1:]


async def test_a_failed_read_is_told_and_not_kept(
    assets: Assets, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await add_video(database)

    async def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(videos, "find", fail)
        with pytest.raises(OSError, match="the disk is gone"):
            await assets.get(id)

    assert await assets.get(id) is not None


def test_a_bare_id_may_be_either() -> None:
    bare = ids.encode(uuid.uuid4())

    assert spellings(bare) == ("vi" + bare, "li" + bare, "pb" + bare)
