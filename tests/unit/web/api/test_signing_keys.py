"""Signing keys over REST, and tokens that products sign with them."""

import time
from typing import Any

import jwt
import pytest
from aiohttp import ClientResponse
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from server import ids
from server.catalog import events
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Project, Video
from server.playback.tokens import MAX_TTL_S
from tests.unit.web.api.test_playback_ids import call, manifest, named
from tests.unit.web.cinema import Cinema, crawl, follow
from tests.unit.web.kit import SECRET, Client, problem

ALGORITHMS = ["RS256", "ES256", "EdDSA"]


async def key(client: Client, algorithm: str = "ES256") -> dict[str, Any]:
    made: dict[str, Any] = await call(client, "POST", "/signing-keys", {"name": "shop", "algorithm": algorithm}, 201)
    return made


def signed(made: dict[str, Any], subject: str, header: Any = None, **claims: Any) -> str:
    whole = {"sub": subject, "aud": "playback", "exp": int(time.time()) + 60, **claims}
    whole = {name: value for name, value in whole.items() if value is not ...}
    return jwt.encode(whole, made["privateKey"], made["algorithm"], header or {"kid": made["signingKeyId"]})


async def watched(viewer: Client, video: str, token: str) -> ClientResponse:
    return (await follow(viewer, f"/vod/{video}/token/{token}/hls/manifest.m3u8"))[1]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_the_private_half_is_told_once(client: Client, database: Database, algorithm: str) -> None:
    made = await key(client, algorithm)

    assert load_pem_private_key(made["privateKey"].encode(), None)
    shown = {name: value for name, value in made.items() if name != "privateKey"}
    assert await call(client, "GET", f"/signing-keys/{made['signingKeyId']}") == shown
    assert (await call(client, "GET", "/signing-keys"))["data"] == [shown]
    for path in ("/audit", "/events"):
        async with client.get(path) as response:
            assert "PRIVATE" not in await response.text()
    renamed = await call(client, "PATCH", f"/signing-keys/{made['signingKeyId']}", {"name": "old"})
    assert renamed == {**shown, "name": "old"}
    await call(client, "DELETE", f"/signing-keys/{made['signingKeyId']}", status=204)
    async with database.read() as transaction:
        told = await events.of_object(transaction, DEFAULT_PROJECT, made["signingKeyId"])
    assert [event.type.removeprefix("signing-key.") for event in told] == ["created", "updated", "deleted"]


@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS512", ""])
async def test_no_other_algorithms(client: Client, algorithm: str) -> None:
    async with client.post("/signing-keys", json={"algorithm": algorithm}) as response:
        await problem(response, 400, "invalid-attribute", "algorithm")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_its_tokens_open_the_whole_tree(cinema: Cinema, viewer: Client, algorithm: str) -> None:
    made = await key(viewer, algorithm)
    video, air = await cinema.video(public=False), await cinema.on_air(public=False)
    name = await named(viewer, video, "signed")

    for path in (
        f"/vod/{video}/token/{signed(made, video)}/hls/manifest.m3u8",
        f"/live/{air.id}/token/{signed(made, air.id)}/{air.id}.m3u8",
        f"{manifest(name)}?token={signed(made, name['playbackId'])}",
        f"{manifest(name)}?token={signed(made, video)}",
    ):
        found = await crawl(viewer, path)
        assert {response.status for response in found.values()} == {200}
        assert len(found) > 4


async def test_its_claims_hold(cinema: Cinema, viewer: Client) -> None:
    made, video = await key(viewer), await cinema.video(public=False)

    assert (await watched(viewer, video, signed(made, video, ip="127.0.0.0/8"))).status == 200
    for claims in ({"ip": "192.0.2.0/24"}, {"max_quality": 1}, {"restriction": ids.new("restriction_")}):
        await problem(await watched(viewer, video, signed(made, video, **claims)), 403, "playback-blocked")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": ...},
        {"exp": "soon"},
        {"exp": int(time.time()) + MAX_TTL_S + 3600},
        {"exp": int(time.time()) + 60, "iat": int(time.time()) - MAX_TTL_S},
        {"nbf": int(time.time()) + 3600},
        {"aud": "stats"},
        {"aud": ...},
        {"sub": ids.new("vi")},
        {"sub": ...},
        {"max_quality": "all"},
        {"jti": "x" * 300},
        {"filler": "x" * 5000},
    ],
)
async def test_bad_claims(cinema: Cinema, viewer: Client, claims: dict[str, Any]) -> None:
    made, video = await key(viewer), await cinema.video(public=False)
    response = await watched(viewer, video, signed(made, **{"subject": video, **claims}))

    assert response.status == 403, await response.text()


