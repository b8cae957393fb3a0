"""Upload tokens over REST."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from server import clock, ids
from server.catalog import uploads
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Project, UploadToken
from tests.unit.web.kit import Client, problem


async def make(client: Client, body: Any = None) -> dict[str, Any]:
    async with client.post("/upload-tokens", json=body) as response:
        assert response.status == 200
        token: dict[str, Any] = await response.json()
        return token


@pytest.mark.parametrize("body", [None, {}, {"ttl": 0}])
async def test_a_token_for_ever(client: Client, body: Any) -> None:
    token = await make(client, body)

    assert ids.canonical("to", token["token"]) == token["token"]
    assert (token["ttl"], token["expiresAt"]) == (0, None)


@pytest.mark.parametrize("ttl", [1, 3600, 2**31 - 1])
async def test_a_token_for_a_while(client: Client, ttl: int) -> None:
    token = await make(client, {"ttl": ttl})

    life = datetime.fromisoformat(token["expiresAt"]) - datetime.fromisoformat(token["createdAt"])
    assert token["ttl"] == life.total_seconds() == ttl


@pytest.mark.parametrize("ttl", [-1, 2**31, 1.5, "3600", True, None])
async def test_bad_lives(client: Client, ttl: Any) -> None:
    async with client.post("/upload-tokens", json={"ttl": ttl}) as response:
        await problem(response, 400, "invalid-attribute", "ttl")


async def test_showing_and_deleting(client: Client) -> None:
    token = await make(client)
    for spelled in (token["token"], token["token"][2:]):
        async with client.get(f"/upload-tokens/{spelled}") as response:
            assert (response.status, await response.json()) == (200, token)
    async with client.delete(f"/upload-tokens/{token['token']}") as response:
        assert (response.status, await response.read()) == (204, b"")
        assert "Content-Type" not in response.headers
    for method in ("GET", "DELETE"):
        async with client.request(method, f"/upload-tokens/{token['token']}") as response:
            await problem(response, 404, "resource-not-found", "uploadToken")


async def test_listing(client: Client) -> None:
    made = [await make(client, {"ttl": ttl}) for ttl in (30, 10, 20)]

    async with client.get("/upload-tokens?sortBy=ttl&sortOrder=desc") as response:
        answer = await response.json()

    assert [token["ttl"] for token in answer["data"]] == [30, 20, 10]
    assert answer["data"][0] == made[0]
    assert answer["pagination"]["links"][0]["uri"].startswith("/upload-tokens?")


async def test_expired_and_foreign_ones_are_not_there(client: Client, database: Database) -> None:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="Other"))
        ended = UploadToken(project_id=DEFAULT_PROJECT, ttl_s=1, expires_at=clock.now() - timedelta(seconds=1))
        foreign = UploadToken(project_id="pr2")
        for token in (ended, foreign):
            await uploads.add_token(transaction, token)
    for token in (ended, foreign):
        async with client.get(f"/upload-tokens/{token.id}") as response:
            await problem(response, 404, "resource-not-found", "uploadToken")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", ""), ("GET", "/to1111111111111111111111"), ("DELETE", "/nonsense")]
)
async def test_no_operation_without_credentials(anonymous: Client, method: str, path: str) -> None:
    async with anonymous.request(method, f"/upload-tokens{path}") as response:
        await problem(response, 401, "authentication-missing-authorization-header")
