"""Which videos a rule lets go, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.catalog import events, keys, live_streams, retention, videos
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, LiveStream, Project, Video
from server.catalog.retention import RECORDINGS, UPLOADS, Rule, Shelf

NOW = datetime(2026, 5, 1, tzinfo=UTC)
OF_PROJECT = Shelf(UPLOADS, Rule(), DEFAULT_PROJECT)


async def add(database: Database, name: str, age_days: float, bytes: int | None = 100, **fields: Any) -> str:
    values = {"project_id": DEFAULT_PROJECT, "source": "upload", "state": "done", **fields}
    row = Video(**values, title=name, created_at=NOW - timedelta(days=age_days), source_bytes=bytes)
    async with database.write() as transaction:
        await keys.default_project(transaction)
        await videos.add(transaction, row)
    return row.id


async def live(database: Database, stated: dict[str, Any] | None) -> str:
    row = LiveStream(
        project_id=DEFAULT_PROJECT, name="live", stream_key=live_streams.new_stream_key(), retention=stated
    )
    async with database.write() as transaction:
        await keys.default_project(transaction)
        await live_streams.add(transaction, row)
    return row.id


async def due(database: Database, shelf: Shelf, limit: int = 100) -> list[tuple[str, str]]:
    """Titles and reasons."""
    async with database.read() as transaction:
        found = await retention.due(transaction, shelf, NOW, limit)
        rows = [await videos.find(transaction, each.id) for each in found]
    return [(row.title, each.reason) for row, each in zip(rows, found, strict=True) if row]


@pytest.mark.parametrize(
    ("rule", "gone"),
    [
        (Rule(days=7), ["30", "8"]),
        (Rule(days=30.5), []),
        (Rule(count=2), ["30", "8"]),
        (Rule(bytes=250), ["30", "8"]),
        (Rule(bytes=10), ["30", "8", "3"]),  # the newest stays, whatever it weighs
        (Rule(days=20, count=3), ["30"]),
        (Rule(days=5, count=1), ["30", "8", "3"]),
        (Rule(days=5, keep_tags=("keep", "gold")), ["8"]),
        (Rule(count=1, keep_tags=("gold",)), ["8", "3"]),  # what is kept takes nobody's place
    ],
)
async def test_a_rule(database: Database, rule: Rule, gone: list[str]) -> None:
    for name, age, tags in (("30", 30, ["gold", "x"]), ("1", 1, []), ("8", 8, ["golden"]), ("3", 3, ["keep-me"])):
        await add(database, name, age, tags=tags)

    found = await due(database, replace(OF_PROJECT, rule=rule))

    assert [name for name, _ in found] == gone


async def test_the_reason_is_told_and_the_oldest_come_first(database: Database) -> None:
    for age in (1, 2, 3, 40):
        await add(database, str(age), age)

    found = await due(database, replace(OF_PROJECT, rule=Rule(days=30, count=2, bytes=100)))

    assert found == [
        ("40", "older than 30 days"),
        ("3", "more than 2 videos"),
        ("2", "more than 100 bytes of videos"),
    ]
    assert await due(database, replace(OF_PROJECT, rule=Rule(count=1)), limit=2) == [
        ("40", "more than 1 videos"),
        ("3", "more than 1 videos"),
    ]


async def test_only_videos_that_have_come_and_are_there_count(database: Database) -> None:
    other = Project(name="another")
    async with database.write() as transaction:
        transaction.add(other)
    await add(database, "failed", 9, source=None, state="error")
    await add(database, "coming", 9, source=None, state="uploading")
    await add(database, "waits for a file", 9, bytes=None, source=None, state="pending")
    await add(database, "being made", 9, state="processing")
    await add(database, "discarded", 9, discarded_at=NOW)
    await add(database, "version", 9, version_of="vi1")
    await add(database, "recording", 9, source="live", live_stream_id="li1")
    await add(database, "another's", 9, project_id=other.id)

    assert await due(database, replace(OF_PROJECT, rule=Rule(days=1))) == [("failed", "older than 1 days")]


async def test_recordings_are_counted_for_each_live_stream_and_clips_are_never_due(database: Database) -> None:
    one, two, own = [await live(database, stated) for stated in (None, None, {"count": 7})]
    for stream in (one, two, own, None):
        for age in (1, 2):
            await add(database, f"{age}", age, source="live", live_stream_id=stream)
    await add(database, "clip", 9, source="live", live_stream_id=one, segments={"first": 1, "last": 2, "head_ms": 0})
    await add(database, "interval", 9, source="live", live_stream_id=one, segments={"first": 1, "last": 2})
    rest = Shelf(RECORDINGS, Rule(count=1), DEFAULT_PROJECT, but=(own,))

    assert [name for name, _ in await due(database, rest)] == ["interval", "2", "2", "2"]
    assert await due(database, replace(rest, live_stream_id=own, but=())) == [("2", "more than 1 recordings")]


async def test_whose_rule_goes_before_whose(database: Database) -> None:
    own, none = await live(database, {"days": 2}), await live(database, None)
    async with database.write() as transaction:
        assert await retention.change(transaction, DEFAULT_PROJECT, {RECORDINGS: {"count": 5}, UPLOADS: None}) == {
            RECORDINGS: {"count": 5}
        }
    async with database.read() as transaction:
        found = await retention.shelves(transaction, Rule(days=30, bytes=9), Rule(keep_tags=("x",)))
        told = await events.of_object(transaction, DEFAULT_PROJECT, DEFAULT_PROJECT)

    assert found == [  # none for uploads: tags alone set no limit
        Shelf(RECORDINGS, Rule(2, 5, 9), DEFAULT_PROJECT, own),
        Shelf(RECORDINGS, Rule(30, 5, 9), DEFAULT_PROJECT, but=(own,)),
    ]
    assert none not in found[1].but
    assert told[-1].type == "project.retention"


async def test_a_project_s_rule_is_taken_back(database: Database) -> None:
    async with database.write() as transaction:
        await keys.default_project(transaction)
        await retention.change(transaction, DEFAULT_PROJECT, {UPLOADS: {"days": 1, "keep_tags": ["a"]}})
    async with database.read() as transaction:
        (shelf,) = await retention.shelves(transaction, Rule(), Rule(days=5, count=3))
        assert (shelf.kind, shelf.rule) == (UPLOADS, Rule(1, 3, None, ("a",)))
    async with database.write() as transaction:
        assert await retention.change(transaction, DEFAULT_PROJECT, {UPLOADS: None}) == {}
    async with database.read() as transaction:
        assert await retention.shelves(transaction, Rule(), Rule()) == []


async def test_what_makes_room_first_is_what_was_discarded(database: Database) -> None:
    stream = await live(database, None)
    for name, age, more in (("new", 1, {}), ("old", 9, {}), ("discarded", 5, {"discarded_at": NOW}), ("kept", 20, {})):
        await add(database, name, age, source="live", live_stream_id=stream, **more,
                  tags=["keep"] if name == "kept" else [])  # fmt: skip
    shelf = Shelf(RECORDINGS, Rule(count=50, keep_tags=("keep",)), DEFAULT_PROJECT)

    async with database.read() as transaction:
        found = await retention.oldest(transaction, shelf, 2)
        titles = [row.title for each in found if (row := await videos.find(transaction, each.id))]

    assert titles == ["discarded", "old"]
    assert [(each.bytes, each.discarded) for each in found] == [(100, True), (100, False)]
