"""Long bodies from a client that stops in the middle, over a socket of its own."""

import asyncio
from contextlib import suppress

import pytest
from aiohttp import web

from server.web import bodies


class Taker:
    """A server that reads one body and keeps how it went."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.error: BaseException | None = None
        self.ended = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        try:
            async for chunk in bodies.chunks(request):
                self.taken.append(chunk)
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.ended.set()
        return web.Response(status=204)


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
async def address(taker):
    """Host and port. Not aiohttp's test server: that one cancels handlers, which production does not."""
    app = web.Application()
    app.router.add_put("/", taker.handle, expect_handler=bodies.wait_to_continue)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0]
    await runner.cleanup()


async def connect(address, *headers: str):
    reader, writer = await asyncio.open_connection(*address)
    writer.write("\r\n".join(["PUT / HTTP/1.1", "Host: x", *headers, "", ""]).encode())
    return reader, writer


async def close(writer):
    writer.close()
    await writer.wait_closed()


async def test_a_whole_body(address, taker):
    reader, writer = await connect(address, "Content-Length: 6")
    writer.write(b"abcdef")
    answer = await reader.readline()
    await close(writer)

    assert answer == b"HTTP/1.1 204 No Content\r\n"
    assert b"".join(taker.taken) == b"abcdef"


async def test_a_chunked_body(address, taker):
    reader, writer = await connect(address, "Transfer-Encoding: chunked")
    writer.write(b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")
    answer = await reader.readline()
    await close(writer)

    assert answer == b"HTTP/1.1 204 No Content\r\n"
    assert b"".join(taker.taken) == b"abcdef"


async def test_a_broken_connection(address, taker):
    _, writer = await connect(address, "Content-Length: 6")
    writer.write(b"abc")
    await writer.drain()
    await close(writer)
    await taker.ended.wait()

    assert isinstance(taker.error, ConnectionError)


async def test_a_silent_sender_is_given_up(address, taker, monkeypatch):
    monkeypatch.setattr(bodies, "IDLE_S", 0.01)
    reader, writer = await connect(address, "Content-Length: 6")
    writer.write(b"abc")
    answer = b""
    with suppress(ConnectionResetError):
        answer = await reader.read()
    writer.close()

    assert answer == b""
    assert isinstance(taker.error, ConnectionAbortedError)


async def test_other_expectations_are_refused(address, taker):
    reader, writer = await connect(address, "Content-Length: 6", "Expect: miracles")
    answer = await reader.readline()
    await close(writer)

    assert answer.startswith(b"HTTP/1.1 500")  # the middleware, which is not here, makes a 400 of it
    assert str(taker.error) == "invalid-payload: Expect must be 100-continue."


async def test_go_on_is_said_once_the_body_is_wanted(address, taker):
    reader, writer = await connect(address, "Content-Length: 3", "Expect: 100-continue")
    assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
    writer.write(b"abc")
    await reader.readline()
    assert await reader.readline() == b"HTTP/1.1 204 No Content\r\n"
    await close(writer)


@pytest.mark.timeout(20)
async def test_no_body_at_all_more_than_once(address, taker):
    """aiohttp has one reader for all of them."""
    for _ in range(3):
        reader, writer = await connect(address, "Content-Length: 0")
        assert b" 204 " in await reader.readline()
        await close(writer)

    assert taker.taken == []
    assert taker.error is None
