"""One line for each request, with what is needed and nothing that opens anything."""

from typing import Any

import pytest
import structlog
from aiohttp import web
from structlog.testing import LogCapture

from server.config import HttpConfig
from server.web import access_log
from tests.unit.web.kit import Connect


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is logged, as events."""
    capture = LogCapture()
    logger = structlog.wrap_logger(None, processors=[structlog.contextvars.merge_contextvars, capture])
    monkeypatch.setattr(access_log, "_log", logger)
    monkeypatch.setattr(access_log, "_lines", logger)
    return capture.entries


async def test_the_line(connect: Connect, lines: list[Any]) -> None:
    client = await connect()
    async with client.get("/videos?title=x", headers={"X-Request-ID": "r1"}) as response:
        body = await response.read()

    (line,) = lines
    assert line["ms"] >= 0
    assert line["bytes"] > len(body)
    assert {key: line[key] for key in line if key not in ("ms", "bytes")} == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "route": "/videos",
        "url": "/videos?title=x",
        "status": 200,
        "ip": "127.0.0.1",
        "request": "r1",
    }


@pytest.mark.parametrize(
    ("url", "logged"),
    [
        ("/vod/vi1/token/eyJhbGciOiJI.eyJzdWIi.sig/hls/manifest.m3u8", "/vod/vi1/token/***/hls/manifest.m3u8"),
        ("/embed/vi1?token=secret&t=5", "/embed/vi1?token=***&t=5"),
        ("/vod/vi1/hls/manifest.m3u8?avh=secret", "/vod/vi1/hls/manifest.m3u8?avh=***"),
        ("/live-streams?streamKey=secret&name=x", "/live-streams?streamKey=***&name=x"),
        ("/x?" + "y" * 1000, "/x?" + "y" * 297),
    ],
)
async def test_what_opens_something_is_masked(connect: Connect, lines: list[Any], url: str, logged: str) -> None:
    client = await connect()
    async with client.get(url):
        pass

    assert lines[0]["url"] == logged


async def test_routes_not_ids(connect: Connect, lines: list[Any]) -> None:
    client = await connect()
    for path in ("/videos/vi1111111111111111111112", "/nope"):
        async with client.get(path):
            pass

    assert [line["route"] for line in lines] == ["/videos/{videoId}", access_log.UNROUTED]
    assert [line["status"] for line in lines] == [404, 404]


async def test_health_is_quiet_while_it_is_well(connect: Connect, lines: list[Any]) -> None:
    async def broken() -> None:
        raise OSError

    client = await connect({"ready_checks": {"database": broken}})
    for path in ("/healthz", "/metrics", "/readyz"):
        async with client.get(path):
            pass

    assert [line["log_level"] for line in lines] == ["debug", "debug", "info"]


async def test_methods_that_nobody_knows_are_one(connect: Connect, lines: list[Any]) -> None:
    client = await connect()
    async with client.request("PROPFIND", "/videos"):
        pass

    assert lines[0]["method"] == "OTHER"


async def test_the_address_behind_a_proxy(connect: Connect, lines: list[Any]) -> None:
    client = await connect({"http": HttpConfig(trusted_proxies=["127.0.0.1"])})
    async with client.get("/healthz", headers={"X-Forwarded-For": "198.51.100.7"}):
        pass

    assert lines[0]["ip"] == "198.51.100.7"


async def test_bytes_of_files_count(connect: Connect, lines: list[Any], tmp_path: Any) -> None:
    path = tmp_path / "segment.m4s"
    path.write_bytes(b"x" * 500_000)

    async def file(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(path)

    client = await connect(mounts=[lambda app: app.router.add_get("/file", file)])
    async with client.get("/file") as response:
        await response.read()
    async with client.get("/file", headers={"Range": "bytes=0-999"}) as response:
        await response.read()
    async with client.get("/healthz"):  # on the same connection: the lines before are written
        pass

    assert 500_000 <= lines[0]["bytes"] < 501_000
    assert 1000 <= lines[1]["bytes"] < 2000


async def test_it_is_written_after_the_last_byte(connect: Connect, lines: list[Any]) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(3):
            await response.write(b"x" * 1000)
            assert lines == []
        return response

    client = await connect(mounts=[lambda app: app.router.add_get("/stream", stream)])
    async with client.get("/stream") as response:
        await response.read()
    async with client.get("/healthz"):
        pass

    assert lines[0]["bytes"] > 3000
