"""Live streams over REST: every operation, its status, its shape, its refusals."""

import re
from typing import Any

import pytest

from server import ids
from server.catalog import events
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.config import HttpConfig, LiveConfig
from server.playback.tokens import Tokens
from server.web.services import IngestPorts, Services
from tests.unit.web.kit import SECRET, Client, Connect, Fake, Make, problem

YOUTUBE = {"name": "YouTube", "serverUrl": "rtmp://youtube.example.com/live2", "streamKey": "k"}


async def json_of(client: Client, method: str, path: str, status: int, body: Any = None) -> Any:
    async with client.request(method, path, json=body) as response:
        assert response.status == status, await response.text()
        assert response.headers["Content-Type"] == "application/json"
        return await response.json()


async def test_a_new_live_stream(client: Client) -> None:
    live = await json_of(client, "POST", "/live-streams", 200, {"name": "My stream"})
    id, base = live["liveStreamId"], str(client.make_url("/")).rstrip("/")
    created, updated, key = live.pop("createdAt"), live.pop("updatedAt"), live.pop("streamKey")

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", created)
    assert created == updated
    assert re.fullmatch(r"[0-9a-f-]{20,}", key)
    assert live == {
        "liveStreamId": id,
        "name": "My stream",
        "public": True,
        "broadcasting": False,
        "restreams": [],
        "assets": {
            "hls": f"{base}/live/{id}.m3u8",
            "dash": f"{base}/live/{id}.mpd",
            "iframe": f'<iframe src="{base}/embed/{id}" width="100%" height="100%" frameborder="0" scrolling="no" '
            'allow="autoplay; fullscreen; picture-in-picture" allowfullscreen=""></iframe>',
            "player": f"{base}/embed/{id}",
            "thumbnail": f"{base}/live/{id}/thumbnail.jpg",
        },
        "state": "idle",
        "record": True,
        "latencyMode": "low",
        "reconnectWindow": 60,
        "schedule": None,
        "slate": None,
        "backupStreamKey": None,
        "renditions": "passthrough",
        "retention": None,
        "tags": [],
        "metadata": [],
        "rtmp": "rtmp://127.0.0.1:1935/live",
        "rtmps": None,
        "srt": None,
        "srtPassphrase": None,
        "srtMinKeyBits": 0,
        "sourceUrl": None,
        "source": None,
        "tokensValidAfter": None,
        "links": {"broadcastId": None, "recordings": f"/videos?liveStreamId={id}"},
    }


WHOLE: dict[str, Any] = {
    "name": "My stream",
    "public": False,
    "playerId": "pl1",
    "restreams": [YOUTUBE, {"name": "Twitch", "serverUrl": "rtmps://live.twitch.example:443/app", "streamKey": "k2"}],
    "record": False,
    "srtPassphrase": "a passphrase",
    "srtMinKeyBits": 256,
    "sourceUrl": "srt://a.example.com:9000?streamid=x",
    "latencyMode": "ultra-low",
    "reconnectWindow": 0,
    "renditions": [
        {"height": 720, "width": None, "videoBitrate": None, "fps": None},
        {"height": 480, "width": 640, "videoBitrate": 900_000, "fps": 15.0},
    ],
    "tags": ["a"],
    "metadata": [{"key": "k", "value": "v"}],
}


async def test_everything_that_can_be_said_is_kept(client: Client) -> None:
    made = await json_of(client, "POST", "/live-streams", 200, WHOLE)
    shown = await json_of(client, "GET", f"/live-streams/{made['liveStreamId']}", 200)

    assert made["restreams"] == shown["restreams"]
    for name, value in WHOLE.items():
        assert told(made)[name] == told(shown)[name] == value


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """Without what the server says of targets by itself."""
    own = {"restreamId", "enabled"}
    bare = [{name: value for name, value in each.items() if name not in own} for each in answer["restreams"]]
    return {**answer, "restreams": bare}


async def test_a_target_keeps_its_id_where_the_list_is_given_again(client: Client) -> None:
    made = await json_of(client, "POST", "/live-streams", 200, WHOLE)
    first, second = made["restreams"]
    assert first["restreamId"] != second["restreamId"]
    renamed = {**YOUTUBE, "name": "another name"}
    path = f"/live-streams/{made['liveStreamId']}"
    (kept, new) = (await json_of(client, "PATCH", path, 200, {"restreams": [renamed, YOUTUBE]}))["restreams"]
    assert kept == {**first, "name": "another name"}
    assert new["restreamId"] not in (first["restreamId"], second["restreamId"])


async def test_renditions_by_a_word_or_a_list(client: Client) -> None:
    made = await json_of(client, "POST", "/live-streams", 200, {"name": "x", "renditions": "ladder"})
    assert made["renditions"] == "ladder"
    path = f"/live-streams/{made['liveStreamId']}"
    listed = (await json_of(client, "PATCH", path, 200, {"renditions": [{"height": 360}]}))["renditions"]
    assert listed == [{"height": 360, "width": None, "videoBitrate": None, "fps": None}]
    assert (await json_of(client, "PATCH", path, 200, {"renditions": "passthrough"}))["renditions"] == "passthrough"


