"""Rows of collections: videos keep their order."""

from collections.abc import Sequence

import pytest

from server.catalog import collections, events, videos
from server.catalog.collections import TooMany
from server.catalog.database import Database, Transaction
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Video
from server.catalog.organisation_models import Collection


async def made(transaction: Transaction, titles: str = "") -> tuple[Collection, dict[str, str]]:
    """A collection, and as many videos with a letter as title, in it."""
    row = await collections.add(transaction, Collection(project_id=DEFAULT_PROJECT, name="c"))
    rows = [await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title=title)) for title in titles]
    found = {video.title: video.id for video in rows}
    await collections.put(transaction, row, list(found.values()), None)
    await transaction.flush()
    return row, found


async def order(transaction: Transaction, row: Collection) -> str:
    await transaction.flush()
    return "".join(each.title for each in (await collections.videos(transaction, row, Paging())).rows)


@pytest.mark.parametrize(
    ("moved", "place", "after"),
    [
        ("a", 0, "abcd"),
        ("a", 1, "bacd"),
        ("a", 3, "bcda"),
        ("a", 9, "bcda"),
        ("a", None, "bcda"),
        ("d", 0, "dabc"),
        ("c", 1, "acbd"),
        ("db", 1, "adbc"),
        ("dd", 0, "dabc"),
    ],
)
async def test_moving(database: Database, moved: Sequence[str], place: int | None, after: str) -> None:
    async with database.write() as transaction:
        row, known = await made(transaction, "abcd")
        await collections.put(transaction, row, [known[title] for title in moved], place)
        assert await order(transaction, row) == after
        assert await collections.counts(transaction, [row.id]) == {row.id: 4}


async def test_discarded_videos_keep_their_places_unseen(database: Database) -> None:
    async with database.write() as transaction:
        row, known = await made(transaction, "abc")
        b = await transaction.get_one(Video, known["b"])
        await videos.discard(transaction, b, b.created_at)
        assert await order(transaction, row) == "ac"
        assert not await collections.has(transaction, row, b.id)
        await collections.put(transaction, row, [known["a"]], 1)
        assert await order(transaction, row) == "ca"
        await videos.restore(transaction, b)
        assert await order(transaction, row) == "bca"


async def test_a_deleted_video_is_out(database: Database) -> None:
    async with database.write() as transaction:
        row, known = await made(transaction, "ab")
        await videos.remove(transaction, await transaction.get_one(Video, known["a"]))
        assert await order(transaction, row) == "b"
        await collections.take_out(transaction, row, known["b"])
        assert await order(transaction, row) == ""
        await collections.remove(transaction, row)
    async with database.read() as transaction:
        told = [each.type for each in await events.of_object(transaction, DEFAULT_PROJECT, row.id)]
    whats = ("created", "videos.added", "videos.removed", "deleted")
    assert told == [f"collection.{what}" for what in whats]


async def test_numbers_are_limited(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with database.write() as transaction:
        row, known = await made(transaction, "ab")
        monkeypatch.setattr(collections, "MOST_VIDEOS", 2)
        await collections.put(transaction, row, list(known.values()), 0)  # moving adds none
        another = await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="c"))
        with pytest.raises(TooMany):
            await collections.put(transaction, row, [another.id], None)
        monkeypatch.setattr(collections, "MOST", 1)
        with pytest.raises(TooMany):
            await collections.add(transaction, Collection(project_id=DEFAULT_PROJECT, name="d"))


async def test_lists(database: Database) -> None:
    async with database.write() as transaction:
        first, known = await made(transaction, "a")
        await made(transaction, "b")
        await collections.change(transaction, first, {"name": "z"})
    async with database.read() as transaction:
        page = await collections.page(transaction, DEFAULT_PROJECT, Paging(sort_by="name"))
        assert [row.name for row in page.rows] == ["c", "z"]
        page = await collections.page(transaction, DEFAULT_PROJECT, Paging(), known["a"])
        assert [row.id for row in page.rows] == [first.id]
        assert await collections.get(transaction, "pr2", first.id) is None
