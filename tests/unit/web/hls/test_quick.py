"""The way past aiohttp: the same bytes as by the long way, for its own requests only, and none mistaken for another."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from server.catalog import delivery_zones
from server.catalog.models import DEFAULT_PROJECT
from server.catalog.sharing_models import DeliveryZone
from server.packager import playlist
from server.web import access_log
from server.web.hls import quick
from server.web.hls.gate import WATCHING
from server.web.protocol import is_whole
from tests.unit.web.cinema import Air, Cinema
from tests.unit.web.kit import Client

BROWSER = {
    "Host": "localhost",
    "User-Agent": "a browser",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate, br",
    "Origin": "https://example.com",
    "Referer": "https://example.com/",
    "Sec-Fetch-Site": "cross-site",
    "Connection": "keep-alive",
}
LONG_WAY = {"If-None-Match": '"something else"'}  # changes nothing, but only aiohttp's way knows that

Answer = tuple[str, Counter[tuple[str, str]], bytes]  # status line, headers, body


class Wire:
    """One connection, byte for byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, path: str, headers: dict[str, str] | None = None, line: str = "GET {} HTTP/1.1") -> None:
        lines = [line.format(path), *(f"{name}: {value}" for name, value in (headers or BROWSER).items())]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())

    async def answer(self) -> Answer:
        async with asyncio.timeout(30):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:-2])]
            size = int(dict(headers)["Content-Length"])
            body = await self.reader.readexactly(size)
        named = Counter((name, value) for name, value in headers if name not in ("Date", "X-Request-ID"))
        return head[0], named, body

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        self.send(path, headers)
        return await self.answer()


@asynccontextmanager
async def wired(viewer: Client) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", viewer.port, limit=1 << 22)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def wire(viewer: Client) -> AsyncIterator[Wire]:
    async with wired(viewer) as wire:
        yield wire


