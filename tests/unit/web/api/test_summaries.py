"""Summaries over REST."""

from typing import Any

import pytest

from server import ids
from tests.unit.web.kit import Client, Make, problem


async def made(client: Client, video_id: str, **fields: Any) -> dict[str, Any]:
    async with client.post("/summaries", json={"videoId": video_id, **fields}) as response:
        assert response.status == 201, await response.text()
        body: dict[str, Any] = await response.json()
        return body


async def test_one_is_made_written_and_deleted(client: Client, make_video: Make) -> None:
    video_id = await make_video()
    summary = await made(client, video_id)
    assert (summary["videoId"], summary["origin"], summary["sourceStatus"]) == (video_id, "api", "missing")
    path = f"/summaries/{summary['summaryId']}"

    async with client.get(f"{path}/source") as response:
        assert await response.json() == {"abstract": "", "takeaways": []}
    async with client.patch(f"{path}/source", json={"abstract": "Of knives.", "takeaways": ["Sharp."]}) as response:
        assert (response.status, await response.json()) == (201, {"abstract": "Of knives.", "takeaways": ["Sharp."]})
    async with client.patch(f"{path}/source", json={"takeaways": []}) as response:
        assert await response.json() == {"abstract": "Of knives.", "takeaways": []}
    async with client.get("/summaries", params={"videoId": video_id, "sourceStatus": "completed"}) as response:
        assert [each["summaryId"] for each in (await response.json())["data"]] == [summary["summaryId"]]

    async with client.delete(path) as response:
        assert response.status == 204
    async with client.get(f"{path}/source") as response:
        await problem(response, 404, "resource-not-found", "summaryId")


async def test_a_video_has_one(client: Client, make_video: Make) -> None:
    video_id = await make_video()
    await made(client, video_id)

    async with client.post("/summaries", json={"videoId": video_id}) as response:
        await problem(response, 409, "summary-already-exists", "videoId")


async def test_none_is_made_by_itself(client: Client, make_video: Make) -> None:
    summary = await made(client, await make_video(), origin="auto", attributes=["abstract"])

    assert (summary["origin"], summary["sourceStatus"]) == ("auto", "unprocessable")
    async with client.get("/summaries", params={"origin": "api"}) as response:
        assert (await response.json())["data"] == []


async def test_summaries_go_with_their_video(client: Client, make_video: Make) -> None:
    video_id = await make_video()
    await made(client, video_id)

    async with client.delete(f"/videos/{video_id}") as response:
        assert response.status == 204

    async with client.get("/summaries") as response:
        assert (await response.json())["data"] == []


@pytest.mark.parametrize(
    ("body", "status", "code", "name"),
    [
        ({}, 400, "attribute-required", "videoId"),
        ({"videoId": ids.new("vi")}, 404, "resource-not-found", "videoId"),
        ({"videoId": "nonsense"}, 404, "resource-not-found", "videoId"),
        ({"videoId": "x", "origin": "api"}, 400, "invalid-attribute", "origin"),
        ({"videoId": "x", "attributes": ["title"]}, 400, "invalid-attribute", "attributes[0]"),
    ],
)
async def test_what_can_not_be(client: Client, body: Any, status: int, code: str, name: str) -> None:
    async with client.post("/summaries", json=body) as response:
        await problem(response, status, code, name)


async def test_a_filter_by_no_id(client: Client) -> None:
    async with client.get("/summaries", params={"videoId": "nonsense"}) as response:
        await problem(response, 400, "request-invalid-query-parameter", "videoId")
