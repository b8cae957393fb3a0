"""Answers to what is no HTTP: the one error shape, and a line in the log instead of a traceback.

aiohttp answers such input below the application, where no middleware sees it.
"""

from aiohttp import web

from server import log
from server.errors import Problem
from server.web import problems

_log = log.get("http")


class Protocol(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Raises ConnectionError when the client is gone, or an answer has begun already."""
        if isinstance(exc, ConnectionError):
            raise exc
        if request.writer.output_size > 0:
            raise ConnectionResetError("the answer has begun")
        if status < 500:
            _log.debug("not HTTP", ip=request.remote, reason=type(exc).__name__)
            problem = Problem("invalid-payload", "The request is not well-formed HTTP.")
        else:
            _log.error("request failed", exc_info=exc)
            problem = Problem("internal-error")
        response = problems.answer(problem)
        response.headers["Server"] = "Sluice"
        response.force_close()
        return response


class Server(web.Server):
    """Makes our protocol for each connection."""

    def __call__(self) -> web.RequestHandler:
        return Protocol(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application on our protocol."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=made._loop,
            **made._kwargs,
        )
