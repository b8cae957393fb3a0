"""Projects and folders of the Kinescope dialect."""

import uuid
from typing import Any

import pytest

from server import ids
from server.catalog import videos
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Video
from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client, Make


@pytest.fixture
async def default(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = (await asked(client, "GET", "/v1/projects"))["data"][0]
    return found


async def test_there_is_one_from_the_start(client: Client) -> None:
    listed = await asked(client, "GET", "/v1/projects")

    assert listed["meta"] == {"pagination": {"page": 1, "per_page": 100, "total": 1}, "order": {"name": "asc"}}
    (only,) = listed["data"]
    assert uuid.UUID(only["id"]).version == 5
    assert (only["name"], only["folders"], only["privacy_type"]) == ("Default", [], "anywhere")
    assert await asked(client, "GET", f"/v1/projects/{only['id']}") == only
    assert (await refused(client, "DELETE", f"/v1/projects/{only['id']}"))[:2] == (409, 400201)


async def test_making_changing_deleting(client: Client) -> None:
    body = {
        "name": "Project custom", "privacy_type": "custom", "privacy_domains": ["Custom.domain.com"],
        "player_id": "...", "encrypted": False, "catalog_type": "vod",
    }  # fmt: skip
    made = await asked(client, "POST", "/v1/projects", body)

    assert made["name"] == "Project custom"
    assert (made["privacy_type"], made["privacy_domains"]) == ("custom", ["custom.domain.com"])
    assert made["player_id"] is None
    assert await asked(client, "GET", f"/v1/projects/{made['id']}") == made

    changes = {"name": "New", "privacy_type": "anywhere", "privacy_domains": [], "apply_to_videos": False}
    changed = await asked(client, "PUT", f"/v1/projects/{made['id']}", changes)
    assert (changed["name"], changed["privacy_type"], changed["privacy_domains"]) == ("New", "anywhere", [])
    assert changed["updated_at"] > made["updated_at"]

    assert await asked(client, "DELETE", f"/v1/projects/{made['id']}") == {"success": True}
    assert (await refused(client, "GET", f"/v1/projects/{made['id']}"))[:2] == (404, 404404)


async def test_they_are_the_folders_at_the_top(client: Client) -> None:
    async with client.post("/folders", json={"name": "Top"}) as response:
        folder_id = (await response.json())["folderId"]

    project = await asked(client, "GET", f"/v1/projects/{ids.to_uuid('fo', folder_id)}")

    assert project["name"] == "Top"
    async with client.get(f"/folders/{project['id']}") as response:
        assert (await response.json())["folderId"] == folder_id


async def test_pages_have_the_default_one_first(client: Client) -> None:
    for name in ("b", "c", "a"):
        await asked(client, "POST", "/v1/projects", {"name": name})

    async def names(query: str) -> list[str]:
        listed = await asked(client, "GET", f"/v1/projects?{query}")
        assert listed["meta"]["pagination"]["total"] == 4
        return [each["name"] for each in listed["data"]]

    assert await names("") == ["Default", "a", "b", "c"]
    assert await names("page=1&per_page=2") == ["Default", "a"]
    assert await names("page=2&per_page=2") == ["b", "c"]
    assert await names("page=3&per_page=2") == []
    assert await names("order=created_at.desc") == ["Default", "a", "c", "b"]


async def test_folders(client: Client, default: dict[str, Any]) -> None:
    path = f"/v1/projects/{default['id']}/folders"
    outer = await asked(client, "POST", path, {"name": "New folder 1", "parent_id": default["id"]})
    inner = await asked(client, "POST", path, {"name": "Inner", "parent_id": outer["id"]})

    assert (outer["project_id"], outer["parent_id"], outer["deleted_at"]) == (default["id"], None, None)
    assert inner["parent_id"] == outer["id"]
    assert [each["name"] for each in (await asked(client, "GET", path))["data"]] == ["New folder 1"]
    assert [each["name"] for each in (await asked(client, "GET", f"{path}?parent_id={outer['id']}"))["data"]] == [
        "Inner"
    ]
    shown = await asked(client, "GET", f"/v1/projects/{default['id']}")
    assert [each["id"] for each in shown["folders"]] == [outer["id"]]
    renamed = await asked(client, "PUT", f"{path}/{inner['id']}", {"name": "Renamed"})
    assert renamed["name"] == (await asked(client, "GET", f"{path}/{inner['id']}"))["name"] == "Renamed"

    assert (await asked(client, "DELETE", f"{path}/{outer['id']}"))["id"] == outer["id"]
    assert (await asked(client, "GET", f"{path}/{inner['id']}"))["parent_id"] is None


async def test_a_folder_is_found_in_its_own_project_alone(client: Client, default: dict[str, Any]) -> None:
    other = await asked(client, "POST", "/v1/projects", {"name": "Other"})
    folder = await asked(client, "POST", f"/v1/projects/{other['id']}/folders", {"name": "In the other"})
    path = f"/v1/projects/{default['id']}/folders"

    assert (await refused(client, "GET", f"{path}/{folder['id']}"))[:2] == (404, 404404)
    assert (await refused(client, "GET", f"{path}/{other['id']}"))[:2] == (404, 404404)
    assert (await refused(client, "POST", path, {"name": "x", "parent_id": folder["id"]}))[2].startswith("parent_id")
    assert (await refused(client, "DELETE", f"/v1/projects/{other['id']}"))[0] == 409


async def test_moving_into_itself(client: Client, default: dict[str, Any]) -> None:
    path = f"/v1/projects/{default['id']}/folders"
    outer = await asked(client, "POST", path, {"name": "Outer"})
    inner = await asked(client, "POST", path, {"name": "Inner", "parent_id": outer["id"]})

    assert (await refused(client, "PUT", f"{path}/{outer['id']}", {"parent_id": inner["id"]}))[0] == 409
    await asked(client, "PUT", f"{path}/{inner['id']}", {"parent_id": default["id"]})
    assert (await asked(client, "GET", f"{path}/{inner['id']}"))["parent_id"] is None


async def test_applying_settings_to_videos(
    client: Client, default: dict[str, Any], make_video: Make, database: Database
) -> None:
    video_id = await make_video()
    async with client.post("/players", json={}) as response:
        player_id = (await response.json())["playerId"]
    body = {"privacy_type": "custom", "privacy_domains": ["a.io"], "player_id": player_id, "apply_to_videos": True}

    changed = await asked(client, "PUT", f"/v1/projects/{default['id']}", body)

    assert changed["player_id"] == str(ids.to_uuid("pl", player_id))
    async with database.read() as transaction:
        row = await videos.get(transaction, DEFAULT_PROJECT, video_id)
    assert isinstance(row, Video)
    assert (row.public, row.player_id, row.revision) == (False, player_id, 2)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "name: This attribute is required."),
        ({"name": " "}, "name: This value should not be blank."),
        ({"name": "x", "privacy_type": "somewhere"}, "privacy_type: This attribute must be"),
        ({"name": "x", "player_id": "what"}, "player_id: This is not an id."),
        ({"name": "x", "player_id": str(uuid.uuid4())}, "player_id: There is no such player."),
        ({"name": "x", "colour": "red"}, "colour: There is no such attribute."),
    ],
)
async def test_bad_bodies(client: Client, body: dict[str, Any], detail: str) -> None:
    assert (await refused(client, "POST", "/v1/projects", body))[2].startswith(detail)
    assert (await asked(client, "GET", "/v1/projects"))["meta"]["pagination"]["total"] == 1
