"""Pages of a list: bounds, links, order."""

from typing import Any

import pytest

from tests.unit.web.kit import Client, Make, problem


async def listed(client: Client, query: str = "") -> dict[str, Any]:
    async with client.get(f"/videos{query}") as response:
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer


def titles(answer: dict[str, Any]) -> list[str]:
    return [video["title"] for video in answer["data"]]


async def test_an_empty_list(client: Client) -> None:
    answer = await listed(client)

    assert answer == {
        "data": [],
        "pagination": {
            "currentPage": 1,
            "currentPageItems": 0,
            "pageSize": 25,
            "pagesTotal": 0,
            "itemsTotal": 0,
            "links": [
                {"rel": "self", "uri": "/videos?currentPage=1&pageSize=25"},
                {"rel": "first", "uri": "/videos?currentPage=1&pageSize=25"},
                {"rel": "last", "uri": "/videos?currentPage=1&pageSize=25"},
            ],
        },
    }


async def test_pages_hold_everything_once(client: Client, make_video: Make) -> None:
    for n in range(7):
        await make_video(title=f"v{n}")
    found, pages = [], []
    for number in (1, 2, 3, 4):
        answer = await listed(client, f"?currentPage={number}&pageSize=3&sortBy=title&sortOrder=asc")
        found += titles(answer)
        pages.append(answer["pagination"])

    assert found == [f"v{n}" for n in range(7)]
    assert [page["currentPageItems"] for page in pages] == [3, 3, 1, 0]
    assert {(page["pagesTotal"], page["itemsTotal"], page["pageSize"]) for page in pages} == {(3, 7, 3)}
    assert [link["rel"] for link in pages[0]["links"]] == ["self", "first", "next", "last"]
    assert [link["rel"] for link in pages[1]["links"]] == ["self", "first", "previous", "next", "last"]
    assert [link["rel"] for link in pages[2]["links"]] == ["self", "first", "previous", "last"]


async def test_links_keep_filters_and_lead_on(client: Client, make_video: Make) -> None:
    for n in range(3):
        await make_video(title=f"a&b {n}", tags=["x y"])
    answer = await listed(client, "?tags[]=x%20y&title=a%26b&pageSize=2")
    link = next(link["uri"] for link in answer["pagination"]["links"] if link["rel"] == "next")

    assert link == "/videos?tags%5B%5D=x%20y&title=a%26b&currentPage=2&pageSize=2"
    async with client.get(link) as response:
        assert len((await response.json())["data"]) == 1


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("", ["b", "c", "a"]),  # newest first
        ("?sortBy=title", ["a", "b", "c"]),
        ("?sortBy=title&sortOrder=asc", ["a", "b", "c"]),
        ("?sortBy=title&sortOrder=desc", ["c", "b", "a"]),
        ("?sortBy=createdAt", ["a", "c", "b"]),
        ("?sortOrder=asc", ["a", "c", "b"]),
        ("?sortOrder=desc", ["b", "c", "a"]),
        ("?sortBy=publishedAt&sortOrder=desc", ["b", "c", "a"]),
        ("?sortBy=updatedAt&sortOrder=desc", ["b", "c", "a"]),
    ],
)
async def test_order(client: Client, make_video: Make, query: str, order: list[str]) -> None:
    for title in ("a", "c", "b"):
        await make_video(title=title)

    assert titles(await listed(client, query)) == order


@pytest.mark.parametrize(
    ("query", "name", "range"),
    [
        ("currentPage=0", "currentPage", {"min": 1}),
        ("currentPage=99999999", "currentPage", {"max": 10_000_000}),
        ("currentPage=x", "currentPage", None),
        ("pageSize=0", "pageSize", {"min": 1}),
        ("pageSize=101", "pageSize", {"max": 100}),
        ("sortBy=size", "sortBy", None),
        ("sortBy=", "sortBy", None),
        ("sortOrder=up", "sortOrder", None),
    ],
)
async def test_bounds(client: Client, query: str, name: str, range: dict[str, int] | None) -> None:
    async with client.get(f"/videos?{query}") as response:
        body = await problem(response, 400, "request-invalid-query-parameter", name)
    assert body.get("range") == range
    assert body["problems"][0].get("range") == range


async def test_two_bad_parameters_are_both_named(client: Client) -> None:
    async with client.get("/videos?currentPage=0&pageSize=500") as response:
        body = await problem(response, 400, "request-invalid-query-parameter", "currentPage")
    assert [entry["name"] for entry in body["problems"]] == ["currentPage", "pageSize"]


@pytest.mark.parametrize("size", [1, 100])
async def test_page_sizes_at_the_bounds(client: Client, size: int) -> None:
    assert (await listed(client, f"?pageSize={size}"))["pagination"]["pageSize"] == size
