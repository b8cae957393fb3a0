"""Folders over REST."""

from typing import Any

import pytest

from server.catalog import folders
from tests.unit.web.kit import Client, Make, problem


async def made(client: Client, name: str, parent: str | None = None) -> str:
    async with client.post("/folders", json={"name": name, "parentId": parent}) as response:
        assert response.status == 201, await response.text()
        return str((await response.json())["folderId"])


async def test_a_tree(client: Client) -> None:
    top = await made(client, "Films")
    inner = await made(client, "Alps", top)

    async with client.get(f"/folders/{inner}") as response:
        body = await response.json()
    steps = [{"folderId": top, "name": "Films"}, {"folderId": inner, "name": "Alps"}]
    assert (body["parentId"], body["path"], body["folders"], body["videos"]) == (top, steps, 0, 0)
    for query, found in (({}, [inner, top]), ({"parentId": "root"}, [top]), ({"parentId": top}, [inner])):
        async with client.get("/folders", params=query) as response:
            assert [each["folderId"] for each in (await response.json())["data"]] == found

    async with client.patch(f"/folders/{inner}", json={"name": "Andes", "parentId": None}) as response:
        body = await response.json()
    assert (response.status, body["name"], body["path"]) == (200, "Andes", [{"folderId": inner, "name": "Andes"}])
    async with client.patch(f"/folders/{top}", json={"parentId": top}) as response:
        await problem(response, 409, "conflict", "parentId")


async def test_only_an_empty_one_goes(client: Client) -> None:
    top = await made(client, "a")
    inner = await made(client, "b", top)
    async with client.delete(f"/folders/{top}") as response:
        await problem(response, 409, "conflict", "folderId")
    async with client.delete(f"/folders/{top}", params={"contents": "lift"}) as response:
        assert response.status == 204
    async with client.get(f"/folders/{inner}") as response:
        assert (await response.json())["parentId"] is None
    async with client.delete(f"/folders/{top}") as response:
        await problem(response, 404, "resource-not-found", "folderId")
    async with client.delete(f"/folders/{inner}", params={"contents": "burn"}) as response:
        await problem(response, 400, "request-invalid-query-parameter", "contents")


@pytest.mark.parametrize(
    ("body", "status", "code", "name"),
    [
        ({}, 400, "attribute-required", "name"),
        ({"name": " "}, 400, "invalid-attribute", "name"),
        ({"name": "x" * 256}, 400, "invalid-attribute", "name"),
        ({"name": "x", "parentId": "nonsense"}, 404, "resource-not-found", "parentId"),
        ({"name": "x", "parentId": "fo" + "1" * 22}, 404, "resource-not-found", "parentId"),
        ({"name": "x", "colour": "red"}, 400, "invalid-attribute", "colour"),
    ],
)
async def test_bad_fields_are_named(client: Client, body: dict[str, Any], status: int, code: str, name: str) -> None:
    async with client.post("/folders", json=body) as response:
        await problem(response, status, code, name)


async def test_there_is_a_limit(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST", 0)
    async with client.post("/folders", json={"name": "x"}) as response:
        await problem(response, 409, "conflict", "parentId")


async def test_videos_in_folders(client: Client, make_video: Make) -> None:
    folder = await made(client, "a")
    elsewhere = await make_video(title="elsewhere")
    async with client.post("/videos", json={"title": "x", "folderId": folder.removeprefix("fo")}) as response:
        video = await response.json()
    assert (response.status, video["folderId"]) == (201, folder)

    async def listed(folder_id: str) -> list[str]:
        async with client.get("/videos", params={"folderId": folder_id}) as response:
            return [each["videoId"] for each in (await response.json())["data"]]

    assert (await listed(folder), await listed("root")) == ([video["videoId"]], [elsewhere])
    async with client.patch(f"/videos/{video['videoId']}", json={"folderId": None}) as response:
        assert (await response.json())["folderId"] is None
    assert await listed(folder) == []
    async with client.patch(f"/videos/{video['videoId']}", json={"folderId": folder}) as response:
        assert response.status == 200
    assert await listed(folder) == [video["videoId"]]


@pytest.mark.parametrize("id", ["nonsense", "fo" + "1" * 22])
async def test_a_folder_that_is_not_there(client: Client, make_video: Make, id: str) -> None:
    video = await make_video()
    async with client.post("/videos", json={"title": "x", "folderId": id}) as response:
        await problem(response, 404, "resource-not-found", "folderId")
    async with client.patch(f"/videos/{video}", json={"folderId": id}) as response:
        await problem(response, 404, "resource-not-found", "folderId")
    async with client.get("/videos", params={"folderId": id}) as response:
        await problem(response, 404, "resource-not-found", "folderId")
