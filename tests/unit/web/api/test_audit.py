"""The audit log: what every writing call leaves in it."""

from datetime import timedelta
from typing import Any

import pytest

from server import clock
from server.catalog import audit
from server.catalog.database import Database
from tests.unit.web.kit import Client, Make, bearer, problem

Entry = dict[str, Any]


async def entries(client: Client, query: str = "") -> list[Entry]:
    """The oldest first."""
    answer = await client.get(f"/audit?sortBy=createdAt&pageSize=100{query}")
    found: list[Entry] = (await answer.json())["data"]
    return found


async def test_making_changing_and_deleting(client: Client) -> None:
    made = await client.post("/videos", json={"title": "A", "tags": ["x"]})
    video = (await made.json())["videoId"]
    await client.patch(f"/videos/{video}", json={"title": "B"})
    await client.delete(f"/videos/{video}")

    created, changed, deleted = await entries(client, f"&objectId={video}")
    assert [each["action"] for each in (created, changed, deleted)] == ["created", "changed", "deleted"]
    assert {each["objectType"] for each in (created, changed, deleted)} == {"videos"}
    assert created["before"] is None
    assert created["after"]["title"] == "A"
    assert created["after"]["tags"] == ["x"]
    assert created["operation"] == "POST_videos"
    assert created["requestId"] == made.headers["X-Request-ID"]
    assert created["ip"] == "127.0.0.1"
    assert created["actor"]["apiKeyId"].startswith("key_")
    assert (changed["before"], changed["after"]) == ({"title": "A"}, {"title": "B"})
    assert changed["operation"] == "PATCH_videos-videoId"
    assert deleted["before"]["title"] == "B"
    assert deleted["after"] is None


async def test_reading_and_what_is_refused_leave_nothing(client: Client) -> None:
    await client.get("/videos")
    await client.post("/videos", json={"title": ""})
    await client.delete("/videos/vi1111111111111111111111")

    assert await entries(client) == []


async def test_a_call_that_changes_no_row_is_told_of(client: Client, make_live: Make) -> None:
    live = await make_live()
    await client.put(f"/live-streams/{live}/complete")
    await client.patch(f"/live-streams/{live}", json={})

    assert [(each["action"], each["operation"], each["objectId"]) for each in await entries(client)] == [
        ("called", "PUT_live-streams-liveStreamId-complete", live),
        ("called", "PATCH_live-streams-liveStreamId", live),
    ]


async def test_tokens_for_viewers_are_not_told_of(client: Client, make_video: Make) -> None:
    await client.post(f"/videos/{await make_video()}/tokens", json={})
    assert await entries(client) == []


async def test_a_repeated_call_is_told_of_once(client: Client) -> None:
    for _ in range(2):
        await client.post("/videos", json={"title": "A"}, headers={"Idempotency-Key": "k"})
    assert [each["action"] for each in await entries(client)] == ["created"]


async def test_no_secret_is_in_it(client: Client) -> None:
    secrets = []
    target = {"name": "x", "serverUrl": "rtmp://example.com/app?auth=url-secret", "streamKey": "restream-secret"}
    wish = {"name": "A", "restreams": [target]}
    live = await (await client.post("/live-streams", json=wish)).json()
    secrets += [live["streamKey"], "restream-secret", "url-secret"]
    secrets.append((await (await client.post("/upload-tokens", json={})).json())["token"])
    hook = {"url": "https://hooks.example.com/", "events": ["video.created"]}
    secrets.append((await (await client.post("/webhooks", json=hook)).json())["signatureSecret"])
    key = await (await client.post("/api-keys", json={"name": "x", "scopes": ["*"]})).json()
    secrets.append(key["secret"])
    secrets.append((await (await client.post(f"/api-keys/{key['apiKeyId']}/rotate")).json())["secret"])

    text = await (await client.get("/audit?pageSize=100")).text()
    assert '"***"' in text
    for secret in secrets:
        assert secret not in text
    rotated = (await entries(client, "&operation=POST_api-keys-apiKeyId-rotate"))[0]
    assert rotated["before"]["hash"] == rotated["after"]["hash"] == "***"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("&action=created", ["A", "B"]),
        ("&action=deleted", []),
        ("&operation=POST_videos", ["A", "B"]),
        ("&from=2020-01-01T00:00:00Z", ["A", "B"]),
        ("&to=2020-01-01T00:00:00Z", []),
        ("&apiKeyId=key_nobody", []),
    ],
)
async def test_filters(client: Client, query: str, found: list[str]) -> None:
    for title in ("A", "B"):
        await client.post("/videos", json={"title": title})
    assert [each["after"]["title"] for each in await entries(client, query)] == found


@pytest.mark.parametrize("name", ["from", "to"])
async def test_a_moment_before_all_time_is_refused(client: Client, name: str) -> None:
    answer = await client.get("/audit", params={name: "0001-01-01T00:00:00+14:00"})
    await problem(answer, 400, "request-invalid-query-parameter", name)


async def test_each_project_has_its_own_and_the_organisation_sees_all(client: Client) -> None:
    project = await (await client.post("/projects", json={"name": "Customer"})).json()
    wish = {"name": "x", "scopes": ["*"], "projectId": project["projectId"]}
    key = await (await client.post("/api-keys", json=wish)).json()
    await client.post("/videos", json={"title": "theirs"}, headers=bearer(key["secret"]))
    theirs = await entries(client, f"&projectId={project['projectId']}")

    assert [each["objectType"] for each in theirs] == ["api_keys", "videos"]
    assert [each["objectType"] for each in await entries(client)] == ["projects"]
    client.session.headers.update(bearer(key["secret"]))
    assert await entries(client) == theirs
    assert await entries(client, "&projectId=pr1111111111111111111111") == []


async def test_old_entries_go(client: Client, database: Database) -> None:
    await client.post("/videos", json={"title": "A"})
    for kept_s, left in ((60, 1), (-1, 0)):
        async with database.write() as transaction:
            await audit.sweep(transaction, clock.now() - timedelta(seconds=kept_s))
        assert len(await entries(client)) == left
