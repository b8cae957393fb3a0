"""Custom fields over REST, and lists that are searched, filtered and sorted by them."""

from typing import Any

import pytest

from tests.unit.web.kit import Client, problem


async def call(client: Client, method: str, path: str, body: Any = None, **query: str) -> Any:
    async with client.request(method, path, json=body, params=query) as response:
        assert response.status < 300, await response.text()
        return await response.json() if response.status != 204 else None


async def test_a_field(client: Client) -> None:
    wish = {"name": "rating", "type": "choice", "choices": ["G", "PG"]}
    made = await call(client, "POST", "/custom-fields", wish)
    path = f"/custom-fields/{made['customFieldId']}"
    await call(client, "POST", "/videos", {"title": "a", "customFields": {"rating": "G"}})

    changed = await call(client, "PATCH", path, {"choices": ["PG"], "description": "x"})
    assert (changed["choices"], changed["description"], changed["videoCount"]) == (["PG"], "x", 1)
    assert (await call(client, "GET", "/custom-fields"))["data"] == [changed] == [await call(client, "GET", path)]
    async with client.post("/custom-fields", json=wish) as response:
        await problem(response, 409, "conflict", "name")
    await call(client, "DELETE", path)
    assert (await call(client, "GET", "/videos"))["data"][0]["customFields"] == {}
    async with client.get(path) as response:
        await problem(response, 404, "resource-not-found", "customFieldId")


@pytest.mark.parametrize(
    ("body", "code", "name"),
    [
        ({"type": "text"}, "attribute-required", "name"),
        ({"name": "a b", "type": "text"}, "invalid-attribute", "name"),
        ({"name": "a]", "type": "text"}, "invalid-attribute", "name"),
        ({"name": "a", "type": "colour"}, "invalid-attribute", "type"),
        ({"name": "a", "type": "choice"}, "invalid-attribute", "choices"),
        ({"name": "a", "type": "text", "choices": ["x"]}, "invalid-attribute", "choices"),
        ({"name": "a", "type": "choice", "choices": ["x", "x"]}, "invalid-attribute", "choices"),
    ],
)
async def test_bad_fields_are_named(client: Client, body: dict[str, Any], code: str, name: str) -> None:
    async with client.post("/custom-fields", json=body) as response:
        await problem(response, 400, code, name)


async def test_values_of_videos(client: Client) -> None:
    for name, type in (("season", "number"), ("aired", "date"), ("kept", "boolean")):
        await call(client, "POST", "/custom-fields", {"name": name, "type": type})
    first = await call(client, "POST", "/videos", {"title": "a", "customFields": {"season": 2, "kept": True}})
    assert first["customFields"] == {"season": 2, "kept": True}
    path = f"/videos/{first['videoId']}"
    changed = await call(client, "PATCH", path, {"customFields": {"kept": None, "aired": "2026-01-31"}})
    assert changed["customFields"] == {"season": 2, "aired": "2026-01-31"}
    await call(client, "POST", "/videos", {"title": "b", "customFields": {"season": 1.5}})
    await call(client, "POST", "/videos", {"title": "c"})

    async def listed(**query: str) -> list[str]:
        return [each["title"] for each in (await call(client, "GET", "/videos", **query))["data"]]

    assert await listed(**{"customFields[season]": "2"}) == ["a"]
    assert await listed(**{"customFields[season][gte]": "1", "customFields[season][lt]": "2"}) == ["b"]
    assert await listed(**{"customFields[aired][gt]": "2026-01-01"}) == ["a"]
    assert await listed(sortBy="customFields[season]") == ["b", "a", "c"]
    assert await listed(sortBy="customFields[season]", sortOrder="desc") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"season": "two"}, "customFields[season]"),
        ({"nothing": 1}, "customFields[nothing]"),
        ({"season": [1]}, None),
        ("x", "customFields"),
        ({str(number): 1 for number in range(51)}, "customFields"),
    ],
)
async def test_bad_values_are_named(client: Client, values: Any, name: str | None) -> None:
    await call(client, "POST", "/custom-fields", {"name": "season", "type": "number"})
    async with client.post("/videos", json={"title": "x", "customFields": values}) as response:
        body = await response.json()
    assert response.status == 400
    assert body["name"].startswith("customFields") if name is None else body["name"] == name


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"customFields[season]": "two"}, "customFields[season]"),
        ({"customFields[nothing]": "1"}, "customFields[nothing]"),
        ({"customFields[season][about]": "1"}, "customFields[season]"),
        ({"customFields[word][gt]": "1"}, "customFields[word]"),
        ({"customFields": "1"}, "customFields"),
        ({"sortBy": "customFields[nothing]"}, "sortBy"),
        ({"sortBy": "customFields[a b]"}, "sortBy"),
        ({"sortBy": "id"}, "sortBy"),
        ({"search": "x" * 501}, "search"),
    ],
)
async def test_bad_queries_are_named(client: Client, query: dict[str, str], name: str) -> None:
    for field, type in (("season", "number"), ("word", "text")):
        await call(client, "POST", "/custom-fields", {"name": field, "type": type})
    async with client.get("/videos", params=query) as response:
        await problem(response, 400, "request-invalid-query-parameter", name)


async def test_searching(client: Client) -> None:
    await call(client, "POST", "/videos", {"title": "Crème brûlée", "tags": ["dessert"]})
    await call(client, "POST", "/videos", {"title": "Steak"})

    async def found(search: str) -> int:
        return int((await call(client, "GET", "/videos", search=search))["pagination"]["itemsTotal"])

    assert [await found(each) for each in ("creme bru", "DESS", "steak dessert", '"', "")] == [1, 1, 0, 0, 0]
