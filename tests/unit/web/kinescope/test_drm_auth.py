"""The addresses that are asked for keys."""

import uuid

from server.catalog import drm_callbacks
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client

EXAMPLE = {"url": "https://example.io/auth/kinescope", "username": "me", "password": "hidden-word", "strict": False}


async def test_of_all_and_of_one_project(client: Client, database: Database) -> None:
    project = (await asked(client, "POST", "/v1/projects", {"name": "P"}))["id"]
    for path in ("/v1/drm/auth", f"/v1/drm/auth/{project}"):
        assert (await refused(client, "GET", path))[:2] == (404, 404404)
        made = await asked(client, "PUT", path, EXAMPLE)
        assert (made["url"], made["username"], made["password"], made["strict"]) == (EXAMPLE["url"], "me", "", False)
        assert made["updated_at"] is None
        assert await asked(client, "GET", path) == made
    async with database.read() as transaction:
        row = await drm_callbacks.get(transaction, DEFAULT_PROJECT)
        assert row is not None
        assert row.password == "hidden-word"
    inside = await asked(client, "PUT", "/v1/drm/auth", {"url": "https://u:p@a.example/"})
    assert (inside["url"], inside["username"], inside["password"]) == ("https://a.example/", "u", "")
    assert inside["updated_at"] is not None
    assert await asked(client, "DELETE", "/v1/drm/auth") == {"success": True}
    assert (await refused(client, "DELETE", "/v1/drm/auth"))[:2] == (404, 404404)
    assert await asked(client, "GET", f"/v1/drm/auth/{project}")


async def test_projects_that_are_not_there(client: Client) -> None:
    assert (await refused(client, "PUT", f"/v1/drm/auth/{uuid.uuid4()}", EXAMPLE))[:2] == (404, 404404)
    assert (await refused(client, "PUT", "/v1/drm/auth/x", EXAMPLE))[:2] == (400, 400301)
    assert (await refused(client, "PUT", "/v1/drm/auth", {"url": "nowhere"}))[:2] == (400, 402402)