async def test_the_servers_defaults(connect: Connect) -> None:
    client = await connect({"live": LiveConfig(latency_mode="reduced", reconnect_window_s=5)})

    live = await json_of(client, "POST", "/live-streams", 200, {"name": "x", "reconnectWindow": None})

    assert (live["latencyMode"], live["reconnectWindow"]) == ("reduced", 5)


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": 7}, "name"),
    ({"public": "yes"}, "public"),
    ({"record": 1}, "record"),
    ({"latencyMode": "lowest"}, "latencyMode"),
    ({"reconnectWindow": -1}, "reconnectWindow"),
    ({"reconnectWindow": 1801}, "reconnectWindow"),
    ({"reconnectWindow": "60"}, "reconnectWindow"),
    ({"reconnectWindow": 1.5}, "reconnectWindow"),
    ({"restreams": [YOUTUBE] * 6}, "restreams"),
    ({"restreams": YOUTUBE}, "restreams"),
    ({"restreams": [{**YOUTUBE, "name": ""}]}, "restreams[0][name]"),
    ({"renditions": "high"}, "renditions"),
    ({"renditions": None}, "renditions"),
    ({"renditions": 7}, "renditions"),
    ({"renditions": []}, "renditions"),
    ({"renditions": [{"height": 480}] * 2}, "renditions"),
    ({"renditions": [{"height": 100 * at + 100} for at in range(7)]}, "renditions"),
    ({"renditions": [{"height": 480}, {"height": 481}]}, "renditions[1][height]"),
    ({"renditions": [{"height": "480"}]}, "renditions[0][height]"),
    ({"renditions": [{"height": 20}]}, "renditions[0][height]"),
    ({"renditions": [{"height": 480, "videoBitrate": 1}]}, "renditions[0][videoBitrate]"),
    ({"renditions": [{"height": 480, "fps": 0}]}, "renditions[0][fps]"),
    ({"renditions": [{"height": 480, "width": 0}]}, "renditions[0][width]"),
    ({"renditions": [{"height": 480, "codec": "av1"}]}, "renditions[0][codec]"),
    ({"restreams": [YOUTUBE, {**YOUTUBE, "streamKey": " "}]}, "restreams[1][streamKey]"),
    ({"restreams": [{**YOUTUBE, "serverUrl": "https://example.com/app"}]}, "restreams[0][serverUrl]"),
    ({"restreams": [{**YOUTUBE, "serverUrl": "rtmp://example.com"}]}, "restreams[0][serverUrl]"),
    ({"restreams": [{**YOUTUBE, "serverUrl": "rtmp://example.com/"}]}, "restreams[0][serverUrl]"),
    ({"restreams": [{**YOUTUBE, "serverUrl": "rtmp:///app"}]}, "restreams[0][serverUrl]"),
    ({"restreams": [{**YOUTUBE, "serverUrl": "rtmp://[broken/app"}]}, "restreams[0][serverUrl]"),
    ({"sourceUrl": "file:///etc/passwd"}, "sourceUrl"),
    ({"sourceUrl": "rtmp://example.com/app"}, "sourceUrl"),
    ({"sourceUrl": "srt://example.com"}, "sourceUrl"),
    ({"tags": [""]}, "tags[0]"),
    ({"streamKey": "mine"}, "streamKey"),
    ({"state": "disabled"}, "state"),
    ({"broadcasting": True}, "broadcasting"),
]


@pytest.mark.parametrize(("body", "name"), INVALID, ids=[f"{name}-{n}" for n, (_, name) in enumerate(INVALID)])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_bad_values_are_named(
    client: Client, make_live: Make, method: str, body: dict[str, Any], name: str
) -> None:
    path = "/live-streams" if method == "POST" else f"/live-streams/{await make_live()}"
    sent = {"name": "x", **body} if method == "POST" else body
    async with client.request(method, path, json=sent) as response:
        await problem(response, 400, "invalid-attribute", name)


async def test_a_name_is_required(client: Client) -> None:
    async with client.post("/live-streams", json={"public": True}) as response:
        await problem(response, 400, "attribute-required", "name")


async def test_changes_leave_the_rest_and_the_key(client: Client) -> None:
    made = await json_of(client, "POST", "/live-streams", 200, WHOLE)
    path = f"/live-streams/{made['liveStreamId']}"

    changed = await json_of(client, "PATCH", path, 200, {"name": "New", "restreams": [], "playerId": None})

    assert (changed["name"], changed["restreams"], "playerId" in changed) == ("New", [], False)
    for name in set(WHOLE) - {"name", "restreams", "playerId"}:
        assert changed[name] == WHOLE[name]
    assert changed["streamKey"] == made["streamKey"]


async def test_what_is_on_air(client: Client, make_live: Make, services: Services) -> None:
    id = await make_live(state="broadcasting", broadcast_id="br1")
    live = await json_of(client, "GET", f"/live-streams/{id}", 200)

    assert (live["broadcasting"], live["state"], live["links"]["broadcastId"]) == (True, "broadcasting", "br1")


