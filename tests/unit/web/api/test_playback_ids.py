"""Playback ids: made, looked up, rotated and deleted over REST, and watched by."""

import asyncio
from typing import Any

import pytest

from server import clock, ids
from server.catalog import events, playback_ids
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.web.hls.gate import WATCHING
from tests.unit.web.cinema import Cinema, crawl, follow
from tests.unit.web.kit import OWNER_KEY, Client, Make, basic, problem

KEY = basic(f"{OWNER_KEY}:")


def _key(client: Client) -> dict[str, str]:
    """Where the client does not bring its own."""
    return {} if "Authorization" in client.session.headers else KEY


async def call(client: Client, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    async with client.request(method, path, json=body, headers=_key(client)) as response:
        assert response.status == status, await response.text()
        return await response.json() if response.status != 204 else None


async def named(client: Client, id: str, policy: str = "public", **more: Any) -> dict[str, Any]:
    kind = "videos" if id.startswith("vi") else "live-streams"
    made: dict[str, Any] = await call(client, "POST", f"/{kind}/{id}/playback-ids", {"policy": policy, **more}, 201)
    return made


def manifest(answer: dict[str, Any]) -> str:
    return "/" + str(answer["hls"]).split("/", 3)[3]


# --- REST


@pytest.mark.parametrize("kind", ["video", "live-stream"])
async def test_made_listed_looked_up_and_deleted(
    client: Client, make_video: Make, make_live: Make, database: Database, kind: str
) -> None:
    id = await (make_video if kind == "video" else make_live)()
    first, second = await named(client, id), await named(client, id, "signed")

    told = [first[name] for name in ("objectType", "objectId", "policy", "restrictionId")]
    assert told == [kind, id, "public", None]
    path = f"/{kind}s/{id}/playback-ids"
    assert (await call(client, "GET", path))["data"] == [first, second]
    assert await call(client, "GET", f"/playback-ids/{first['playbackId']}") == first
    assert await call(client, "GET", f"/playback-ids/{ids.to_uuid('pb', first['playbackId'])}") == first

    await call(client, "DELETE", f"/playback-ids/{first['playbackId']}", status=204)

    assert (await call(client, "GET", path))["data"] == [second]
    async with client.get(f"/playback-ids/{first['playbackId']}") as response:
        await problem(response, 404, "resource-not-found", "playbackId")
    async with database.read() as transaction:
        told = await events.of_object(transaction, DEFAULT_PROJECT, first["playbackId"])
    assert [event.type for event in told] == ["playback-id.created", "playback-id.deleted"]
    assert told[0].payload[f"{kind.replace('-s', 'S')}Id"] == id


async def test_rotated(client: Client, make_video: Make) -> None:
    id = await make_video()
    old = await named(client, id, "signed")

    new = await call(client, "POST", f"/playback-ids/{old['playbackId']}/rotate", {"overlap": 3600}, 201)

    assert (new["policy"], new["objectId"], new["endsAt"]) == ("signed", id, None)
    listed = (await call(client, "GET", f"/videos/{id}/playback-ids"))["data"]
    assert [each["playbackId"] for each in listed] == [old["playbackId"], new["playbackId"]]
    assert listed[0]["endsAt"] is not None
    async with client.post(f"/playback-ids/{old['playbackId']}/rotate", json={}) as response:
        await problem(response, 409, "conflict")
    await call(client, "POST", f"/playback-ids/{new['playbackId']}/rotate", {"overlap": 0}, 201)
    async with client.get(f"/playback-ids/{new['playbackId']}") as response:
        await problem(response, 404, "resource-not-found", "playbackId")


async def test_those_that_have_ended_are_swept(client: Client, make_video: Make, database: Database) -> None:
    id = await make_video()
    old, other = await named(client, id), await named(client, id)
    new = await call(client, "POST", f"/playback-ids/{old['playbackId']}/rotate", {"overlap": 0}, 201)
    await call(client, "POST", f"/playback-ids/{other['playbackId']}/rotate", {"overlap": 3600}, 201)

    async with database.write() as transaction:
        await playback_ids.sweep_ended(transaction, clock.now())

    async with database.read() as transaction:
        there = [await playback_ids.find(transaction, each["playbackId"]) is not None for each in (old, other, new)]
    assert there == [False, True, True]


@pytest.mark.parametrize(
    ("body", "name"),
    [({}, "policy"), ({"policy": "private"}, "policy"), ({"policy": "public", "restrictionId": "x"}, "restrictionId"),
     ({"policy": "public", "restrictionId": ids.new("restriction_")}, "restrictionId")],
)  # fmt: skip
async def test_what_can_not_be_made(client: Client, make_video: Make, body: Any, name: str) -> None:
    async with client.post(f"/videos/{await make_video()}/playback-ids", json=body) as response:
        assert response.status == 400
        assert (await response.json())["name"] == name


async def test_they_go_with_the_video(client: Client, make_video: Make) -> None:
    id = await make_video()
    made = await named(client, id)

    await call(client, "DELETE", f"/videos/{id}", status=204)

    async with client.get(f"/playback-ids/{made['playbackId']}") as response:
        await problem(response, 404, "resource-not-found", "playbackId")


# --- watched by


async def test_a_public_one_opens_what_is_private_by_its_own_id(cinema: Cinema, viewer: Client) -> None:
    video, air = await cinema.video(public=False), await cinema.on_air(public=False)

    for id in (video, air.id):
        made = await named(viewer, id)
        root = manifest(made).split(made["playbackId"])[0] + made["playbackId"]
        for path in (manifest(made), "/" + made["dash"].split("/", 3)[3]):
            found = await crawl(viewer, path)
            assert {response.status for response in found.values()} == {200}
            assert all(url.startswith(root) for url in found), found
    assert (await viewer.get(f"/vod/{video}/hls/manifest.m3u8")).status == 403


async def test_a_signed_one_takes_a_token_for_itself_or_for_the_object(cinema: Cinema, viewer: Client) -> None:
    video, air = await cinema.video(), await cinema.on_air()

    for id in (video, air.id):
        made = await named(viewer, id, "signed")
        await problem(await viewer.get(manifest(made)), 403, "playback-token-missing")
        own = (await call(viewer, "POST", f"/playback-ids/{made['playbackId']}/tokens", {}, 201))["hls"]
        ofobject = f"{manifest(made)}?token={cinema.token(id)}"
        for path in ("/" + own.split("/", 3)[3], ofobject):
            found = await crawl(viewer, path)
            assert {response.status for response in found.values()} == {200}
            assert len(found) > 4
        root = "/vod/" if id == video else "/live/"
        tail = "/hls/manifest.m3u8" if id == video else ".m3u8"
        token = own.split("/token/")[1].split("/")[0]
        await problem(await viewer.get(f"{root}{id}{tail}?token={token}"), 403, "playback-token-invalid")


async def test_a_deleted_one_opens_nothing_any_more(cinema: Cinema, viewer: Client) -> None:
    video = await cinema.video()
    made = await named(viewer, video, "signed")
    own = await call(viewer, "POST", f"/playback-ids/{made['playbackId']}/tokens", {}, 201)
    path, response = await follow(viewer, "/" + own["hls"].split("/", 3)[3])
    assert response.status == 200

    await call(viewer, "DELETE", f"/playback-ids/{made['playbackId']}", status=204)

    await problem(await viewer.get(path), 404, "resource-not-found")
    assert (await viewer.get(f"/vod/{video}/hls/manifest.m3u8")).status == 200


async def test_one_that_was_rotated_opens_until_its_time(
    cinema: Cinema, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await named(viewer, await cinema.video())
    await call(viewer, "POST", f"/playback-ids/{made['playbackId']}/rotate", {"overlap": 1}, 201)
    assert (await viewer.get(manifest(made))).status == 200

    async with asyncio.timeout(20):
        while (await viewer.get(manifest(made))).status != 404:
            await asyncio.sleep(0.1)


async def test_what_is_changed_of_the_video_holds_for_its_names(cinema: Cinema, viewer: Client) -> None:
    video = await cinema.video()
    made = await named(viewer, video)
    assert (await viewer.get(manifest(made))).status == 200

    await cinema.change(video, playable=False, state="error")

    await problem(await viewer.get(manifest(made)), 404, "resource-not-found")


async def test_its_page(cinema: Cinema, viewer: Client) -> None:
    video, air = await cinema.video(public=False), await cinema.on_air(public=False)

    for id in (video, air.id):
        made = await named(viewer, id)
        text = await (await viewer.get(f"/embed/{made['playbackId']}")).text()
        assert manifest(made) in text
        assert id not in text


async def test_no_kind_is_watched_as_the_other(cinema: Cinema, viewer: Client) -> None:
    video, live = await named(viewer, await cinema.video()), await named(viewer, (await cinema.on_air()).id)

    for path in (f"/live/{video['playbackId']}.m3u8", f"/vod/{live['playbackId']}/hls/manifest.m3u8"):
        await problem(await viewer.get(path), 404, "resource-not-found")


async def test_segments_are_answered_from_memory(cinema: Cinema, viewer: Client) -> None:
    """No database on the way of a segment, by whatever name."""
    air = await cinema.on_air()
    made = await named(viewer, air.id)
    path = f"/live/{made['playbackId']}/{air.broadcast_id}/video/0.m4s"
    assert (await viewer.get(path)).status == 200
    misses = viewer.app[WATCHING].assets.misses

    for _ in range(10):
        assert (await viewer.get(path)).status == 200

    assert viewer.app[WATCHING].assets.misses == misses