@pytest.fixture
def desk(viewer: Client) -> quick.Desk:
    assert viewer.server
    return viewer.server.app[quick.DESK]  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    capture = LogCapture()
    monkeypatch.setattr(access_log, "_lines", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


async def known(air: Air, viewer: Client) -> Air:
    """The asset and its project's zone are in memory, as after the multivariant playlist."""
    await (await viewer.get(air.manifest)).read()
    await viewer.app[WATCHING].assets.zone(DEFAULT_PROJECT)  # type: ignore[union-attr]
    return air


def next_of(air: Air) -> str:
    """The part that comes next, as a blocking playlist request names it."""
    window = air.window()
    return f"_HLS_msn={window.next_msn}&_HLS_part={len(window.open.parts) if window.open else 0}"


async def waiting(air: Air, number: int = 1) -> None:
    async with asyncio.timeout(30):
        while air.window().waiters < number:
            await asyncio.sleep(0.001)


# --- the same answers


@pytest.mark.parametrize(
    "file",
    ["media.m3u8", "media.m3u8?_HLS_skip=YES", "media.m3u8?_HLS_msn=1",
     "media.m3u8?_HLS_msn=1&_HLS_part=1&_HLS_skip=YES", "init-0.mp4", "1.m4s", "2.0.m4s", "2.1.m4s"],
)  # fmt: skip
@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("rendition", ["video", "audio"])
async def test_both_ways_answer_alike(
    cinema: Cinema, viewer: Client, wire: Wire, desk: quick.Desk, lines: list[Any], file: str, private: bool,
    rendition: str,
) -> None:  # fmt: skip
    air = await known(await cinema.on_air(5, public=not private), viewer)
    path = air.path(file, rendition)
    if private:
        path = path.replace(air.id, f"{air.id}/token/{cinema.session(air.id)}/{air.id}", 1)
    lines.clear()

    for headers in (BROWSER, {"Host": "localhost"}):
        before = desk.answered
        ours = await wire.get(path, headers)
        assert desk.answered == before + 1
        theirs = await wire.get(path, {**headers, **LONG_WAY})
        assert desk.answered == before + 1
        assert ours == theirs
        assert ours[0] == "HTTP/1.1 200 OK"

    shown = [{name: value for name, value in line.items() if name not in ("ms", "request")} for line in lines]
    assert len(shown) == 4
    assert shown[0] == shown[1]
    assert shown[2] == shown[3]
    assert "eyJ" not in str(shown)
    assert ("***" in shown[0]["url"]) is private


async def test_what_its_zone_says_holds_where_that_is_not_in_memory(
    cinema: Cinema, viewer: Client, wire: Wire, desk: quick.Desk
) -> None:
    air = await known(await cinema.on_air(), viewer)
    async with cinema.database.write() as transaction:
        row = DeliveryZone(project_id=DEFAULT_PROJECT, name="z", host="edge.example", segment_ttl_s=60)
        await delivery_zones.add(transaction, row)
    desk.watching.assets.forget({DEFAULT_PROJECT})

    for ways in (0, 1):  # the first time the long way
        _, headers, _ = await wire.get(air.path("0.m4s"))
        assert headers["Cache-Control", "public, max-age=60"] == 1
        assert desk.answered == ways


async def test_answers_say_who_may_read_them(cinema: Cinema, connect: Any, viewer: Client, wire: Wire) -> None:
    air = await known(await cinema.on_air(), viewer)

    _, headers, _ = await wire.get(air.path())

    assert headers["Access-Control-Allow-Origin", "*"] == 1
    assert any(name == "Access-Control-Expose-Headers" for name, _ in headers)


# --- those of its own, and no others


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"headers": {"Range": "bytes=0-9"}}, 206),
        ({"headers": {"If-None-Match": "*"}}, 304),
        ({"headers": {"Connection": "close"}}, 200),
        ({"headers": {"Authorization": "Basic eDp5"}}, 200),
        ({"headers": {"X-Odd": "é"}}, 200),
        ({"line": "HEAD {} HTTP/1.1"}, 200),
        ({"line": "GET {} HTTP/1.0"}, 200),
        ({"query": "?x=1"}, 200),
        ({"query": "?_HLS_msn=1&_HLS_msn=2"}, 200),
        ({"path": "/live/nobody/brx/video/1.m4s"}, 404),
        ({"file": "99.m4s"}, 404),
        ({"file": "media.m3u8?_HLS_part=1"}, 400),
        ({"file": "media.m3u8?_HLS_msn=x"}, 400),
        ({"token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.x"}, 403),
    ],
)
async def test_the_unusual_goes_the_long_way(
    cinema: Cinema, viewer: Client, wire: Wire, desk: quick.Desk, change: dict[str, Any], status: int
) -> None:
    air = await known(await cinema.on_air(), viewer)
    path = change.get("path") or air.path(change.get("file", "1.m4s")) + change.get("query", "")
    if token := change.get("token"):
        path = path.replace(air.id, f"{air.id}/token/{token}/{air.id}", 1)

    wire.send(path, {**BROWSER, **change.get("headers", {})}, change.get("line", "GET {} HTTP/1.1"))
    line = (await wire.reader.readuntil(b"\r\n")).decode()

    assert line.split()[1] == str(status)
    assert desk.answered == 0


async def test_a_stored_segment_comes_from_its_file(
    cinema: Cinema, viewer: Client, wire: Wire, desk: quick.Desk
) -> None:
    air = await known(await cinema.on_air(20), viewer)
    air.written()
    air.publisher.send(4)

    status, _, body = await wire.get(air.path("0.m4s"))

    assert (status, desk.answered) == ("HTTP/1.1 200 OK", 0)
    assert body[4:8] == b"moof"


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", False),
        (b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", False),
        (b"GET / HTTP/1.1\n\nGET / HTTP/1.1\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\ncOnTent-lEngth: 4\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", False),
        (b"\r\n", False),
    ],
)
def test_what_is_a_whole_request(data: bytes, whole: bool) -> None:
    assert is_whole(data) is whole


