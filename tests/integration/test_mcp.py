"""The Model Context Protocol with its official client, over HTTP and over standard input and output."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.harness.server import OWNER_KEY, Server

pytestmark = pytest.mark.server
PATIENCE_S = 90

READERS = {"search_videos", "show_video", "search_live_streams", "show_live_stream", "search_jobs"}
Connect = Callable[[Server, str], AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def over_http(server: Server, key: str, **options: Any) -> AsyncIterator[Client]:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_S) as http:
        transport = streamable_http_client(server.http + "/mcp", http_client=http)
        async with Client(transport, read_timeout_seconds=PATIENCE_S, **options) as client:
            yield client


@asynccontextmanager
async def over_http_as_before(server: Server, key: str) -> AsyncIterator[Client]:
    """With the handshake of the revisions before 2026."""
    async with over_http(server, key, mode="legacy") as client:
        yield client


@asynccontextmanager
async def over_stdio(server: Server, key: str) -> AsyncIterator[Client]:
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "server", "mcp", "--url", server.http], env={"SLUICE_KEY": key},
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    async with Client(command, read_timeout_seconds=PATIENCE_S) as client:
        yield client


ways = pytest.mark.parametrize("connect", [over_http, over_http_as_before, over_stdio], ids=lambda one: one.__name__)


async def called(client: Client, tool: str, **arguments: Any) -> Any:
    """What a tool answers; it is the same as text and as a structure."""
    result = await client.call_tool(tool, arguments)
    text = result.content[0].text  # type: ignore[union-attr]
    assert not result.is_error, text
    assert json.loads(text) == result.structured_content
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    text: str = result.content[0].text  # type: ignore[union-attr]
    return text


def key_with(server: Server, *scopes: str, **more: Any) -> str:
    made = server.api("POST", "/api-keys", {"name": "for an assistant", "scopes": list(scopes), **more})
    secret: str = made["secret"]
    return secret


@ways
async def test_the_tools_do_what_they_say(server: Server, connect: Connect) -> None:
    async with connect(server, OWNER_KEY) as client:
        listed = (await client.list_tools()).tools
        assert {tool.name for tool in listed if tool.annotations and tool.annotations.read_only_hint} == READERS
        assert all(tool.description and tool.input_schema["type"] == "object" for tool in listed)

        upload = await called(client, "create_upload", title="Made by a model", tags=["m"], public=False)
        video = await called(client, "show_video", videoId=upload["videoId"])
        assert (video["title"], video["state"], video["tags"]) == ("Made by a model", "pending", ["m"])
        assert "player" not in video
        assert upload["uploadUrl"].startswith(f"{server.http}/upload?token=to")

        found = await called(client, "search_videos", title="by a mod", pageSize=50)
        assert upload["videoId"] in [one["videoId"] for one in found["videos"]]
        assert (await called(client, "search_videos", tags=["no such tag"]))["total"] == 0
        assert (await called(client, "search_videos", search="model made"))["total"] >= 1

        link = await called(client, "mint_playback_link", id=upload["videoId"], ttl=60, viewer="me")
        assert server.get(link["embed"]).status == 200

        live = await called(client, "create_live_stream", name="On air", public=False)
        assert live["publish"]["streamKey"]
        assert live["publish"]["rtmp"].startswith("rtmp://127.0.0.1:")
        shown = await called(client, "show_live_stream", liveStreamId=live["liveStreamId"])
        assert shown["broadcasting"] is False
        assert live["publish"]["streamKey"] not in json.dumps(shown)
        of_live = await called(client, "mint_playback_link", id=live["liveStreamId"])
        assert f"/live/{live['liveStreamId']}" in of_live["hls"]
        streams = await called(client, "search_live_streams", name="On air")
        assert live["liveStreamId"] in [one["liveStreamId"] for one in streams["liveStreams"]]

        assert (await called(client, "search_jobs", state="failed", objectId=upload["videoId"]))["jobs"] == []


async def test_an_upload_that_was_created_takes_its_file_without_a_key(server: Server) -> None:
    async with over_http(server, OWNER_KEY) as client:
        made = await called(client, "create_upload", title="Without a key")
    form = f'--x\r\nContent-Disposition: form-data; name="videoId"\r\n\r\n{made["videoId"]}\r\n--x\r\n'.encode()
    form += b'Content-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\nno film\r\n--x--\r\n'

    answer = server.call(
        "POST", made["uploadUrl"], form, key=None, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )

    assert (answer.status, answer.json()["videoId"]) == (201, made["videoId"])


@ways
async def test_refusals_are_results_in_words(server: Server, connect: Connect) -> None:
    video = server.api("POST", "/videos", {"title": "x"})["videoId"]
    key = key_with(server, "videos:read", "playback-tokens:mint", "videos:write")
    async with connect(server, key) as client:
        assert (await called(client, "show_video", videoId=video))["title"] == "x"
        lacks = await refused(client, "create_live_stream", name="x")
        assert lacks == "The API key lacks the scope live-streams:write."
        assert "upload-tokens:write" in await refused(client, "create_upload", title="x")
        assert "not found" in await refused(client, "show_video", videoId="vi2hGs8")
        assert "not found" in await refused(client, "show_video", videoId="../live-streams")
        assert "pageSize" in await refused(client, "search_videos", pageSize=1000)
        assert "videoId" in await refused(client, "show_video")
        assert "nonsense" in await refused(client, "show_video", videoId=video, nonsense=1)
        assert "no tool nothing" in await refused(client, "nothing")
        assert "ttl" in await refused(client, "mint_playback_link", id=video, ttl=10**9)
        assert await refused(client, "create_video_from_url", title="x", url="file:///etc/passwd")
        assert await refused(client, "create_upload", title=" ") == "title: This value should not be blank."


async def test_tenants_do_not_see_each_other(server: Server) -> None:
    project = server.api("POST", "/projects", {"name": "another"})["projectId"]
    video = server.api("POST", "/videos", {"title": "ours alone"})["videoId"]
    async with over_http(server, key_with(server, "*", projectId=project)) as client:
        assert "not found" in await refused(client, "show_video", videoId=video)
        assert "not found" in await refused(client, "mint_playback_link", id=video)
        assert (await called(client, "search_videos"))["total"] == 0
        assert (await called(client, "create_live_stream", name="theirs"))["name"] == "theirs"
        assert (await called(client, "search_live_streams"))["total"] == 1


async def test_rates_hold_for_tools(server: Server) -> None:
    key = key_with(server, "*", rateLimits={"write": 2})
    async with over_http(server, key) as client:
        for _ in range(2):
            await called(client, "create_live_stream", name="one of two")
        assert "Too many" in await refused(client, "create_live_stream", name="one too many")


MESSAGE = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


def test_who_has_no_key_is_not_heard(server: Server) -> None:
    for key in (None, "wrong"):
        answer = server.call("POST", "/mcp", MESSAGE, key=key, headers=HEADERS)
        assert answer.status == 401
        assert "realm" in answer.headers["WWW-Authenticate"]
    assert server.call("GET", "/mcp").status == 405
    assert server.call("DELETE", "/mcp").status == 405


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:6274", 200),
        ("http://[::1]:80", 200),
        ("https://evil.example.com", 403),
        ("http://localhost.evil.example.com", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_pages_call_from_known_origins_alone(server: Server, origin: str | None, status: int) -> None:
    headers = {**HEADERS, **({"Origin": origin} if origin else {})}
    assert server.call("POST", "/mcp", MESSAGE, headers=headers).status == status


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"{", {}),
        (b"[" * 100_000, {}),
        (b"[]", {}),
        (b'{"jsonrpc": "2.0", "id": {}, "method": 1}', {}),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 1}}', {}),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "\xff"}', {}),
        (b"{}", {"MCP-Protocol-Version": "9999-99-99"}),
        (b"{}", {"Content-Type": "text/plain"}),
        (b"{}", {"Accept": "text/html"}),
        (b"x" * 300_000, {}),
    ],
    ids=lambda one: str(one)[:30],
)
def test_what_is_no_message_is_refused(server: Server, body: bytes, headers: dict[str, str]) -> None:
    answer = server.call("POST", "/mcp", body, headers={**HEADERS, **headers})
    assert 400 <= answer.status < 500 or "error" in answer.json(), answer.text
    assert "Traceback" not in answer.text


async def test_nothing_secret_is_logged(server: Server) -> None:
    async with over_http(server, OWNER_KEY) as client:
        made = await called(client, "create_upload", title="x")
        live = await called(client, "create_live_stream", name="x")
        link = await called(client, "mint_playback_link", id=made["videoId"])
    log = server.log()
    for secret in (OWNER_KEY, made["uploadToken"], live["publish"]["streamKey"], link["hls"].split("/token/")[1][:40]):
        assert secret not in log
