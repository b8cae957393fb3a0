"""Playback restrictions over REST, and what they do to viewers."""

from dataclasses import replace
from typing import Any

import pytest

from server.config import HttpConfig
from server.web.hls.gate import WATCHING
from server.web.services import Services
from tests.unit.web.api.test_playback_ids import KEY, call, manifest, named
from tests.unit.web.cinema import Cinema
from tests.unit.web.kit import Client, problem

PAGE = {"Referer": "https://www.example.com/"}


@pytest.fixture
def services(services: Services) -> Services:
    """Behind a proxy that tells where viewers are."""
    return replace(services, http=HttpConfig(trusted_proxies=["127.0.0.0/8"], country_header="X-Country"))


async def restriction(client: Client, **rules: Any) -> str:
    return str((await call(client, "POST", "/playback-restrictions", rules, 201))["restrictionId"])


async def test_made_changed_listed_and_deleted(client: Client) -> None:
    wish = {"name": "pages", "domains": {"allowed": ["*.Example.com"], "allowMissing": True},
            "userAgents": {"blocked": ["CURL/"]}, "networks": {"allowed": ["192.0.2.7/24"]}}  # fmt: skip
    made = await call(client, "POST", "/playback-restrictions", wish, 201)
    id = made["restrictionId"]

    assert made["domains"] == {"allowed": ["*.example.com"], "blocked": [], "allowMissing": True}
    assert made["userAgents"] == {"allowed": [], "blocked": ["curl/"], "allowMissing": False}
    assert made["countries"] == {"allowed": [], "blocked": [], "allowMissing": False}
    assert made["networks"] == {"allowed": ["192.0.2.0/24"], "blocked": []}
    assert (await call(client, "GET", "/playback-restrictions"))["data"] == [made]

    changed = await call(client, "PATCH", f"/playback-restrictions/{id}", {"countries": {"allowed": ["fr"]}})

    assert changed["countries"]["allowed"] == ["FR"]
    assert changed["domains"] == made["domains"]
    await call(client, "DELETE", f"/playback-restrictions/{id}", status=204)
    async with client.get(f"/playback-restrictions/{id}") as response:
        await problem(response, 404, "resource-not-found", "restrictionId")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"domains": {"allowed": ["not a domain"]}}, "domains[allowed][0]"),
        ({"networks": {"blocked": ["192.0.2.0/33"]}}, "networks[blocked][0]"),
        ({"countries": {"allowed": ["FRA"]}}, "countries[allowed][0]"),
        ({"userAgents": {"allowed": [""]}}, "userAgents[allowed][0]"),
        ({"networks": {"allowMissing": True}}, "networks[allowMissing]"),
        ({"domains": {"allowed": ["a.example"] * 101}}, "domains[allowed]"),
    ],
)
async def test_what_can_not_be_made(client: Client, body: Any, name: str) -> None:
    async with client.post("/playback-restrictions", json=body) as response:
        found = await response.json()
        assert (response.status, found["name"]) == (400, name)


async def test_one_that_a_playback_id_has_stays(cinema: Cinema, client: Client) -> None:
    id = await restriction(client)
    made = await named(client, await cinema.make_video(), restrictionId=id)
    async with client.delete(f"/playback-restrictions/{id}") as response:
        await problem(response, 409, "conflict")

    await call(client, "PATCH", f"/playback-ids/{made['playbackId']}", {"restrictionId": None})

    await call(client, "DELETE", f"/playback-restrictions/{id}", status=204)


@pytest.mark.parametrize(
    ("rules", "headers", "reason"),
    [
        ({"domains": {"allowed": ["*.example.com"]}}, PAGE, None),
        ({"domains": {"allowed": ["*.example.com"]}}, {"Referer": "https://evil.example/"}, "domain"),
        ({"domains": {"allowed": ["*.example.com"]}}, {}, "no-referrer"),
        ({"domains": {"allowed": ["*.example.com"], "allowMissing": True}}, {}, None),
        ({"userAgents": {"blocked": ["vlc/"]}}, {"User-Agent": "VLC/3.0"}, "user-agent"),
        ({"countries": {"allowed": ["FR"]}}, {"X-Country": "FR"}, None),
        ({"countries": {"blocked": ["FR"]}}, {"X-Country": "FR"}, "country"),
        ({"countries": {"blocked": ["FR"]}}, {}, "country"),
        ({"networks": {"allowed": ["192.0.2.0/24"]}}, {"X-Forwarded-For": "192.0.2.7"}, None),
        ({"networks": {"blocked": ["192.0.2.0/24"]}}, {"X-Forwarded-For": "192.0.2.7"}, "network"),
    ],
)
@pytest.mark.parametrize("way", ["playback id", "token"])
async def test_who_may_watch(
    cinema: Cinema, viewer: Client, rules: Any, headers: dict[str, str], reason: str | None, way: str
) -> None:
    id = await restriction(viewer, **rules)
    for asset, kind in ((await cinema.video(), "videos"), ((await cinema.on_air()).id, "live-streams")):
        if way == "playback id":
            path = manifest(await named(viewer, asset, restrictionId=id))
        else:
            minted = await call(viewer, "POST", f"/{kind}/{asset}/tokens", {"restriction": id}, 201)
            path = manifest(minted)
        response = await viewer.get(path, headers=headers)
        if reason is None:
            assert response.status == 200
        else:
            await problem(response, 403, "playback-blocked")
    assert viewer.app[WATCHING].door.refusals == ({reason: 2} if reason else {})


async def test_who_plays_already_is_not_asked_for_a_page_but_for_all_else(cinema: Cinema, viewer: Client) -> None:
    id = await restriction(
        viewer, domains={"allowed": ["*.example.com"]}, countries={"blocked": ["FR"], "allowMissing": True}
    )
    air = await cinema.on_air()
    made = await named(viewer, air.id, restrictionId=id)
    path = f"/live/{made['playbackId']}/{air.broadcast_id}/video/0.m4s"

    first = await viewer.get(path)
    assert (first.status, first.headers["Cache-Control"].partition(",")[0]) == (200, "private")
    assert (await viewer.get(path, headers={"Origin": "https://evil.example"})).status == 403
    assert (await viewer.get(path, headers={"X-Country": "FR"})).status == 403

    await call(viewer, "PATCH", f"/playback-restrictions/{id}", {"networks": {"blocked": ["127.0.0.0/8"]}})

    assert (await viewer.get(path)).status == 403


async def test_a_token_that_names_one_that_is_gone_opens_nothing(cinema: Cinema, viewer: Client) -> None:
    video, id = await cinema.video(), await restriction(viewer)
    minted = await call(viewer, "POST", f"/videos/{video}/tokens", {"restriction": id}, 201)
    assert (await viewer.get(manifest(minted))).status == 200

    await call(viewer, "DELETE", f"/playback-restrictions/{id}", status=204)

    await problem(await viewer.get(manifest(minted)), 403, "playback-blocked")
    async with viewer.post(f"/videos/{video}/tokens", json={"restriction": id}, headers=KEY) as response:
        await problem(response, 400, "invalid-attribute", "restriction")
