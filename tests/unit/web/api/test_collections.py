"""Collections over REST."""

from typing import Any

import pytest

from server.catalog import collections
from tests.unit.web.kit import Client, Make, problem


async def made(client: Client, *videos: str) -> str:
    async with client.post("/collections", json={"name": "c", "videos": videos}) as response:
        assert response.status == 201, await response.text()
        body = await response.json()
    assert body["videoCount"] == len(videos)
    return str(body["collectionId"])


async def listed(client: Client, id: str) -> list[dict[str, Any]]:
    async with client.get(f"/collections/{id}/videos") as response:
        return list((await response.json())["data"])


async def test_an_order_of_its_own(client: Client, make_video: Make) -> None:
    a, b, c = [await make_video(title=title) for title in "abc"]
    id = await made(client, a, b)
    path = f"/collections/{id}/videos"

    async with client.post(path, json={"videos": [c.removeprefix("vi")], "position": 1}) as response:
        assert (response.status, (await response.json())["videoCount"]) == (201, 3)
    assert [each["videoId"] for each in await listed(client, id)] == [a, c, b]
    async with client.patch(f"{path}/{b}", json={"position": 0}) as response:
        assert response.status == 204
    async with client.delete(f"{path}/{c}") as response:
        assert response.status == 204
    assert [each["videoId"] for each in await listed(client, id)] == [b, a]
    for method in ("PATCH", "DELETE"):
        async with client.request(method, f"{path}/{c}", json={"position": 0}) as response:
            await problem(response, 404, "resource-not-found", "videoId")


async def test_private_videos_are_as_private_as_elsewhere(client: Client, make_video: Make) -> None:
    id = await made(client, await make_video(public=False), await make_video())
    secret, open_to_all = await listed(client, id)
    assert "/token/" in secret["assets"]["hls"]
    assert "/token/" not in open_to_all["assets"]["hls"]


async def test_one_is_changed_listed_and_deleted(client: Client, make_video: Make) -> None:
    video = await make_video()
    id = await made(client, video)
    other = await made(client)
    async with client.patch(f"/collections/{id}", json={"name": "d", "description": "x"}) as response:
        body = await response.json()
    assert (response.status, body["name"], body["description"], body["videoCount"]) == (200, "d", "x", 1)
    for query, found in (({}, [other, id]), ({"videoId": video}, [id]), ({"sortBy": "name"}, [other, id])):
        async with client.get("/collections", params=query) as response:
            assert [each["collectionId"] for each in (await response.json())["data"]] == found
    async with client.delete(f"/collections/{id}") as response:
        assert response.status == 204
    async with client.get(f"/collections/{id}") as response:
        await problem(response, 404, "resource-not-found", "collectionId")
    async with client.get(f"/videos/{video}") as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("body", "status", "code", "name"),
    [
        ({}, 400, "attribute-required", "name"),
        ({"name": "x", "videos": ["nonsense"]}, 404, "resource-not-found", "videos[0]"),
        ({"name": "x", "videos": [7]}, 400, "invalid-attribute", "videos[0]"),
        ({"name": "x", "videos": ["v"] * 101}, 400, "invalid-attribute", "videos"),
    ],
)
async def test_bad_fields_are_named(client: Client, body: dict[str, Any], status: int, code: str, name: str) -> None:
    async with client.post("/collections", json=body) as response:
        await problem(response, status, code, name)


async def test_there_are_limits(client: Client, make_video: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await made(client)
    monkeypatch.setattr(collections, "MOST", 1)
    async with client.post("/collections", json={"name": "x"}) as response:
        await problem(response, 409, "conflict")
    monkeypatch.setattr(collections, "MOST_VIDEOS", 0)
    async with client.post(f"/collections/{id}/videos", json={"videos": [await make_video()]}) as response:
        await problem(response, 409, "conflict", "videos")
