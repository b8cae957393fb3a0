"""Access tokens of the Kinescope dialect: keys of ours."""

import uuid
from typing import Any

import pytest

from server.catalog import keys
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.errors import Problem
from server.outbound.target import Target
from server.web import scopes
from server.web.api import fetches
from server.web.kinescope import access_tokens
from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client, Connect, bearer


def test_the_tables_name_scopes_that_there_are() -> None:
    for table in (access_tokens.API, access_tokens.UPLOAD, access_tokens.PLACED):
        assert {scope for each in table.values() for scope in each} <= scopes.names()


async def test_a_token_opens_what_it_says(client: Client, anonymous: Client) -> None:
    body: dict[str, Any] = {"name": "reader", "scope": {"api": {"permissions": ["read"]}}}
    made = await asked(client, "POST", "/v1/access-tokens", body)
    head = bearer(made["token"])
    assert uuid.UUID(made["token"])
    assert made["token"] != made["id"]

    assert await asked(anonymous, "GET", "/v1/tags", headers=head)
    assert (await refused(anonymous, "POST", "/v1/tags", {"tag": "x"}, headers=head))[:2] == (403, 100103)
    shown = await asked(client, "GET", f"/v1/access-tokens/{made['id']}")
    assert shown["scope"]["api"] == {"permissions": ["read"]}
    listed = await asked(client, "GET", "/v1/access-tokens")
    assert {"offset": 0, "limit": 100, "total": 2}.items() <= listed["meta"].items()
    assert [each["name"] for each in listed["data"]] == ["owner", "reader"]
    assert listed["data"][0]["scope"]["api"]["permissions"] == ["read", "write", "delete"]
    assert made["token"] not in str(listed) + str(shown)

    assert await asked(client, "DELETE", f"/v1/access-tokens/{made['id']}") == {"success": True}
    assert (await refused(anonymous, "GET", "/v1/tags", headers=head))[:2] == (401, 100102)
    assert (await refused(client, "GET", f"/v1/access-tokens/{made['id']}"))[:2] == (404, 404404)


@pytest.mark.parametrize("permissions", [[], ["write"], ["read", "write", "delete"]])
async def test_a_token_for_one_place(client: Client, database: Database, permissions: list[str]) -> None:
    place = (await asked(client, "POST", "/v1/projects", {"name": "Place"}))["id"]
    upload = {"entities": [{"id": place, "permissions": ["read", "write", "delete"]}], "permissions": permissions}
    made = await asked(client, "POST", "/v1/access-tokens", {"name": "up", "scope": {"upload": upload}})
    assert made["scope"]["upload"] == upload
    async with database.read() as transaction:
        row = await keys.by_secret(transaction, made["token"])
        assert row is not None
        assert row.scopes == ["uploads:placed"]


@pytest.mark.parametrize(
    ("scope", "status", "code"),
    [
        ({}, 400, 402402),
        ({"upload": {"permissions": ["write"], "entities": [{"id": "x", "permissions": ["read"]}]}}, 400, 402402),
        ({"upload": {"permissions": ["x"]}}, 400, 402402),
        ({"upload": {"entities": [{"id": str(uuid.uuid4()), "permissions": ["write"]}]}}, 404, 404404),
        ({"upload": {"entities": [{"id": "x", "permissions": ["write"]}]}}, 400, 400301),
    ],
)
async def test_what_makes_none(client: Client, scope: Any, status: int, code: int) -> None:
    assert (await refused(client, "POST", "/v1/access-tokens", {"name": "x", "scope": scope}))[:2] == (status, code)


async def test_nobody_gives_more_than_they_have(client: Client, anonymous: Client, database: Database) -> None:
    async with database.write() as transaction:
        await keys.create(transaction, DEFAULT_PROJECT, "small", ["keys:write", "videos:read"], "small-secret")
    body = {"name": "x", "scope": {"upload": {"permissions": ["delete"]}}}
    head = bearer("small-secret")
    assert (await refused(anonymous, "POST", "/v1/access-tokens", body, headers=head))[:2] == (403, 100103)
    body["scope"] = {"upload": {"permissions": ["read"]}}
    assert await asked(anonymous, "POST", "/v1/access-tokens", body, headers=head)


class Fetching:
    """Refuses what it is asked for: that it is asked at all says that the place is open."""

    def target(self, url: str) -> Target:
        return Target.parse(url)

    async def order(self, *_: object) -> None:
        raise Problem("unprocessable")


@pytest.mark.parametrize("permissions", [[], ["read", "write", "delete"]])
async def test_a_token_for_one_place_uploads_there_only(
    client: Client, connect: Connect, permissions: list[str]
) -> None:
    def mount(app: Any) -> None:
        app[fetches.FETCHING] = Fetching()

    anonymous = await connect(key=None, mounts=[mount])
    place = (await asked(client, "POST", "/v1/projects", {"name": "Place"}))["id"]
    inner = (await asked(client, "POST", f"/v1/projects/{place}/folders", {"name": "Inner"}))["id"]
    default = (await asked(client, "GET", "/v1/projects"))["data"][0]["id"]
    upload = {"entities": [{"id": place, "permissions": ["write"]}], "permissions": permissions}
    made = await asked(client, "POST", "/v1/access-tokens", {"name": "up", "scope": {"upload": upload}})
    head = bearer(made["token"])
    url = "https://a.example/x.mp4"
    for parent, status in ((place, 422), (inner, 422), (default, 403)):
        headers = {**head, "X-Parent-ID": parent, "X-Video-Title": "t", "X-Video-URL": url}
        async with anonymous.post("/v2/video", headers=headers) as response:
            assert response.status == status, (parent, await response.text())
    init = {"type": "video", "title": "t", "parent_id": default}
    assert (await refused(anonymous, "POST", "/v2/init", init, headers=head))[:2] == (403, 100103)
    attachment = {"type": "attachment", "title": "t", "parent_id": default}
    assert (await refused(anonymous, "POST", "/v2/init", attachment, headers=head))[:2] == (403, 100103)
    assert (await refused(anonymous, "GET", "/v1/videos", headers=head))[:2] == (403, 100103)
