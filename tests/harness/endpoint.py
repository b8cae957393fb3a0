"""An endpoint of webhooks, as well or as badly as a test wants; a real server, in its own thread."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

DROP = 0  # instead of a status: the connection breaks without an answer


@dataclass(frozen=True, slots=True)
class Call:
    """What came, when (Unix seconds), and what it was answered."""

    at: float
    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Endpoint:
    """`status` answers a body, after `delay_s` of it."""

    status: Callable[[bytes], int] = lambda body: 200
    delay_s: Callable[[], float] = lambda: 0.0
    calls: list[Call] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def taken(self) -> list[Call]:
        return [call for call in self.calls if 200 <= call.status < 300]

    async def _answer(self, request: web.Request) -> web.Response:
        body, at = await request.read(), time.time()
        if delay_s := self.delay_s():
            await asyncio.sleep(delay_s)
        status = self.status(body)
        self.calls.append(Call(at, request.path, dict(request.headers), body, status))
        if status == DROP:
            assert request.transport
            request.transport.abort()
            status = 500
        return web.Response(status=status, text="as told")


@contextmanager
def listening(endpoint: Endpoint) -> Iterator[Endpoint]:
    """On a port of its own."""
    loop = asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/{path:.*}", endpoint._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", endpoint.port).start()
        endpoint.port = runner.addresses[0][1]
        return runner

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield endpoint
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