async def test_deleting_ends_the_broadcast_first(client: Client, make_live: Make, fake: Fake) -> None:
    id = await make_live(state="broadcasting")
    async with client.delete(f"/live-streams/{id}") as response:
        assert (response.status, await response.read()) == (204, b"")
        assert "Content-Type" not in response.headers

    assert fake.completed == [id]
    assert [live.id for live in fake.live_streams_deleted] == [id]
    async with client.delete(f"/live-streams/{id}") as response:
        await problem(response, 404, "resource-not-found", "liveStreamId")


async def test_completing(client: Client, make_live: Make, fake: Fake) -> None:
    id = await make_live()
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # as the SDK for Node sends it
    for spelled in (id, id[2:]):
        async with client.put(f"/live-streams/{spelled}/complete", headers=form) as response:
            assert (response.status, await response.read()) == (202, b"")
            assert "Content-Type" not in response.headers

    assert fake.completed == [id, id]


async def test_every_change_leaves_an_event(client: Client, database: Database) -> None:
    made = await json_of(client, "POST", "/live-streams", 200, {"name": "x"})
    id = made["liveStreamId"]
    await json_of(client, "PATCH", f"/live-streams/{id}", 200, {"reconnectWindow": 5})
    async with client.delete(f"/live-streams/{id}"):
        pass

    async with database.read() as transaction:
        found = await events.of_object(transaction, DEFAULT_PROJECT, id)
    assert [event.type for event in found] == ["live-stream.created", "live-stream.updated", "live-stream.deleted"]
    assert made["streamKey"] not in str([event.payload for event in found])


OPERATIONS = [
    ("GET", "", None),
    ("PATCH", "", {"name": "x"}),
    ("DELETE", "", None),
    ("PUT", "/complete", None),
    ("POST", "/tokens", {}),
    ("DELETE", "/tokens/jti", None),
]


@pytest.mark.parametrize(("method", "tail", "body"), OPERATIONS)
async def test_ids_that_name_nothing_are_404(
    client: Client, make_video: Make, fake: Fake, method: str, tail: str, body: Any
) -> None:
    for id in (ids.new("li"), await make_video(), "nonsense", "..%2f..%2fetc", "%00"):
        async with client.request(method, f"/live-streams/{id}{tail}", json=body) as response:
            await problem(response, 404, "resource-not-found", "liveStreamId")
    assert fake.completed == []


@pytest.mark.parametrize(("method", "tail", "body"), [("GET", "", None), *OPERATIONS])
async def test_no_operation_without_credentials(
    anonymous: Client, make_live: Make, method: str, tail: str, body: Any
) -> None:
    async with anonymous.request(method, f"/live-streams/{await make_live()}{tail}", json=body) as response:
        await problem(response, 401, "authentication-missing-authorization-header")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["b", "c", "a"]),
        ("?name=A", ["a"]),
        ("?streamKey=key-c", ["c"]),
        ("?streamKey=key", []),
        ("?sortBy=name&sortOrder=desc", ["c", "b", "a"]),
        ("?pageSize=1", ["b"]),
    ],
)
async def test_lists(client: Client, make_live: Make, query: str, found: list[str]) -> None:
    for name in ("a", "c", "b"):
        await make_live(name=name, stream_key=f"key-{name}")

    answer = await json_of(client, "GET", f"/live-streams{query}", 200)

    assert [live["name"] for live in answer["data"]] == found
    assert isinstance(answer["pagination"]["links"], list)


async def test_a_private_ones_urls_open_it(client: Client, make_live: Make) -> None:
    id = await make_live(public=False)
    assets = (await json_of(client, "GET", f"/live-streams/{id}", 200))["assets"]

    token = re.search(f"/live/{id}/token/([^/]+)/{id}.m3u8$", assets["hls"])
    assert token
    Tokens(SECRET).verify(token[1], id)
    assert assets["thumbnail"].endswith(f"/live/{id}/token/{token[1]}/thumbnail.jpg")
    assert assets["player"].endswith(f"/embed/{id}?token={token[1]}")


@pytest.mark.parametrize(
    ("ports", "public_url", "urls"),
    [
        (IngestPorts(), None, (None, None, None)),
        (
            IngestPorts(1935, 1936, 6200),
            "https://video.example.com:8443/api",
            ("rtmp://video.example.com:1935/live", "rtmps://video.example.com:1936/live", "srt://video.example.com:6200"),
        ),
        (IngestPorts(1935), "http://[2001:db8::1]:8080", ("rtmp://[2001:db8::1]:1935/live", None, None)),
    ],
)
async def test_where_to_publish(
    connect: Connect, make_live: Make, ports: IngestPorts, public_url: str | None, urls: tuple[str | None, ...]
) -> None:
    client = await connect({"ingest": ports, "http": HttpConfig(public_url=public_url)})
    live = await json_of(client, "GET", f"/live-streams/{await make_live(stream_key='k')}", 200)

    assert (live["rtmp"], live["rtmps"]) == urls[:2]
    assert live["srt"] == (f"{urls[2]}?streamid=k" if urls[2] else None)
