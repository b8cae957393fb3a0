"""Calls of the API: one connection for each, JSON in and out, an API key with every one."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from server import clock
from server.client import paging
from server.client.refusals import Refused, parsed

CALL_TIMEOUT_S = 60.0
PAGE_SIZE = 100  # the most that a list gives at once
SCHEMES = ("http", "https")  # the library also opens files of this machine, and URLs may come from elsewhere
ANSWER_LIMIT = 64 * 1024 * 1024  # bytes of one answer that are read
ANSWER_TIME_S = 600.0  # of one answer, while bytes of it come
REFUSAL_LIMIT = 1024 * 1024  # the same of a refusal, which says a few sentences
REFUSAL_TIME_S = 30.0
READ_BYTES = 1 << 18


class Unreachable(ConnectionError):
    """There was no answer. str() of it is a sentence."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A key goes to no other place than the one that it was given for."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def same_server(url: str, other: str) -> bool:
    """Whether what is told to the one may be told to the other: in the clear is another. Raises Unreachable."""
    try:
        return urlsplit(url)[:2] == urlsplit(other)[:2]
    except ValueError:
        raise Unreachable(f"{url} is no URL.") from None


@dataclass(frozen=True, slots=True)
class Answer:
    """One of 2xx."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """None where there is none."""
        return parsed(self.raw)


def exchange(method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
    """Raises Refused, Unreachable."""
    try:
        if urlsplit(url).scheme not in SCHEMES:
            raise ValueError("its URL begins with neither http:// nor https://")
        request = urllib.request.Request(url, data, dict(headers), method=method)
        with _OPENER.open(request, timeout=CALL_TIMEOUT_S) as answer:
            return Answer(answer.status, answer.headers, _whole(answer))
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(error.code, parsed(_rest(error)), dict(error.headers)) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        said = getattr(error, "reason", None) or error
        if isinstance(said, OSError) and said.strerror:
            said = said.strerror  # without its number
        raise Unreachable(f"{url.split('?')[0]} can't be reached: {said}") from None


def _whole(answer: http.client.HTTPResponse) -> bytes:
    """Raises Refused; OSError and http.client.HTTPException where it breaks off."""
    found = bytearray()
    for piece in _pieces(answer, ANSWER_TIME_S):
        found += piece
        if len(found) > ANSWER_LIMIT:
            raise Refused(413, {"title": f"There are more than {ANSWER_LIMIT >> 20} MiB of it."})
    if answer.length:  # bytes that were promised
        raise http.client.IncompleteRead(b"", answer.length)
    return bytes(found)


def _rest(error: urllib.error.HTTPError) -> bytes:
    """Of a refusal: what it is says enough where its text is too long, or cut off."""
    found = bytearray()
    with suppress(OSError, ValueError, http.client.HTTPException):
        for piece in _pieces(error, REFUSAL_TIME_S):
            found += piece
            if len(found) > REFUSAL_LIMIT:
                return b""
    return bytes(found)


def _pieces(answer: Any, time_s: float) -> Iterator[bytes]:
    """Of its body, as they come. Raises TimeoutError, among others."""
    ends = clock.monotonic() + time_s
    while piece := answer.read1(READ_BYTES):
        yield piece
        if clock.monotonic() > ends:
            raise TimeoutError(f"not all of it came within {time_s:.0f} s")


class Exchange(Protocol):
    def __call__(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Raises Refused, Unreachable."""


@dataclass(frozen=True, slots=True)
class Api:
    """Where a server is, the key that it is called with, and how: once, unless `ask` is more patient."""

    url: str
    key: str = field(repr=False)
    ask: Exchange = field(default=exchange, repr=False)

    def call(
        self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None, **headers: str
    ) -> Any:
        """The JSON of the answer. Raises Refused, Unreachable."""
        return self.send(method, path, body, query, headers).json

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """`body` is JSON unless it is bytes; `path` may be a whole URL of this server. Raises Refused, Unreachable."""
        sent = {"Authorization": self.authorization, **(headers or {})}
        data = body
        if body is not None and not isinstance(body, bytes):
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        return self.ask(method, self.address(path, query), data, sent)

    def address(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        base = "" if path.startswith(("http://", "https://")) else self.url.rstrip("/")
        return base + path + query_string(query)

    @property
    def authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{self.key}:".encode()).decode()

    def every(self, path: str, query: Mapping[str, Any] | None = None, most: int | None = None) -> Iterator[Any]:
        """The objects of a list, page after page, `most` of them at most. Raises Refused (Endless), Unreachable."""
        size = PAGE_SIZE if most is None else max(1, min(PAGE_SIZE, most))

        def page(number: int) -> Any:
            return self.call("GET", path, query={**(query or {}), "currentPage": number, "pageSize": size})

        def is_last(found: Any, number: int, _given: int) -> bool:
            return bool(number >= found["pagination"]["pagesTotal"])

        return islice(paging.every(page(1), page, is_last), most)


def at(*parts: str) -> str:
    """`/videos/vi…/status`: whatever is given as an id stays one part of the path."""
    return "".join("/" + quote(part, safe="") for part in parts)


def query_string(query: Mapping[str, Any] | None) -> str:
    """`?a=1&tags[]=x&metadata[k]=v`; what is None is left out."""
    pairs = [pair for name, value in (query or {}).items() for pair in _pairs(name, value)]
    return "?" + urlencode(pairs, quote_via=quote, safe="[]") if pairs else ""


def _pairs(name: str, value: Any) -> Sequence[tuple[str, str]]:
    match value:
        case None:
            return []
        case bool():
            return [(name, "true" if value else "false")]
        case Mapping():
            return [(f"{name}[{key}]", str(one)) for key, one in value.items()]
        case list() | tuple():
            return [(f"{name}[]", str(one)) for one in value]
        case _:
            return [(name, str(value))]
