"""Playback tokens over REST, for videos and live streams alike."""

from datetime import datetime
from typing import Any

import pytest

from server import clock
from server.playback.tokens import Limits, Tokens
from server.web.services import Services
from tests.unit.web.kit import SECRET, Client, Make, problem


@pytest.fixture(params=["video", "live"])
async def asset(request: pytest.FixtureRequest, make_video: Make, make_live: Make) -> tuple[str, str]:
    """(its id, the path of its tokens)"""
    if request.param == "video":
        id = await make_video(public=False)
        return id, f"/videos/{id}/tokens"
    id = await make_live(public=False)
    return id, f"/live-streams/{id}/tokens"


async def mint(client: Client, path: str, body: Any = None) -> dict[str, Any]:
    async with client.post(path, json=body) as response:
        assert response.status == 201, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer


async def test_the_answer(client: Client, asset: tuple[str, str]) -> None:
    id, path = asset
    answer = await mint(client, path)
    base, token = str(client.make_url("/")).rstrip("/"), answer["token"]

    assert set(answer) == {"token", "tokenId", "expiresAt", "hls", "dash", "embed", "thumbnail"}
    assert answer["embed"] == f"{base}/embed/{id}?token={token}"
    root = f"{base}/vod/{id}/token/{token}" if id.startswith("vi") else f"{base}/live/{id}/token/{token}"
    tail = "hls/manifest.m3u8" if id.startswith("vi") else f"{id}.m3u8"
    assert (answer["hls"], answer["thumbnail"]) == (f"{root}/{tail}", f"{root}/thumbnail.jpg")
    grant = Tokens(SECRET).verify(token, id)
    assert grant.token_id == answer["tokenId"]
    assert datetime.fromisoformat(answer["expiresAt"]).timestamp() == grant.expires_at


@pytest.mark.parametrize(("body", "ttl"), [(None, 3600), ({}, 3600), ({"ttl": 1}, 1), ({"ttl": 604800}, 604800)])
async def test_lives(client: Client, asset: tuple[str, str], body: Any, ttl: int) -> None:
    answer = await mint(client, asset[1], body)

    life = datetime.fromisoformat(answer["expiresAt"]).timestamp() - clock.now().timestamp()
    assert life == pytest.approx(ttl, abs=5)


@pytest.mark.parametrize("quality", ["max_quality", "maxQuality"])
async def test_claims(client: Client, asset: tuple[str, str], quality: str) -> None:
    body = {
        "origins": ["https://Example.com", "*.example.com"], "ip": "192.0.2.0/24", "countries": ["fr"],
        quality: 720, "viewer": "user-7", "sessions": 2,
    }  # fmt: skip
    answer = await mint(client, asset[1], body)

    limits = Tokens(SECRET).verify(answer["token"], asset[0]).limits
    assert limits == Limits(("https://example.com", "*.example.com"), "192.0.2.0/24", ("FR",), 720, "user-7", 2)


async def test_images_only(client: Client, asset: tuple[str, str]) -> None:
    answer = await mint(client, asset[1], {"aud": "thumbnail"})

    assert Tokens(SECRET).verify(answer["token"], asset[0], ("thumbnail",)).audience == "thumbnail"


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"ttl": 0}, "ttl"),
    ({"ttl": -5}, "ttl"),
    ({"ttl": 604801}, "ttl"),
    ({"ttl": "600"}, "ttl"),
    ({"ttl": 600.0}, "ttl"),
    ({"aud": "stats"}, "aud"),
    ({"origins": "https://example.com"}, "origins"),
    ({"origins": ["https://example.com/path"]}, "origins"),
    ({"origins": ["x.com"] * 51}, "origins"),
    ({"ip": "here"}, "ip"),
    ({"ip": ""}, "ip"),
    ({"countries": ["France"]}, "countries"),
    ({"max_quality": 0}, "max_quality"),
    ({"max_quality": "720p"}, "max_quality"),
    ({"viewer": ""}, "viewer"),
    ({"viewer": "x" * 257}, "viewer"),
    ({"sessions": 0}, "sessions"),
    ({"sessions": 1001}, "sessions"),
    ({"exp": 1}, "exp"),
    ({"sub": "vi1"}, "sub"),
]


@pytest.mark.parametrize(("body", "name"), INVALID, ids=[f"{name}-{n}" for n, (_, name) in enumerate(INVALID)])
async def test_bad_claims_are_named(client: Client, asset: tuple[str, str], body: dict[str, Any], name: str) -> None:
    async with client.post(asset[1], json=body) as response:
        await problem(response, 400, "invalid-attribute", name)


async def test_revoking(client: Client, asset: tuple[str, str], services: Services) -> None:
    answer = await mint(client, asset[1])
    async with client.delete(f"{asset[1]}/{answer['tokenId']}") as response:
        assert (response.status, await response.read()) == (204, b"")

    assert answer["tokenId"] in services.revocations
