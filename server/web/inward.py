"""Calls of the REST API from within: a request makes others, with its own credentials, as its client could.

They go through the same routes and middleware as calls over the network (credentials, rates, scopes, checks, audit),
only without a connection.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web
from multidict import CIMultiDict

from server.client.api import query_string
from server.client.refusals import Refused, parsed
from server.web.addresses import base_url
from server.web.middleware import REQUEST_ID

# of who calls: their key, and how they reached us
_KEPT = ("Authorization", "Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "User-Agent")


class Inward:
    """For one request, whose body was not read yet."""

    def __init__(self, request: web.Request) -> None:
        self.base_url = base_url(request)
        headers = CIMultiDict((name, value) for name in _KEPT for value in request.headers.getall(name, []))
        headers["Content-Type"] = "application/json"
        headers["X-Request-ID"] = request[REQUEST_ID]
        self._headers = headers
        self._application = request.app
        self._like = request.clone()

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        """The JSON of an answer. Raises Refused."""
        inner = self._like.clone(method=method, rel_url=path + query_string(query), headers=self._headers)
        inner._read_bytes = b"" if body is None else orjson.dumps(body)  # it has no stream of its own
        answer = await self._application._handle(inner)
        if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes | None):
            raise TypeError(f"{method} {path} answers in a way that can't be passed on")
        found = parsed(answer.body or b"")
        if answer.status >= 300:
            raise Refused(answer.status, found)
        return found
