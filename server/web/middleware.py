"""What happens to every request, REST or media: an id, its problems in one shape, its common headers.

One middleware and one signal, not a chain of them: each segment passes through here.
"""

import itertools
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from server import log
from server.catalog import faults
from server.catalog.database import out_of_space
from server.errors import Problem
from server.web import problems, shown_urls
from server.web.cors import CORS
from server.web.kinescope import errors

REQUEST_ID = web.RequestKey("request_id", str)
EXTRA_HEADERS = web.RequestKey("extra_headers", dict[str, str])  # to go out with the answer, also with a problem

CLIENT_GONE = 499  # as nginx logs it
RETRY_S = "5"  # until a database that is away may be back

COMMON_HEADERS: Mapping[str, str] = {"Server": "Sluice", "X-Content-Type-Options": "nosniff"}

# Ids name requests in logs and need not be secret: this process and a number, no system call for each.
_PROCESS = secrets.token_hex(5)
_numbers = itertools.count(1)
_REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_log = log.get("web")


@web.middleware
async def outermost(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Names the request and turns whatever goes wrong into an answer."""
    request_id = name_request(request.headers.get("X-Request-ID"))
    request[REQUEST_ID] = request_id
    structlog.contextvars.bind_contextvars(request=request_id)  # each request is a task with a context of its own
    try:
        return await handler(request)
    except Problem as problem:
        return _refuse(request, problem)
    except web.HTTPException as error:
        if error.status < 400:
            raise  # a redirect
        if request.method == "OPTIONS" and error.status == 405:
            return web.Response(status=204, headers={"Allow": error.headers.get("Allow", "")})
        return _refuse(request, problems.from_http(error))
    except web.RequestPayloadError:
        return _refuse(request, Problem("invalid-payload", "The request body ended early or is not well encoded."))
    except ConnectionError:
        if request.writer.output_size > 0:
            raise
        return web.Response(status=CLIENT_GONE, reason="Client Closed Request")  # nobody reads it but the log
    except Exception as error:
        return _refuse(request, _fault(request, error))


def name_request(given: str | None) -> str:
    """The id that the client gave, or a new one."""
    return given if given and _REQUEST_ID.fullmatch(given) else f"{_PROCESS}{next(_numbers):06x}"


def _fault(request: web.Request, error: Exception) -> Problem:
    """Of nothing that the client did."""
    what = {"method": request.method, "path": shown_urls.path(request)}
    if faults.passing(error):
        _log.warning("the database can't be asked", reason=faults.reason(error), **what)
        return Problem("unavailable", headers={"Retry-After": RETRY_S})
    full = out_of_space(error)
    _log.error("request failed", full=full, exc_info=None if full else error, **what)
    return Problem("storage-full" if full else "internal-error")


def _refuse(request: web.Request, problem: Problem) -> web.StreamResponse:
    if request.writer.output_size > 0:
        # the answer has begun; a broken connection is the only way left to say that it is not whole
        raise ConnectionResetError(str(problem))
    answer = errors.answer if errors.spoken(request.path) else problems.answer
    return answer(problem, request[REQUEST_ID])


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """on_response_prepare: headers of every answer, however it is made."""
    headers = response.headers
    headers.update(COMMON_HEADERS)
    headers["X-Request-ID"] = request.get(REQUEST_ID, "")
    extra = request.get(EXTRA_HEADERS)
    if extra:
        headers.update(extra)
    request.app[CORS].add_to(request, headers)
