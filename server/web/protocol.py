"""The HTTP connection: aiohttp's, with a shortcut past it, and answers to what is no HTTP.

aiohttp answers malformed input below the application, where no middleware sees it; here that gets the one error shape,
and a line in the log instead of a traceback.

The shortcut is for the few kinds of requests that come thousands of times a second (`hls.quick`): aiohttp's way through
parser, task, router, middleware and response is two thirds of what they cost. It is offered a request only where
nothing can be mistaken: all bytes that ever came were whole requests without bodies, one at a time, and aiohttp is
idle. Whatever it does not take goes the long way.
"""

from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from server import log
from server.errors import Problem
from server.web import problems

_log = log.get("http")

_END = b"\r\n\r\n"
_MORE_FOLLOWS = (b"content-length", b"transfer-encoding", b"upgrade", b"expect", b"\n\n")  # or may, wherever it stands


def is_whole(data: bytes) -> bool:
    """Whether the bytes are one request's head, all of it, and no body follows."""
    if data.find(_END) != len(data) - len(_END):
        return False
    return not any(map(data.lower().__contains__, _MORE_FOLLOWS))  # a tenth of what one expression would cost


class Shortcut(Protocol):
    """One connection's way past aiohttp."""

    @property
    def waiting(self) -> bool:
        """It has taken a request and not yet answered."""

    def take(self, data: bytes) -> bool:
        """Answers the request, now or later; False: it is not one of its own. `is_whole` holds for the bytes."""

    def stop(self) -> None:
        """Answers who waits, now."""

    def lost(self) -> None:
        """The client is gone."""


class Connection(web.RequestHandler):
    """One connection."""

    __slots__ = ("_held", "_shortcut", "_under_way")

    def __init__(self, manager: web.Server, shortcuts: "Shortcuts | None" = None, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._shortcut = shortcuts(self) if shortcuts else None
        self._held = b""  # came while the shortcut had not answered yet
        self._under_way = 0  # requests that aiohttp has not answered yet

    def data_received(self, data: bytes) -> None:
        shortcut = self._shortcut
        if shortcut is None or not data:
            super().data_received(data)
        elif shortcut.waiting:
            self._hold(data)
        elif not is_whole(data):
            self._shortcut = None  # from now on only aiohttp knows where a request begins
            super().data_received(data)
        elif self._is_idle and shortcut.take(data):
            # aiohttp saw nothing of it, and would close the connection as idle
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        else:
            self._under_way += 1
            super().data_received(data)

    @property
    def _is_idle(self) -> bool:
        """Whether aiohttp has answered all it was given, and nothing that was written waits for the client.

        It may not have gone back to waiting: when many are answered at once, the first ask again before that.
        """
        return not (self._under_way or self.writing_paused or self._close or self._force_close)

    def log_access(self, request: web.BaseRequest, response: web.StreamResponse, time: float | None) -> None:
        """Called when the last byte of an answer is written."""
        self._under_way -= 1
        super().log_access(request, response, time)

    def log_exception(self, *told: Any, **more: Any) -> None:
        """A body that is not well encoded was answered already; that its rest can't be read is nobody's concern."""
        if isinstance(more.get("exc_info"), web.RequestPayloadError):
            _log.debug("not HTTP", reason="the rest of a body can't be read")
        else:
            super().log_exception(*told, **more)

    def _hold(self, data: bytes) -> None:
        """Reads no further until the answer is written."""
        self._held += data
        if self.transport is not None:
            self.transport.pause_reading()

    def go_on(self) -> None:
        """The shortcut has answered, later than at once."""
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        held, self._held = self._held, b""
        if held and self.transport is not None:
            self.transport.resume_reading()
            self.data_received(held)

    def take_the_long_way(self, data: bytes) -> None:
        """A request that the shortcut had taken, and has to leave to aiohttp after all."""
        self._under_way += 1
        super().data_received(data)
        self.go_on()

    def close(self) -> None:
        if self._shortcut is not None:
            self._shortcut.stop()
        super().close()

    def connection_lost(self, exc: BaseException | None) -> None:
        shortcut, self._shortcut = self._shortcut, None
        if shortcut is not None:
            shortcut.lost()
        super().connection_lost(exc)

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
            problem = Problem("headers-too-large" if isinstance(exc, LineTooLong) else "malformed-request")
        else:
            _log.error("request failed", exc_info=exc)
            problem = Problem("internal-error")
        response = problems.answer(problem)
        response.headers["Server"] = "Sluice"
        response.force_close()
        return response


Shortcuts = Callable[[Connection], Shortcut]
SHORTCUTS: web.AppKey[Shortcuts] = web.AppKey("shortcuts")


class Server(web.Server):
    """Makes our connections."""

    def __init__(self, *arguments: Any, shortcuts: Shortcuts | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._shortcuts = shortcuts

    def __call__(self) -> web.RequestHandler:
        return Connection(self, self._shortcuts, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application on our connections."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=made._loop,
            shortcuts=self.app.get(SHORTCUTS),
            **made._kwargs,
        )
