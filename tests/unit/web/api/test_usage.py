"""Usage over REST."""

from typing import Any

import pytest

from server import clock
from server.catalog import keys, usage
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Project
from tests.unit.web.kit import Client, Make, basic, problem

DAYS = [("2026-01-30", 1.0), ("2026-01-31", 1.5), ("2026-02-01", 0.5)]


async def shown(client: Client, **query: str) -> dict[str, Any]:
    async with client.get("/usage", params=query) as response:
        assert response.status == 200, await response.text()
        body: dict[str, Any] = await response.json()
        return body


@pytest.fixture
async def used(database: Database) -> None:
    async with database.write() as transaction:
        for day, seconds in ((30, 60.0), (31, 90.0)):
            await usage.encoded(transaction, DEFAULT_PROJECT, seconds, clock.now().replace(2026, 1, day))
        await usage.encoded(transaction, DEFAULT_PROJECT, 30.0, clock.now().replace(2026, 2, 1))


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize(
    ("interval", "periods"),
    [
        ("day", [(day, day, minutes) for day, minutes in DAYS]),
        ("month", [("2026-01-30", "2026-01-31", 2.5), ("2026-02-01", "2026-02-01", 0.5)]),
        ("total", [("2026-01-30", "2026-02-01", 3.0)]),
    ],
)
async def test_intervals(client: Client, interval: str, periods: list[Any], make_video: Make) -> None:
    await make_video(source_bytes=7)
    body = await shown(client, interval=interval, **{"from": "2026-01-30", "to": "2026-02-01"})
    assert [(each["from"], each["to"], each["encodedMinutes"]) for each in body["data"]] == periods
    assert (body["storedBytes"], body["interval"], body["projectId"]) == (7, interval, DEFAULT_PROJECT)


async def test_thirty_days_are_shown_when_nothing_is_said(client: Client) -> None:
    assert len((await shown(client))["data"]) == 30
    assert len((await shown(client, to="0001-01-05"))["data"]) == 5


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"from": "2026-02-01", "to": "2026-01-01"}, "from"),
        ({"from": "2020-02-01", "to": "2026-01-01"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-02-30"}, "to"),
        ({"interval": "hour"}, "interval"),
        ({"projectId": "nonsense"}, "projectId"),
        ({"projectId": "pr2222222222222222222222"}, "projectId"),
    ],
)
async def test_bad_queries_are_named(client: Client, query: dict[str, str], name: str) -> None:
    async with client.get("/usage", params=query) as response:
        await problem(response, 400, "request-invalid-query-parameter", name)


async def test_projects_are_kept_apart(client: Client, database: Database) -> None:
    other = "pr2222222222222222222223"
    async with database.write() as transaction:
        transaction.add(Project(id=other, name="another"))
        await transaction.flush()
        await keys.create(transaction, other, "theirs", ["*"], "their-key")
        await usage.encoded(transaction, other, 60.0, clock.now())
    total = {"interval": "total"}
    assert (await shown(client, **total))["data"][0]["encodedMinutes"] == 0
    assert (await shown(client, projectId=other, **total))["data"][0]["encodedMinutes"] == 1
    async with client.get("/usage", params={"projectId": DEFAULT_PROJECT}, headers=basic("their-key:")) as response:
        await problem(response, 400, "request-invalid-query-parameter", "projectId")
