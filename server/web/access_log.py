"""One canonical line for each request, written when the last byte of its answer is gone; and its metrics."""

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from server.log import Lines, get, mask
from server.web.addresses import ADDRESSES
from server.web.middleware import REQUEST_ID
from server.web.services import SERVICES

PATH_LIMIT = 300  # characters of a URL that a log line holds
UNROUTED = "(none)"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# answers that only say that all is well, asked for by machines every few seconds
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})

_lines, _log = Lines("http"), get("http")


class AccessLog(AbstractAccessLogger):
    """aiohttp makes one for each connection and calls it after each answer, in the request's own context."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        sent = _sent(request, response)
        if not isinstance(request, web.Request) or REQUEST_ID not in request:
            return  # it was not even HTTP: `protocol` has said so
        app = request.app
        route = template(request)
        method = request.method if request.method in METHODS else "OTHER"  # a client can make up any number of them
        app[SERVICES].metrics.request_finished(method, route, response.status, time, sent)
        write = _log.debug if route in QUIET_ROUTES and response.status < 400 else _lines.info
        write(
            "request",
            method=method,
            route=route,
            url=mask(request.raw_path[:PATH_LIMIT]),
            status=response.status,
            bytes=sent,
            ms=round(time * 1000, 1),
            ip=app[ADDRESSES].client_ip(request),
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
