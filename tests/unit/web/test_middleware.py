"""What every answer has, whatever happens: an id, the one error shape, common headers, and no stack trace."""

import asyncio
import errno
import json
import re
from typing import Any

import pytest
import structlog
from aiohttp import ClientPayloadError, web
from sqlalchemy.exc import OperationalError

from server.errors import ERRORS, Problem
from tests.unit.web.kit import Client, Connect, problem


async def ask(connect: Connect, handler: object, method: str = "GET", **more: object) -> Client:
    def mount(app: web.Application) -> None:
        app.router.add_route(method, "/try", handler)  # type: ignore[arg-type]

    return await connect(mounts=[mount], **more)


@pytest.mark.parametrize("code", ERRORS)
async def test_every_problem_has_the_shape(connect: Connect, code: str) -> None:
    async def fail(_: web.Request) -> web.Response:
        raise Problem(code, "What happened.", "field", headers={"Retry-After": "7"})

    client = await ask(connect, fail)
    async with client.get("/try") as response:
        body = await problem(response, ERRORS[code].status, code, "field")
        assert response.headers["Retry-After"] == "7"
        assert response.headers["Cache-Control"] == "no-store"
        assert body["detail"] == "What happened."
        assert ("requestId" in body) is (response.status >= 500)


async def test_an_unexpected_error_tells_nothing_but_its_request(connect: Connect) -> None:
    async def fail(_: web.Request) -> web.Response:
        raise RuntimeError("a secret detail")

    client = await ask(connect, fail)
    async with client.get("/try", headers={"Accept": "text/html"}) as response:
        body = await problem(response, 500, "internal-error")
        assert body["requestId"] == response.headers["X-Request-ID"]
        assert "secret" not in await response.text()
        assert "Traceback" not in await response.text()


async def test_a_full_disk_is_called_so(connect: Connect) -> None:
    async def fail(_: web.Request) -> web.Response:
        raise OSError(errno.ENOSPC, "No space left on device")

    client = await ask(connect, fail)
    async with client.get("/try") as response:
        await problem(response, 507, "storage-full")


async def test_a_database_that_is_away_is_called_so(connect: Connect) -> None:
    async def fail(_: web.Request) -> web.Response:
        raise OperationalError("CONNECT", None, ConnectionRefusedError(111, "Connection refused"))

    client = await ask(connect, fail)
    with structlog.testing.capture_logs() as said:
        async with client.get("/try") as response:
            await problem(response, 503, "unavailable")
            assert int(response.headers["Retry-After"]) > 0
    line = next(line for line in said if line["event"] == "the database can't be asked")
    assert (line["log_level"], line["reason"], "exc_info" in line) == ("warning", "Connection refused", False)


async def test_a_broken_answer_is_not_continued_as_another(connect: Connect) -> None:
    async def fail(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 100
        await response.prepare(request)
        await response.write(b"the beginning")
        raise RuntimeError("in the middle")

    client = await ask(connect, fail)
    async with client.get("/try") as response:
        assert response.status == 200
        with pytest.raises(ClientPayloadError):
            await response.read()


HTTP_ERRORS = [
    (web.HTTPBadRequest, 400, "invalid-payload"),
    (web.HTTPForbidden, 403, "forbidden"),
    (web.HTTPNotFound, 404, "unrecognized-request-url"),
    (web.HTTPGone, 400, "invalid-payload"),
    (web.HTTPPreconditionFailed, 412, "precondition-failed"),
    (web.HTTPUnsupportedMediaType, 415, "unsupported-media-type"),
    (web.HTTPRequestRangeNotSatisfiable, 416, "range-not-satisfiable"),
    (web.HTTPServiceUnavailable, 503, "unavailable"),
    (web.HTTPBadGateway, 500, "internal-error"),
]


@pytest.mark.parametrize(("error", "status", "code"), HTTP_ERRORS)
async def test_the_frameworks_own_errors(
    connect: Connect, error: type[web.HTTPException], status: int, code: str
) -> None:
    async def fail(_: web.Request) -> web.Response:
        raise error

    client = await ask(connect, fail)
    async with client.get("/try") as response:
        await problem(response, status, code)


async def test_redirects_are_none_of_them(connect: Connect) -> None:
    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPFound("/docs")

    client = await ask(connect, elsewhere)
    async with client.get("/try", allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["Location"] == "/docs"


UNKNOWN = ["/nope", "/videos/", "/videos//", "/video", "/videos/x/y/z", "/videos/../etc/passwd", "/%00"]


@pytest.mark.parametrize("path", UNKNOWN)
async def test_unknown_urls(client: Client, path: str) -> None:
    async with client.get(path) as response:
        await problem(response, 404, "unrecognized-request-url")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/videos", "GET,HEAD,POST"),
        ("DELETE", "/upload-tokens", "GET,HEAD,POST"),
        ("POST", "/docs", "GET,HEAD"),
        ("PROPFIND", "/auth/refresh", "POST"),
    ],
)
async def test_unknown_methods(client: Client, method: str, path: str, allow: str) -> None:
    async with client.request(method, path) as response:
        await problem(response, 405, "method-not-allowed")
        assert response.headers["Allow"] == allow


