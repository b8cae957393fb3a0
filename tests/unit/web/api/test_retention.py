"""A project's rules over REST."""

from typing import Any

import pytest

from server.catalog import keys
from server.catalog.database import Database
from server.catalog.models import Project
from tests.unit.web.kit import Client, Connect, basic


@pytest.fixture
async def api(connect: Connect) -> Client:
    return await connect()


async def test_rules_are_stated_kept_and_taken_back(api: Client) -> None:
    none = {"days": None, "count": None, "bytes": None, "keepTags": None}
    async with api.get("/retention") as response:
        assert (response.status, await response.json()) == (200, {"videos": None, "recordings": None})
    body = {"videos": {"days": 90, "keepTags": ["evergreen"]}, "recordings": {"count": 100}}
    async with api.patch("/retention", json=body) as response:
        assert response.status == 200
        stated = await response.json()
    assert stated == {
        "videos": {**none, "days": 90, "keepTags": ["evergreen"]}, "recordings": {**none, "count": 100},
    }  # fmt: skip
    async with api.patch("/retention", json={"videos": {"bytes": 5}}) as response:
        assert (await response.json())["videos"] == {**none, "bytes": 5}
    async with api.patch("/retention", json={"videos": None}) as response:
        assert await response.json() == {"videos": None, "recordings": stated["recordings"]}
    async with api.get("/retention") as response:
        assert await response.json() == {"videos": None, "recordings": stated["recordings"]}


@pytest.mark.parametrize(
    "body", [{"videos": {"days": 0}}, {"videos": {"count": 0}}, {"videos": {"hours": 1}}, {"other": {}}, {"videos": 5}]
)
async def test_what_is_no_rule_is_refused(api: Client, body: dict[str, Any]) -> None:
    async with api.patch("/retention", json=body) as response:
        assert response.status == 400


async def test_the_rules_are_the_project_s(api: Client, database: Database) -> None:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        await keys.create(transaction, "pr2", "theirs", ["*"], "their-key")
    async with api.patch("/retention", json={"videos": {"days": 1}}):
        pass
    async with api.get("/retention", headers=basic("their-key:")) as response:
        assert (await response.json())["videos"] is None
