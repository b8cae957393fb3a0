"""What of old playback sessions goes, and what stays of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from server import clock
from server.app import sweeping
from server.catalog import analytics, projects, session_aging
from server.catalog.analytics import DIMENSIONS, Metric, Scope
from server.catalog.control_models import PlaybackEvent, PlaybackSession, PlaybackTotal
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Project, Video
from server.catalog.session_aging import SessionAging

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEPT = timedelta(days=10)
PLAY = Metric("play")


def session(days: float, **more: Any) -> PlaybackSession:
    """Loaded so many days ago."""
    at = NOW - timedelta(days=days)
    fields = {"project_id": DEFAULT_PROJECT, "media_id": "vi1", "media_type": "video", "loaded_at": at, "heard_at": at,
              "plays": 1, "country": "FR"}  # fmt: skip
    return PlaybackSession(**{**fields, **more})


def told(session_id: str) -> PlaybackEvent:
    return PlaybackEvent(project_id=DEFAULT_PROJECT, session_id=session_id, type="play", emitted_at=NOW)


async def turn(database: Database, aging: SessionAging) -> bool:
    async with database.read() as transaction:
        if not await aging.look(transaction, NOW):
            return False
    async with database.write() as transaction:
        return await aging.sweep(transaction, NOW)


async def count(database: Database, model: Any) -> int:
    async with database.read() as transaction:
        return await transaction.scalar(select(func.count()).select_from(model)) or 0


async def test_plays_are_the_same_before_and_after(database: Database) -> None:
    """By whatever they can be asked."""
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        transaction.add(Video(id="vi1", project_id=DEFAULT_PROJECT, title="A", tags=["sea"]))
        await transaction.flush()
        for number, more in enumerate(
            ({}, {}, {"country": "DE", "plays": 3}, {"media_id": "vi2"}, {"plays": 0, "country": "US"},
             {"referrer": "https://example.com/" + "a" * 5000}, {"project_id": "pr2"})
        ):  # fmt: skip
            transaction.add(session(11 + number, **more))
        transaction.add(session(9, country="DE"))

    async def asked() -> list[Any]:
        found: list[Any] = []
        async with database.read() as transaction:
            for narrower in ({}, {"dimensions": {"country": ["DE"]}}, {"tag": "sea"}):
                scope = Scope(DEFAULT_PROJECT, None, NOW, **narrower)
                found.append(await analytics.value(transaction, scope, PLAY))
                for each in DIMENSIONS:
                    buckets = await analytics.buckets(transaction, scope, PLAY, each)
                    found.append(sorted(bucket for bucket in buckets if bucket[1]))
        return found

    before = await asked()
    assert before[0] == 8
    assert await turn(database, SessionAging(KEPT)) is False
    assert await count(database, PlaybackSession) == 1
    assert await asked() == before
    async with database.read() as transaction:
        recent = Scope(DEFAULT_PROJECT, NOW - KEPT, NOW)
        assert await analytics.value(transaction, recent, PLAY) == 1  # what has a time counts what is kept


async def test_totals_grow(database: Database) -> None:
    for days in (12, 11):
        async with database.write() as transaction:
            transaction.add(session(days))
        await turn(database, SessionAging(KEPT))
    async with database.read() as transaction:
        assert list(await transaction.scalars(select(PlaybackTotal.plays))) == [2]


async def test_the_referrers_of_few_plays_become_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_aging, "REFERRERS", 2)
    monkeypatch.setattr(session_aging, "FOLDED_AT_ONCE", 3)
    plays = {"": 1, "https://a": 5, "https://b": 4, "https://c": 3, "https://d": 2, "https://e": 1}
    aging = SessionAging(KEPT)
    for _ in range(2):
        async with database.write() as transaction:
            for referrer, count in plays.items():
                transaction.add(session(12, referrer=referrer, plays=count))
                transaction.add(session(12, referrer=referrer, plays=1, country="DE"))
            transaction.add(session(12, referrer="https://c", media_id="vi2"))
        await turn(database, aging)

    async with database.read() as transaction:
        found = await analytics.buckets(transaction, Scope(DEFAULT_PROJECT, None, NOW), PLAY, "referrer")
        rows = await transaction.execute(
            select(PlaybackTotal.country, PlaybackTotal.plays).where(PlaybackTotal.referrer == session_aging.OTHERS)
        )
        others = sorted((country, plays) for country, plays in rows)
    assert sorted(found) == [("", 4), ("https://a", 12), ("https://b", 10), ("https://c", 2), ("other", 18)]
    assert others == [("DE", 6), ("FR", 12)]


async def test_long_sessions_go_in_turns(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_aging, "AT_ONCE", 2)
    monkeypatch.setattr(session_aging, "EVENTS_AT_ONCE", 3)
    async with database.write() as transaction:
        rows = [session(days) for days in (14, 13, 12, 11, 1)]
        for row in rows:
            transaction.add(row)
        await transaction.flush()
        for row in (rows[0],) * 4 + (rows[4],):
            transaction.add(told(row.id))
    aging, left = SessionAging(KEPT), []
    while await turn(database, aging):
        left.append((await count(database, PlaybackEvent), await count(database, PlaybackSession)))
    assert left == [(2, 5), (1, 3), (1, 1)]


async def test_the_server_sweeps_them(database: Database) -> None:
    async with database.write() as transaction:
        transaction.add(session(0, loaded_at=clock.now() - KEPT * 2))
        transaction.add(session(0, loaded_at=clock.now()))
    async with sweeping.sweeping(database, [SessionAging(KEPT)]), asyncio.timeout(10):
        while await count(database, PlaybackSession) > 1:
            await asyncio.sleep(0.01)


async def test_they_keep_no_project_from_going(database: Database) -> None:
    async with database.write() as transaction:
        project = await projects.add(transaction, Project(id="pr2", name="another"))
        for days in (1, 20):
            transaction.add(session(days, project_id="pr2"))
        await transaction.flush()
    await turn(database, SessionAging(KEPT))
    async with database.write() as transaction:
        found = await transaction.get(Project, project.id)
        assert found is not None
        assert await projects.contents(transaction, found) == []
        await projects.remove(transaction, found)
    assert [await count(database, each) for each in (PlaybackSession, PlaybackTotal)] == [0, 0]
