"""Usage and analytics of the Kinescope dialect."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.catalog import folders, viewing
from server.catalog.control_models import PlaybackSession
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Video
from server.catalog.organisation_models import Folder
from server.web.kinescope import billing
from server.web.kinescope.identifiers import uuid_of
from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client

DAY = datetime(2026, 1, 14, tzinfo=UTC)  # a Wednesday


async def _whole(client: Client, path: str) -> Any:
    async with client.get(path) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def test_usage(client: Client, database: Database) -> None:
    place = (await asked(client, "POST", "/v1/projects", {"name": "Place"}))["id"]
    default = (await asked(client, "GET", "/v1/projects"))["data"][0]["id"]
    async with client.get("/folders") as response:
        folder_id = (await response.json())["data"][0]["folderId"]
    async with database.write() as transaction:
        for days, size, seconds, folder in ((0, 100, 90.0, None), (1, 50, 60.0, folder_id), (1, 1, 10.0, None)):
            row = Video(
                project_id=DEFAULT_PROJECT, title="x", source_bytes=size, duration_s=seconds, folder_id=folder,
                created_at=DAY + timedelta(days=days, hours=3),
            )  # fmt: skip
            transaction.add(row)
    rows = await asked(client, "GET", "/v1/billing/usage?from=2026-01-14&to=2026-01-17&group_by=project_id")
    found = {(row["date"][:10], row["product"], row["project_id"]): row["usage"] for row in rows}
    assert found == {
        ("2026-01-14", "encoding", default): 2,
        ("2026-01-14", "storage", default): 100,
        ("2026-01-15", "encoding", default): 1,
        ("2026-01-15", "encoding", place): 1,
        ("2026-01-15", "storage", default): 101,
        ("2026-01-15", "storage", place): 50,
        ("2026-01-16", "storage", default): 101,
        ("2026-01-16", "storage", place): 50,
    }
    for query in ("from=2026-01-17&to=2026-01-14", "from=2000-01-01&to=2026-01-01", "from=x", "group_by=x"):
        assert (await refused(client, "GET", f"/v1/billing/usage?{query}"))[:2] == (400, 400400), query
    for query in ("to=0001-01-01", "from=9999-12-30&to=9999-12-31T23:59:59Z"):
        await asked(client, "GET", f"/v1/billing/usage?{query}")


async def test_usage_of_too_many_days_and_projects(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(billing, "ROWS_LIMIT", 6)
    async with database.write() as transaction:
        for name in ("a", "b"):
            folder = await folders.add(transaction, Folder(project_id=DEFAULT_PROJECT, name=name))
            video = Video(project_id=DEFAULT_PROJECT, title="x", source_bytes=1, folder_id=folder.id, created_at=DAY)
            transaction.add(video)
    for to, days in (("2026-01-16", 2), ("2026-01-15", 1)):
        rows = await asked(client, "GET", f"/v1/billing/usage?from=2026-01-14&to={to}")
        assert len(rows) == days * 2
    async with client.get("/v1/billing/usage?from=2026-01-14&to=2026-01-17") as response:
        assert response.status == 400
        text = await response.text()
    assert "from" in text
    assert "Of 2 projects ask for 2 days at most." in text


@pytest.fixture
async def watched(database: Database) -> list[str]:
    """Two videos, by their UUIDs; the first is watched by two."""
    async with database.write() as transaction:
        rows = [Video(project_id=DEFAULT_PROJECT, title=title, duration_s=30.0) for title in ("a", "b")]
        transaction.add_all(rows)
        await transaction.flush()
        for row, viewer, days, plays in ((0, "x", 0, 1), (0, "y", 1, 2), (1, "x", 6, 1), (1, "z", 6, 0)):
            at = DAY + timedelta(days=days, hours=5)
            session = PlaybackSession(
                project_id=DEFAULT_PROJECT, media_id=rows[row].id, media_type="video", viewer=viewer, loaded_at=at,
                heard_at=at, plays=plays, watched_s=10.0 * plays, country="DE", operating_system="Linux",
                device_type="desktop", browser="Firefox",
            )  # fmt: skip
            transaction.add(session)
    return [uuid_of(row.id) for row in rows]


async def test_custom_numbers(client: Client, watched: list[str]) -> None:
    first, second = watched
    stretch = "from=2026-01-14&to=2026-02-01T00:00:00Z"
    found = await _whole(client, f"/v1/analytics?{stretch}&order=view.desc,play.desc&group_entities=video_id")
    assert found["meta"]["order"] == {"view": "desc", "play": "desc"}
    assert found["meta"]["time"]["timezone"] == "UTC"
    rows = [(row["video_id"], row["date"], row["view"], row["play"]) for row in found["data"]]
    assert rows == [
        (first, "2026-01-15T00:00:00Z", 1, 2),
        (first, "2026-01-14T00:00:00Z", 1, 1),
        (second, "2026-01-20T00:00:00Z", 1, 1),
    ]
    cases: tuple[tuple[str, list[tuple[str, int]]], ...] = (
        ("week&fields=unique_view&order=unique_view.desc", [("2026-01-12", 2), ("2026-01-19", 1)]),
        ("month&fields=player_load", [("2026-01-01", 4)]),
        ("hour&fields=watch_time&order=watch_time", [("2026-01-14", 10), ("2026-01-20", 10), ("2026-01-15", 20)]),
        ("month&fields=seek", [("2026-01-01", 0)]),
    )
    for query, wanted in cases:
        found = await _whole(client, f"/v1/analytics?{stretch}&group_entities=&group={query}")
        name = query.partition("fields=")[2].partition("&")[0]
        assert [(row["date"][:10], row[name]) for row in found["data"]] == wanted
    for query in ("fields=x", "group_entities=x", "order=x", "group=x", "from=x"):
        assert (await refused(client, "GET", f"/v1/analytics?{query}"))[0] == 400, query


async def test_of_too_many_rows_those_that_are_asked_for_first(
    client: Client, watched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewing, "ROWS_LIMIT", 1)
    stretch = "from=2026-01-14&to=2026-02-01"
    cases = (
        ("group_entities=&order=play.desc", "2026-01-15"),
        ("group_entities=video_id&order=play.desc", "2026-01-15"),
        ("group_entities=&order=play.asc", "2026-01-14"),
        ("group_entities=&fields=player_load,view&order=view.desc,player_load.desc", "2026-01-20"),
        ("group_entities=&fields=seek,watch_time&order=seek.desc,watch_time.desc", "2026-01-15"),
        ("group_entities=&fields=unique_view&order=unique_view.desc", "2026-01-14"),
    )
    for query, day in cases:
        found = await _whole(client, f"/v1/analytics?{stretch}&{query}")
        assert [row["date"][:10] for row in found["data"]] == [day], query


async def test_an_overview_tells_of_the_most_viewed(
    client: Client, database: Database, watched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.write() as transaction:
        session = PlaybackSession(
            project_id=DEFAULT_PROJECT, media_id="vi1", media_type="video", viewer="x", loaded_at=DAY, heard_at=DAY,
            plays=1, watched_s=1.0, country="AT", operating_system="BSD", device_type="desktop", browser="Amaya",
        )  # fmt: skip
        transaction.add(session)
    monkeypatch.setattr(viewing, "ROWS_LIMIT", 1)
    found = await _whole(client, "/v1/analytics/overview?from=2026-01-14&to=2026-02-01")
    assert [each["name"] for each in found["data"]["top"]["browsers"]] == ["Firefox"]


async def test_an_overview(client: Client, watched: list[str]) -> None:
    found = await _whole(client, "/v1/analytics/overview?from=2026-01-14&to=2026-02-01")
    assert found["data"]["total"] == {"views": 3, "duration": 90, "watch_time": 40, "player_loads": 4}
    assert [(row["date"][:10], row["views"]) for row in found["data"]["timeline"]] == [
        ("2026-01-14", 1), ("2026-01-15", 1), ("2026-01-20", 1)
    ]  # fmt: skip
    top = found["data"]["top"]
    assert top["oses"] == [{"name": "Linux", "views": 3, "player_loads": 4}]
    assert top["countries"] == [{"name": "DE", "code": "DE", "views": 3, "player_loads": 4}]
    one = await _whole(client, f"/v1/analytics/overview?from=2026-01-14&to=2026-02-01&video_id={watched[1]}")
    assert one["data"]["total"]["views"] == 1
    none = await _whole(client, "/v1/analytics/overview?from=2020-08-30&to=2020-09-01&group_time=day")
    assert none["data"]["total"] == {"views": 0, "duration": 0, "watch_time": 0, "player_loads": 0}
    assert (await refused(client, "GET", "/v1/analytics/overview?video_id=x"))[:2] == (400, 400301)