async def test_a_body_is_not_taken_for_a_request(
    cinema: Cinema, viewer: Client, wire: Wire, desk: quick.Desk
) -> None:
    air = await known(await cinema.on_air(), viewer)
    inner = f"GET {air.path('1.m4s')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    wire.writer.write(f"POST /videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(inner)}\r\n\r\n".encode())
    await wire.writer.drain()
    await asyncio.sleep(0.02)  # two pieces on the wire
    wire.writer.write(inner)
    status, _, _ = await wire.answer()

    assert status.startswith("HTTP/1.1 401")
    assert desk.answered == 0
    assert (await wire.get(air.path("1.m4s")))[0] == "HTTP/1.1 200 OK"
    assert desk.answered == 0  # this connection is aiohttp's from now on


async def test_a_request_in_pieces_is_aiohttps(cinema: Cinema, viewer: Client, wire: Wire, desk: quick.Desk) -> None:
    air = await known(await cinema.on_air(), viewer)
    request = f"GET {air.path('1.m4s')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    wire.writer.write(request[:20])
    await wire.writer.drain()
    await asyncio.sleep(0.02)
    wire.writer.write(request[20:])

    assert (await wire.answer())[0] == "HTTP/1.1 200 OK"
    assert desk.answered == 0


async def test_what_is_large_is_written_piece_by_piece(
    cinema: Cinema, viewer: Client, wire: Wire, desk: quick.Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    air = await known(await cinema.on_air(), viewer)
    monkeypatch.setattr(quick, "LARGEST", 10)

    assert (await wire.get(air.path("1.m4s")))[0] == "HTTP/1.1 200 OK"
    assert desk.answered == 0


# --- waiting


async def test_who_waits_is_answered_with_the_part(
    cinema: Cinema, viewer: Client, wire: Wire, desk: quick.Desk
) -> None:
    air = await known(await cinema.on_air(), viewer)
    wire.send(f"{air.path()}?{next_of(air)}&_HLS_skip=YES", {"Host": "localhost"})
    await waiting(air)

    air.publisher.send(1)
    status, _, body = await wire.answer()

    assert (status, desk.answered) == ("HTTP/1.1 200 OK", 1)
    assert body.startswith(b"#EXTM3U")
    assert air.window().waiters == 0


@pytest.mark.parametrize("headers", [BROWSER, BROWSER | LONG_WAY], ids=["quick", "long"])
async def test_who_waits_was_let_in_when_he_asked(
    cinema: Cinema, viewer: Client, wire: Wire, headers: dict[str, str]
) -> None:
    air = await known(await cinema.on_air(), viewer)
    wire.send(f"{air.path()}?{next_of(air)}", headers)
    await waiting(air)

    await cinema.change(air.id, public=False)
    air.publisher.send(1)

    assert (await wire.answer())[0] == "HTTP/1.1 200 OK"
    assert (await wire.get(air.path(), headers))[0] == "HTTP/1.1 403 Forbidden"


async def test_a_hinted_part_is_waited_for(cinema: Cinema, viewer: Client, wire: Wire) -> None:
    air = await known(await cinema.on_air(), viewer)
    window = air.window()
    msn, part = window.next_msn, len(window.open.parts)
    wire.send(air.path(f"{msn}.{part}.m4s"))
    await waiting(air)

    air.publisher.send(1)
    _, _, body = await wire.answer()

    assert body == air.on_air.packager.renditions["video"].part(msn, part).data[0]  # type: ignore[union-attr]


async def test_what_comes_meanwhile_is_answered_after_it(
    cinema: Cinema, viewer: Client, wire: Wire, desk: quick.Desk
) -> None:
    air = await known(await cinema.on_air(), viewer)
    wire.send(f"{air.path()}?{next_of(air)}")
    await waiting(air)
    wire.send(air.path("1.m4s"))
    wire.send("/healthz")
    await asyncio.sleep(0.02)

    air.publisher.send(1)
    answers = [await wire.answer() for _ in range(3)]

    types = [next(value for name, value in headers if name == "Content-Type") for _, headers, _ in answers]
    assert types == ["application/vnd.apple.mpegurl", "video/mp4", "application/json"]


async def test_in_vain(
    cinema: Cinema, viewer: Client, wire: Wire, monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    air = await known(await cinema.on_air(), viewer)
    monkeypatch.setattr(playlist, "BLOCKED", 0.01)
    lines.clear()

    ours = await wire.get(f"{air.path()}?{next_of(air)}")
    theirs = await wire.get(f"{air.path()}?{next_of(air)}", {**BROWSER, **LONG_WAY})

    assert ours[0] == theirs[0] == "HTTP/1.1 503 Service Unavailable"
    assert ours[1] == theirs[1]
    assert [line["status"] for line in lines] == [503, 503]
    assert air.window().waiters == 0


async def test_a_client_that_leaves_is_forgotten(cinema: Cinema, viewer: Client, lines: list[Any]) -> None:
    air = await known(await cinema.on_air(), viewer)
    lines.clear()
    async with wired(viewer) as wire:
        wire.send(f"{air.path()}?{next_of(air)}")
        await waiting(air)

    async with asyncio.timeout(30):
        while air.window().waiters:
            await asyncio.sleep(0.001)

    assert [line["status"] for line in lines] == [499]


async def test_when_the_server_stops(cinema: Cinema, viewer: Client, wire: Wire) -> None:
    air = await known(await cinema.on_air(), viewer)
    wire.send(f"{air.path()}?{next_of(air)}")
    await waiting(air)

    await viewer.server.close()
    status, _, body = await wire.answer()

    assert status == "HTTP/1.1 503 Service Unavailable"
    assert b"stopping" in body


async def test_a_broadcast_that_is_gone_is_said_so_by_the_long_way(
    cinema: Cinema, viewer: Client, wire: Wire
) -> None:
    air = await known(await cinema.on_air(), viewer)
    wire.send(f"{air.path()}?{next_of(air)}")
    await waiting(air)

    del cinema.broadcasts.shown[air.id]
    air.window().publish()

    assert (await wire.answer())[0] == "HTTP/1.1 404 Not Found"


async def test_many_are_woken_in_turns(
    cinema: Cinema, viewer: Client, desk: quick.Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    air = await known(await cinema.on_air(), viewer)
    monkeypatch.setattr(quick, "WOKEN_AT_ONCE", 2)
    turns: list[int] = []
    wake_some = desk._wake_some
    monkeypatch.setattr(desk, "_wake_some", lambda: (wake_some(), turns.append(desk.answered)))
    async with wired(viewer) as a, wired(viewer) as b, wired(viewer) as c, wired(viewer) as d, wired(viewer) as e:
        for wire in (a, b, c, d, e):
            wire.send(f"{air.path()}?{next_of(air)}")
        await waiting(air, 5)
        air.publisher.send(0.4)
        for wire in (a, b, c, d, e):
            assert (await wire.answer())[0] == "HTTP/1.1 200 OK"

    assert turns == [2, 4, 5]


async def test_a_connection_in_use_is_not_closed_as_idle(
    cinema: Cinema, viewer: Client, desk: quick.Desk
) -> None:
    air = await known(await cinema.on_air(), viewer)
    before = set(viewer.server.runner.server.connections)  # type: ignore[union-attr]
    async with wired(viewer) as wire:
        assert (await wire.get("/healthz"))[0] == "HTTP/1.1 200 OK"
        [connection] = set(viewer.server.runner.server.connections) - before  # type: ignore[union-attr]
        connection._next_keepalive_close_time = 0.0  # long ago

        await wire.get(air.path("1.m4s"))

        assert desk.answered == 1
        assert connection._next_keepalive_close_time > asyncio.get_running_loop().time()
