"""The targets of a live stream over REST."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from server.catalog.database import Database
from server.config import LiveConfig
from server.restream.restreams import Restreams
from server.web.api import restreams
from tests.unit.web.kit import Client, Connect, Make, problem

TARGET = {"name": "Elsewhere", "serverUrl": "rtmp://a.example.com/app", "streamKey": "key"}


@pytest.fixture
async def client(connect: Connect, database: Database) -> AsyncIterator[Client]:
    async with Restreams(database, LiveConfig()) as service:  # type: ignore[call-arg]

        def mount(app: web.Application) -> None:
            app[restreams.RESTREAMS] = service

        yield await connect(operations=[restreams.operations], mounts=[mount])


@pytest.fixture
async def path(make_live: Make) -> str:
    return f"/live-streams/{await make_live()}/restreams"


async def call(client: Client, method: str, path: str, status: int, body: Any = None) -> Any:
    async with client.request(method, path, json=body) as response:
        assert response.status == status, await response.text()
        return await response.json() if status != 204 else None


async def test_a_life(client: Client, path: str) -> None:
    made = await call(client, "POST", path, 201, TARGET)
    assert made.pop("since")
    id = made["restreamId"]
    assert made == {
        **TARGET, "restreamId": id, "enabled": True, "status": "idle", "reason": None, "bytes": 0, "reconnects": 0,
        "droppedFrames": 0,
    }  # fmt: skip
    assert (await call(client, "PUT", f"{path}/{id}/stop", 200))["enabled"] is False
    assert (await call(client, "GET", f"{path}/{id}", 200))["enabled"] is False
    assert (await call(client, "PUT", f"{path}/{id}/start", 200))["enabled"] is True
    changed = await call(client, "PATCH", f"{path}/{id}", 200, {"serverUrl": "srt://b.example.com:9000"})
    assert (changed["serverUrl"], changed["name"]) == ("srt://b.example.com:9000", "Elsewhere")
    live = await call(client, "GET", path.removesuffix("/restreams"), 200)
    assert live["restreams"] == [
        {**TARGET, "serverUrl": "srt://b.example.com:9000", "restreamId": id, "enabled": True}
    ]
    await call(client, "DELETE", f"{path}/{id}", 204)
    assert (await call(client, "GET", path, 200))["data"] == []


async def test_there_are_so_many_at_most(client: Client, path: str) -> None:
    for _ in range(5):
        await call(client, "POST", path, 201, TARGET)
    async with client.post(path, json=TARGET) as response:
        await problem(response, 409, "conflict")


@pytest.mark.parametrize("url", ["file:///x", "rtmp://h", "http://h/app", "srt://h", "rtmp://u:p@h/app"])
async def test_urls_are_checked(client: Client, path: str, url: str) -> None:
    async with client.post(path, json={**TARGET, "serverUrl": url}) as response:
        await problem(response, 400, "invalid-attribute", "serverUrl")


@pytest.mark.parametrize("id", ["rs1111111111111111111111", "nonsense"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_unknown_ones(client: Client, path: str, method: str, id: str) -> None:
    async with client.request(method, f"{path}/{id}") as response:
        await problem(response, 404, "resource-not-found", "restreamId")
