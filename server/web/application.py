"""The web application: routes, middleware and services put together.

    app = build(services, operations=[uploads.operations], mounts=[hls.mount])
    async with serving(app, host, port): …

`operations` are typed or raw REST operations, which also appear in the OpenAPI document. A mount adds media and pages:
it gets the application, adds its routes to `app.router`, and may call `expose` for its answer headers.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

from aiohttp import web

from server.errors import in_words
from server.log import Lines
from server.web import access_log, api, consent, docs, event_feed, granted, health, middleware, typed
from server.web.addresses import ADDRESSES, Addresses
from server.web.cors import CORS, Cors
from server.web.event_feed import FEED, Feed
from server.web.kinescope import resources as kinescope
from server.web.protocol import Runner
from server.web.services import SERVICES, Services
from server.web.typed import Operations

TITLE = "Sluice"
DISTRIBUTION = "sluice"
KEEPALIVE_S = 75.0  # above a proxy's own 60 s, so that it is the proxy that closes idle connections

DRAIN_S = 3.0  # requests in flight may finish; those that wait for live parts are cut off
LINES_S = 0.1  # that the lines of requests are gathered before they are written
BACKLOG = 1024  # a stream that begins brings its viewers at once

Application = web.Application
Mount = Callable[[Application], None]


def build(
    services: Services, operations: Sequence[Operations] = (), mounts: Sequence[Mount] = ()
) -> web.Application:
    """The application, ready for a runner."""
    app = web.Application(
        middlewares=[middleware.outermost],
        client_max_size=typed.BODY_LIMIT,
        handler_args={
            "access_log_class": access_log.AccessLog,
            "access_log": logging.getLogger("http"),
            "keepalive_timeout": KEEPALIVE_S,
        },
    )
    app[SERVICES] = services
    app[ADDRESSES] = Addresses(services.http, services.country_of)
    app[CORS] = Cors(services.http.cors_origins)
    app[FEED] = Feed(services.database)
    app.on_shutdown.append(event_feed.let_go)
    app.on_response_prepare.append(middleware.add_headers)
    declared = [one for group in (*api.OPERATIONS, *operations, health.operations) for one in group.all]
    typed.mount(app, declared)
    typed.mount(app, docs.operations(declared, TITLE, version(DISTRIBUTION)).all)
    kinescope.mount(app)
    app.router.add_get("/", _show_docs)
    consent.add_routes(app.router)
    granted.add_routes(app.router)
    for mount in mounts:
        mount(app)
    return app


async def _show_docs(_: web.Request) -> web.Response:
    """For people who open the address that the ready line names."""
    return web.Response(status=302, headers={"Location": "docs"})


def expose(app: web.Application, headers: Iterable[str]) -> None:
    """Lets pages on other origins read these answer headers."""
    app[CORS].expose(headers)


@asynccontextmanager
async def serving(app: Application, host: str, port: int) -> AsyncIterator[int]:
    """Answers requests while the context lasts; the port. Raises OSError when it can't be had."""
    runner = Runner(app, handle_signals=False, shutdown_timeout=DRAIN_S)
    await runner.setup()
    loop = asyncio.get_running_loop()
    Lines.gather(lambda write: loop.call_later(LINES_S, write))
    try:
        try:
            await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
        except OSError as error:
            raise OSError(f"HTTP can't listen on {host}:{port}: {in_words(error)}") from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
        Lines.gather(None)