async def test_head_is_get_without_the_body(client: Client) -> None:
    async with client.head("/videos") as response:
        assert response.status == 200
        assert int(response.headers["Content-Length"]) > 0
        assert await response.read() == b""


async def test_the_headers_of_every_answer(client: Client) -> None:
    for path in ("/videos", "/nope", "/docs"):
        async with client.get(path) as response:
            assert response.headers["Server"] == "Sluice"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert re.fullmatch("[0-9a-f]{16}", response.headers["X-Request-ID"])


async def test_each_request_has_an_id_of_its_own(client: Client) -> None:
    found = set()
    for _ in range(3):
        async with client.get("/healthz") as response:
            found.add(response.headers["X-Request-ID"])
    assert len(found) == 3


IDS = [("abc-123_X.y:z", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("<script>", False), ("é", False)]


@pytest.mark.parametrize(("given", "kept"), IDS)
async def test_a_clients_id_is_kept_when_it_is_harmless(client: Client, given: str, kept: bool) -> None:
    async with client.get("/healthz", headers={"X-Request-ID": given}) as response:
        assert (response.headers["X-Request-ID"] == given) is kept


async def test_the_id_is_in_every_log_line_of_the_request_and_of_no_other(connect: Connect) -> None:
    seen = []

    async def look(_: web.Request) -> web.Response:
        await asyncio.sleep(0)
        seen.append(structlog.contextvars.get_contextvars().get("request"))
        return web.Response()

    client = await ask(connect, look)
    await asyncio.gather(*(client.get("/try", headers={"X-Request-ID": f"r{n}"}) for n in range(5)))

    assert sorted(seen) == [f"r{n}" for n in range(5)]


async def test_a_body_over_the_limit_is_413(client: Client) -> None:
    async with client.post("/videos", data=b'"' + b"x" * 300_000 + b'"') as response:
        await problem(response, 413, "payload-too-large")


async def exchange(client: Client, sent: bytes) -> tuple[str, dict[str, Any]]:
    """Raw bytes out, the status line and the JSON of what comes back."""
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Server: Sluice" in head
    return head.split(b"\r\n")[0].decode(), json.loads(body)


NOT_HTTP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS on a plain port\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"POST /auth/api-key HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnot a chunk\r\n\r\n",
    b"POST /auth/api-key HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
]


@pytest.mark.parametrize("sent", NOT_HTTP)
async def test_what_is_no_http_gets_the_same_shape(
    client: Client, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    status, body = await exchange(client, sent)

    assert " 400 " in status
    assert body["type"].endswith("#malformed-request")
    assert body["status"] == 400
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    ],
    ids=["address", "header"],
)
async def test_what_is_too_long_is_called_so(client: Client, sent: bytes) -> None:
    status, body = await exchange(client, sent)

    assert " 431 " in status
    assert body["title"] == "The request's address or headers are too long."


async def test_a_client_that_goes_away_is_no_error(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    _, writer = await asyncio.open_connection(client.server.host, client.server.port)
    writer.write(b"POST /auth/api-key HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.transport.abort()
    async with client.get("/healthz") as response:
        assert response.status == 200

    assert "request failed" not in capsys.readouterr().out
