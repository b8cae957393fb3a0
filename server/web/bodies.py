"""Long request bodies, chunk by chunk as the network brings them."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import HttpVersion11, web

from server.errors import Problem
from server.web import problems

_ASKED = web.RequestKey("asked_to_continue", bool)

IDLE_S = 60.0  # without a byte: the sender is gone, whatever its connection says


async def continue_at_once(request: web.Request) -> web.Response | None:
    """An expect handler for bodies that are read whole; aiohttp's own refuses in words of its own."""
    if request.headers["Expect"].lower() != "100-continue":
        return problems.answer(_unexpected())
    if request.version >= HttpVersion11:
        await _say_continue(request)
    return None


async def wait_to_continue(request: web.Request) -> None:
    """An expect handler that puts `100 Continue` off until `chunks` wants the body.

    So a client that asked first is refused before it sends a byte (RFC 9110, section 10.1.1).
    """
    request[_ASKED] = True


async def chunks(request: web.Request) -> AsyncIterator[bytes]:
    """The body. Raises ConnectionError when the sender is gone or silent for IDLE_S."""
    await _continue(request)
    content = request.content
    while True:
        try:
            async with asyncio.timeout(IDLE_S):
                # not readany: it joins what has come, which is one more copy of every byte
                chunk, ended = await content.readchunk()
        except TimeoutError:
            # not an answer: a client that comes back to it would take one for final, and a reset for the network's
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionAbortedError("the sender fell silent") from None
        if chunk:
            yield chunk
        elif not ended or content.at_eof():  # aiohttp's reader of no body at all says for ever that a chunk has ended
            return


async def _continue(request: web.Request) -> None:
    if not request.pop(_ASKED, False) or request.version < HttpVersion11:
        return
    if request.headers["Expect"].lower() != "100-continue":
        raise _unexpected()
    await _say_continue(request)


def _unexpected() -> Problem:
    return Problem("invalid-payload", detail="Expect must be 100-continue.", name="Expect")


async def _say_continue(request: web.Request) -> None:
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer itself has not begun
