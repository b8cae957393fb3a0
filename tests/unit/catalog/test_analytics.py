"""What was watched, on both databases: a table of sessions whose numbers can be counted by hand."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.catalog import analytics
from server.catalog.analytics import Metric, Scope
from server.catalog.control_models import PlaybackEvent, PlaybackSession
from server.catalog.database import Database
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Project, Video

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
A, B = "viA", "viB"

# (media, viewer, loaded minutes after noon, seconds watched, and what else)
SESSIONS: list[tuple[str, str, int, float, Mapping[str, Any]]] = [
    (A, "ann", 0, 60.0, {"ends": 1, "country": "FR", "browser": "firefox", "waited_ms": 300}),
    (A, "bob", 0, 20.0, {"country": "FR", "browser": "chrome", "waited_ms": 100}),
    (A, "ann", 61, 4.0, {"country": "DE", "browser": "firefox", "waited_ms": 200}),
    (B, "cid", 62, 0.0, {"plays": 0, "starts": 0, "played_at": None, "country": "DE"}),
]


@pytest.fixture
async def watched(database: Database) -> Database:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        transaction.add(Video(id=A, project_id=DEFAULT_PROJECT, title="A", tags=["holiday", "sea"]))
        transaction.add(Video(id=B, project_id=DEFAULT_PROJECT, title="B", tags=["work"]))
        await transaction.flush()
        for media, viewer, minute, watched_s, more in SESSIONS:
            transaction.add(session(media, viewer, minute, watched_s, **more))
        transaction.add(session("viC", "dan", 0, 100.0, project_id="pr2"))
    return database


def session(media: str, viewer: str, minute: int, watched_s: float, **more: Any) -> PlaybackSession:
    loaded = NOON + timedelta(minutes=minute)
    fields = {
        "project_id": DEFAULT_PROJECT, "media_id": media, "media_type": "video", "viewer": viewer,
        "loaded_at": loaded, "played_at": loaded, "heard_at": loaded + timedelta(seconds=watched_s),
        "plays": 1, "starts": 1, "watched_s": watched_s,
    }  # fmt: skip
    return PlaybackSession(**{**fields, **more})


def scope(**more: Any) -> Scope:
    fields = {"project_id": DEFAULT_PROJECT, "since": NOON, "until": NOON + timedelta(hours=2)}
    return Scope(**{**fields, **more})


async def value(database: Database, metric: Metric, **narrower: Any) -> float:
    async with database.read() as transaction:
        return await analytics.value(transaction, scope(**narrower), metric)


VALUES = [
    (Metric("play"), {}, 3),
    (Metric("play-rate"), {}, 0.75),
    (Metric("start"), {}, 3),
    (Metric("end"), {}, 1),
    (Metric("impression"), {}, 4),
    (Metric("impression-time"), {}, 600),
    (Metric("impression-time", mean=True), {}, 200),
    (Metric("watch-time"), {}, 84),
    (Metric("watch-time", mean=True), {}, 21),
    (Metric("view", least_s=5), {}, 2),
    (Metric("view", least_s=30), {}, 1),
    (Metric("view", least_s=3, unique=True), {}, 2),
    (Metric("ccv-peak"), {}, 2),
    (Metric("ccv-average"), {}, 84 / 7200),
    (Metric("play"), {"since": NOON + timedelta(hours=1)}, 1),
    (Metric("play"), {"since": None}, 3),
    (Metric("play"), {"until": NOON}, 0),
    (Metric("play"), {"dimensions": {"country": ["DE"]}}, 1),
    (Metric("play"), {"dimensions": {"country": ["FR", "DE"], "browser": ["firefox"]}}, 2),
    (Metric("ccv-peak"), {"dimensions": {"browser": ["chrome"]}}, 1),
    (Metric("impression"), {"tag": "sea"}, 3),
    (Metric("impression"), {"tag": "nothing"}, 0),
    (Metric("play"), {"project_id": "pr2"}, 1),
    (Metric("watch-time", mean=True), {"project_id": "pr-none"}, 0),
    (Metric("ccv-average"), {"since": None}, 0),
]


async def test_values(watched: Database) -> None:
    for metric, narrower, wanted in VALUES:
        assert await value(watched, metric, **narrower) == pytest.approx(wanted), (metric, narrower)


async def test_one_viewer_twice_at_once_is_one_where_asked(watched: Database) -> None:
    async with watched.write() as transaction:
        transaction.add(session(A, "ann", 0, 30.0))

    assert await value(watched, Metric("ccv-peak")) == 3
    assert await value(watched, Metric("ccv-peak", unique=True)) == 2


@pytest.mark.parametrize(
    ("metric", "dimension", "wanted"),
    [
        (Metric("play"), "media-id", {A: 3, B: 0}),
        (Metric("impression"), "country", {"FR": 2, "DE": 2}),
        (Metric("play"), "browser", {"firefox": 2, "chrome": 1, "unknown": 0}),
        (Metric("ccv-peak"), "media-id", {A: 2}),
        (Metric("ccv-peak"), "country", {"FR": 2, "DE": 1}),
        (Metric("view", least_s=5), "media-type", {"video": 2}),
    ],
)
async def test_buckets(watched: Database, metric: Metric, dimension: str, wanted: Mapping[str, float]) -> None:
    async with watched.read() as transaction:
        assert dict(await analytics.buckets(transaction, scope(), metric, dimension)) == wanted


@pytest.mark.parametrize(
    ("metric", "interval", "wanted"),
    [
        (Metric("impression"), "hour", {0: 2, 60: 2}),
        (Metric("impression"), "minute", {0: 2, 61: 1, 62: 1}),
        (Metric("impression"), "day", {-720: 4}),
        (Metric("ccv-peak"), "hour", {0: 2, 60: 1}),
        (Metric("ccv-average"), "minute", {0: 80 / 60, 61: 4 / 60}),
    ],
)
async def test_series(watched: Database, metric: Metric, interval: Any, wanted: Mapping[int, float]) -> None:
    async with watched.read() as transaction:
        found = await analytics.series(transaction, scope(), metric, interval)

    assert dict(found) == {NOON + timedelta(minutes=minute): pytest.approx(each) for minute, each in wanted.items()}


async def test_sessions_and_their_events(watched: Database) -> None:
    async with watched.write() as transaction:
        newest = session(A, "eve", 90, 1.0)
        transaction.add(newest)
        await transaction.flush()
        for type, at in (("play", 0), ("pause", 1000)):
            transaction.add(
                PlaybackEvent(
                    project_id=DEFAULT_PROJECT, session_id=newest.id, type=type, emitted_at=NOON, at_ms=at
                )
            )

    async with watched.read() as transaction:
        page = await analytics.sessions(transaction, DEFAULT_PROJECT, A, NOON, None, Paging(size=2))
        none = await analytics.sessions(transaction, DEFAULT_PROJECT, A, None, NOON, Paging())
        told = await analytics.events_of(transaction, newest.id, Paging())
        assert await analytics.session(transaction, "pr2", newest.id) is None
    assert (page.total, page.rows[0].id, none.total) == (4, newest.id, 0)
    assert [(each.type, each.at_ms) for each in told.rows] == [("play", 0), ("pause", 1000)]
