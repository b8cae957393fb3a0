"""The Model Context Protocol over streamable HTTP at /mcp, revisions 2025-03-26 to 2026-07-28.

The protocol is the official library's, which takes ASGI; here that is one request with a body, one answer in JSON, no
session: each call brings its API key, and nothing of it is kept. The library is loaded by the first call.
"""

import asyncio
import gc
from collections.abc import Callable, MutableMapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import web

from server import log
from server.errors import Problem
from server.web.admission import count, identify
from server.web.inward import Inward
from server.web.services import SERVICES

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

PATH = "/mcp"
CALL_TIMEOUT_S = 60.0
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
REST = "sluice.rest"  # in the scope of a request
KEPT_FROM_LIBRARY = frozenset({"authorization", "cookie"})  # it has no use for secrets

_log = log.get("web")

Message = MutableMapping[str, Any]


class Assistants:
    """The library, loaded when it is first called, and ended with the application."""

    def __init__(self) -> None:
        self._loading = asyncio.Lock()
        self._stop = asyncio.Event()
        self._manager: StreamableHTTPSessionManager | None = None
        self._running: asyncio.Task[None] | None = None

    async def manager(self) -> "StreamableHTTPSessionManager":
        """Raises Problem where the library does not begin; the next call tries again."""
        async with self._loading:
            if self._manager is None:
                manager = await asyncio.to_thread(_load)
                started = asyncio.Event()
                self._running = asyncio.create_task(self._run(manager, started))
                await _began(started, self._running)
                self._manager = manager
            return self._manager

    async def _run(self, manager: "StreamableHTTPSessionManager", started: asyncio.Event) -> None:
        """A task of its own: what the library begins in one task it must end there."""
        async with manager.run():
            started.set()
            await self._stop.wait()

    async def close(self) -> None:
        self._stop.set()
        if self._manager is not None and self._running is not None:
            await self._running


async def _began(started: asyncio.Event, running: asyncio.Task[None]) -> None:
    """Raises Problem where it ended instead; whose wait is cut short takes it with him."""
    waiting = asyncio.create_task(started.wait())
    try:
        await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        running.cancel()
        raise
    finally:
        waiting.cancel()
    if not started.is_set():
        _log.error("the assistants' library does not begin", exc_info=running.exception())
        raise Problem("unavailable", "Assistants can't be answered at the moment.")


ASSISTANTS = web.AppKey("assistants", Assistants)


def mount(app: web.Application) -> None:
    app[ASSISTANTS] = Assistants()
    app.on_cleanup.append(_close)
    app.router.add_post(PATH, endpoint)  # GET and DELETE, which are about sessions, are answered 405


async def _close(app: web.Application) -> None:
    await app[ASSISTANTS].close()


async def endpoint(request: web.Request) -> web.StreamResponse:
    """One message and its answer. Raises Problem before the library hears of it."""
    _check_origin(request)
    services = request.app[SERVICES]
    caller = await identify(request, services)
    count(request, services, caller, "read")  # what the tools call counts by itself
    inward = Inward(request)
    body = await request.read()
    answer = _Answer()
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            manager = await request.app[ASSISTANTS].manager()
            await manager.handle_request(_scope(request, inward), _once(body), answer.send)
    except TimeoutError:
        raise Problem("unavailable", "The call took too long.") from None
    return answer.response()


def _check_origin(request: web.Request) -> None:
    """A page may call only where it was let in by name: a foreign one could reach a server in the viewer's network by
    renaming itself (DNS rebinding). Raises Problem, 403."""
    origin = request.headers.get("Origin")
    if origin is None:
        return
    http = request.app[SERVICES].http
    allowed = {one.rstrip("/").lower() for one in http.cors_origins}
    if http.public_url:
        whole = urlsplit(http.public_url)
        allowed.add(f"{whole.scheme}://{whole.netloc}".lower())
    if origin.lower() not in allowed and _host(origin) not in LOCAL:
        raise Problem("forbidden", "Pages of this origin may not call; http.cors_origins names those that may.")


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).hostname
    except ValueError:
        return None


def _load() -> "StreamableHTTPSessionManager":
    """In a thread: half a second of imports, which nobody who watches should wait for.

    What holds everybody up all the same is the collector of garbage, which goes over all there is as so much is added:
    what was there before, and what has come, is left out of it, as neither is ever garbage."""
    gc.freeze()
    try:
        return _loaded()
    finally:
        gc.freeze()


def _loaded() -> "StreamableHTTPSessionManager":
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from server.mcp.assistant import assistant

    server = assistant(version("sluice"), _rest)
    return StreamableHTTPSessionManager(server, json_response=True, stateless=True)


def _rest(context: Any) -> Inward:
    """That of the request which a message came with."""
    inward: Inward = context.request.scope[REST]
    return inward


def _scope(request: web.Request, inward: Inward) -> dict[str, Any]:
    """As ASGI 3.0 has it."""
    headers = [
        (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in request.headers.items()
        if name.lower() not in KEPT_FROM_LIBRARY
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": None,
        "server": None,
        REST: inward,
    }


def _once(body: bytes) -> Callable[[], Any]:
    """The body, once; then nothing, as long as somebody waits."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            await asyncio.get_running_loop().create_future()  # ended by the time limit
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


class _Answer:
    """What the library sends."""

    def __init__(self) -> None:
        self._status = 500
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")

    def response(self) -> web.Response:
        kept = {name.decode(): value.decode("latin-1") for name, value in self._headers if name != b"content-length"}
        return web.Response(status=self._status, headers={"Cache-Control": "no-store", **kept}, body=bytes(self._body))
