"""Which recordings go, and that they do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.catalog import events, live_streams, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, LiveStream, Video
from server.recorder.retention import Expired, Recording, Retention, Rule, crowded_out, expired

NOW = datetime(2026, 5, 1, tzinfo=UTC)
KEPT = Rule()


def recordings(*ages_days: float, bytes: int = 100) -> list[Recording]:
    return [Recording(f"vi{age:g}", NOW - timedelta(days=age), bytes) for age in ages_days]


@pytest.mark.parametrize(
    ("rule", "gone"),
    [
        (Rule(), []),
        (Rule(days=7), ["vi8", "vi30"]),
        (Rule(days=30), []),
        (Rule(count=2), ["vi8", "vi30"]),
        (Rule(bytes=250), ["vi8", "vi30"]),
        (Rule(bytes=10), ["vi3", "vi8", "vi30"]),  # the newest stays, whatever it weighs
        (Rule(days=20, count=3), ["vi30"]),
        (Rule(days=5, count=1), ["vi3", "vi8", "vi30"]),
    ],
)
def test_a_rule(rule: Rule, gone: list[str]) -> None:
    assert [each.id for each in expired(recordings(30, 1, 8, 3), rule, NOW)] == gone


def test_the_oldest_make_room() -> None:
    found = crowded_out(recordings(1, 30, 8, 3), 150)

    assert found == [Expired("vi30", "the disk is nearly full"), Expired("vi8", "the disk is nearly full")]
    assert crowded_out(recordings(1), 0) == []


def test_a_live_stream_s_own_rule_goes_before_the_server_s() -> None:
    server = Rule(days=30, count=10)

    assert Rule.of(None, server) == server
    assert Rule.of({"days": 2}, server) == Rule(days=2, count=10)
    assert not Rule.of(None, Rule()).limits


class Shelf:
    """Recordings of two live streams: one with a rule of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.free = 1 << 40
        self.deleted: list[str] = []

    async def add(self, live: LiveStream | None, age_days: float, **fields: Any) -> str:
        row = Video(
            project_id=DEFAULT_PROJECT, title="recording", source="live", live_stream_id=live.id if live else None,
            created_at=datetime.now(UTC) - timedelta(days=age_days), source_bytes=100, **fields,
        )  # fmt: skip
        async with self.database.write() as transaction:
            await videos.add(transaction, row)
        return row.id

    async def live(self, retention: dict[str, Any] | None) -> LiveStream:
        row = LiveStream(
            project_id=DEFAULT_PROJECT, name="live", stream_key=live_streams.new_stream_key(), retention=retention
        )
        async with self.database.write() as transaction:
            await live_streams.add(transaction, row)
        return row

    async def round(self, rule: Rule = KEPT, low_water_bytes: int = 0) -> list[str]:
        self.deleted.clear()
        retention = Retention(self.database, rule, low_water_bytes, lambda: self.free, self._delete)
        assert await retention.round() == len(self.deleted) == retention.deleted
        return self.deleted


    async def _delete(self, transaction: Transaction, video: Video) -> None:
        self.deleted.append(video.id)
        await videos.remove(transaction, video)


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


async def test_what_is_due_goes_and_says_why(shelf: Shelf) -> None:
    ruled, free = await shelf.live({"days": 7}), await shelf.live(None)
    old, new = await shelf.add(ruled, 8), await shelf.add(ruled, 1)
    await shelf.add(free, 100)

    assert await shelf.round() == [old]
    assert await shelf.round() == []
    async with shelf.database.read() as transaction:
        told = await events.of_object(transaction, DEFAULT_PROJECT, old)
        assert await videos.find(transaction, new) is not None
    assert [event.type for event in told][-2:] == ["video.expired", "video.deleted"]
    assert told[-2].payload["reason"] == "older than 7 days"


async def test_the_server_s_rule_is_for_those_without_one(shelf: Shelf) -> None:
    ruled, free = await shelf.live({"count": 5}), await shelf.live(None)
    kept = await shelf.add(ruled, 1), await shelf.add(ruled, 2), await shelf.add(free, 1)
    old = await shelf.add(free, 2)

    assert await shelf.round(Rule(count=1)) == [old]
    async with shelf.database.read() as transaction:
        assert all([await videos.find(transaction, id) for id in kept])


async def test_clips_are_never_due(shelf: Shelf) -> None:
    live = await shelf.live({"days": 1})
    await shelf.add(live, 9, segments={"first": 1, "last": 2, "head_ms": 0, "tail_ms": 0})
    interval = await shelf.add(live, 9, segments={"first": 1, "last": 2})

    assert await shelf.round() == [interval]


async def test_a_full_disk_takes_the_oldest_of_those_with_a_rule(shelf: Shelf) -> None:
    ruled, free = await shelf.live({"count": 50}), await shelf.live(None)
    await shelf.add(free, 100)
    oldest, older = await shelf.add(ruled, 9), await shelf.add(ruled, 8)
    await shelf.add(ruled, 1)
    shelf.free = 850

    assert await shelf.round(low_water_bytes=1000) == [oldest, older]
