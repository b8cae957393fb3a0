"""One canonical line for each request, written when the last byte of its answer is gone; and its metrics."""

from typing import NamedTuple

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from server import clock
from server.log import Lines, get
from server.web import shown_urls
from server.web.addresses import ADDRESSES
from server.web.metrics import Metrics
from server.web.middleware import REQUEST_ID
from server.web.services import SERVICES

UNROUTED = "(none)"
WATCHED = web.RequestKey("watched", str)  # the project whose asset it watches
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# answers that only say that all is well, asked for by machines every few seconds
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})

_lines, _log = Lines("http"), get("http")


class Done(NamedTuple):
    """An answer whose last byte is written."""

    method: str
    route: str
    url: str  # without what opens anything
    status: int
    sent: int  # bytes, with the headers
    seconds: float  # from the request on
    ip: str
    request_id: str


class AccessLog(AbstractAccessLogger):
    """aiohttp makes one for each connection and calls it after each answer, in the request's own context."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        sent = _sent(request, response)
        if not isinstance(request, web.Request) or REQUEST_ID not in request:
            return  # it was not even HTTP: `protocol` has said so
        app = request.app
        method = request.method if request.method in METHODS else "OTHER"  # a client can make up any number of them
        done = Done(
            method,
            template(request),
            shown_urls.url(request),
            response.status,
            sent,
            time,
            app[ADDRESSES].client_ip(request),
            request[REQUEST_ID],
        )
        note(app[SERVICES].metrics, done)
        if (project_id := request.get(WATCHED)) is not None:
            app[SERVICES].delivered.count(project_id, sent, clock.now())


def note(metrics: Metrics, done: Done) -> None:
    """Counts an answer and writes its line."""
    metrics.request_finished(done.method, done.route, done.status, done.seconds, done.sent)
    write = _log.debug if done.route in QUIET_ROUTES and done.status < 400 else _lines.info
    write(
        "request",
        method=done.method,
        route=done.route,
        url=done.url,
        status=done.status,
        bytes=done.sent,
        ms=round(done.seconds * 1000, 1),
        ip=done.ip,
        request=done.request_id,
    )


def _sent(request: web.BaseRequest, response: web.StreamResponse) -> int:
    """Bytes, with the headers; those that the kernel sent from a file are not counted by the writer."""
    if not response.prepared:
        return 0
    if isinstance(response, web.FileResponse) and request.method != "HEAD":
        return max(response.body_length, response.content_length or 0)
    return response.body_length


def template(request: web.Request) -> str:
    """The route as it was declared, which is what numbers are kept by: there are few of them, and no ids in them."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else UNROUTED