async def test_forged_ones(cinema: Cinema, viewer: Client) -> None:
    made, other, video = await key(viewer, "RS256"), await key(viewer), await cinema.video(public=False)
    claims = {"sub": video, "aud": "playback", "exp": int(time.time()) + 60}
    kid = {"kid": made["signingKeyId"]}

    def hs256(secret: bytes) -> str:
        """As PyJWT itself would refuse to."""
        import base64
        import hashlib
        import hmac
        import json

        def coded(data: bytes) -> str:
            return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

        head = json.dumps({"alg": "HS256", **kid}).encode()
        text = f"{coded(head)}.{coded(json.dumps(claims).encode())}"
        return f"{text}.{coded(hmac.digest(secret, text.encode(), hashlib.sha256))}"

    for token in (
        hs256(made["publicKey"].encode()),  # the public key is no secret of ours
        jwt.encode(claims, "", "none", kid),
        signed(other, video, kid),  # another key's
        signed(other, video, {"kid": ids.new("sk_")}),
        signed(other, video, {"kid": "nonsense"}),
        jwt.encode(claims, other["privateKey"], "ES256"),  # no kid
        jwt.encode(claims, made["privateKey"], "RS512", kid),
        signed(made, video)[:-4] + "AAAA",
    ):
        await problem(await watched(viewer, video, token), 403, "playback-token-invalid")
    assert (await watched(viewer, video, jwt.encode(claims, SECRET, "HS256"))).status == 200  # our own secret


async def test_a_claimed_session_is_none(cinema: Cinema, viewer: Client) -> None:
    """Or a token without an origin would go for one that was checked before."""
    made, video = await key(viewer), await cinema.video(public=False)
    token = signed(made, video, ses=ids.new("ps"), origins=["https://example.com"])

    await problem(await watched(viewer, video, token), 403, "playback-blocked")


async def test_a_deleted_key_ends_its_tokens_and_their_sessions(cinema: Cinema, viewer: Client) -> None:
    made, video = await key(viewer), await cinema.video(public=False)
    token = signed(made, video)
    path, response = await follow(viewer, f"/vod/{video}/token/{token}/hls/manifest.m3u8")
    assert response.status == 200
    assert token not in path

    await call(viewer, "DELETE", f"/signing-keys/{made['signingKeyId']}", status=204)

    for each in (path, f"/vod/{video}/token/{token}/hls/manifest.m3u8"):
        await problem(await viewer.get(each), 403, "playback-token-invalid")


async def test_a_revoked_token_ends_its_session_and_nobody_elses(cinema: Cinema, viewer: Client) -> None:
    made, video = await key(viewer), await cinema.video(public=False)
    path, _ = await follow(viewer, f"/vod/{video}/token/{signed(made, video, jti='1')}/hls/manifest.m3u8")
    other, _ = await follow(viewer, f"/vod/{video}/token/{signed(made, video, jti='2')}/hls/manifest.m3u8")

    await call(viewer, "DELETE", f"/videos/{video}/tokens/1", status=204)

    await problem(await viewer.get(path), 403, "playback-token-invalid")
    assert (await viewer.get(other)).status == 200


async def test_keys_open_nothing_of_other_projects(cinema: Cinema, viewer: Client) -> None:
    made = await key(viewer)
    async with cinema.database.write() as transaction:
        project = Project(name="Other")
        transaction.add(project)
        await transaction.flush()
    video = await cinema.video(public=False, project_id=project.id)
    await problem(await watched(viewer, video, signed(made, video)), 403, "playback-token-invalid")
    async with cinema.database.read() as transaction:
        assert await transaction.get(Video, video)
