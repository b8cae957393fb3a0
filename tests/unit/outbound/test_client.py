"""Calls to real servers on loopback, which only an allow-list opens."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from server.outbound.client import MAX_REDIRECTS, CallFailed, Outbound, Times
from server.outbound.target import Target
from server.protocols.destinations import AddressRules

Serve = Callable[..., Awaitable[int]]
Addresses = list[tuple[socket.AddressFamily, str]]
LOOPBACK: Addresses = [(socket.AF_INET, "127.0.0.1")]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server on loopback that answers every request by a handler; its port."""
    runners: list[web.AppRunner] = []

    async def start(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> int:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port: int = runner.addresses[0][1]
        return port

    yield start
    for runner in runners:
        await runner.cleanup()


async def hello(request: web.Request) -> web.Response:
    return web.json_response({"host": request.host, "headers": dict(request.headers)})


async def called(url: str, allowed: list[str], **more: Any) -> tuple[int, bytes]:
    async with (
        Outbound.open(AddressRules(allowed), **more) as outbound,
        outbound.get(Target.parse(url), {}) as reply,
    ):
        return reply.status, b"".join([chunk async for chunk in reply.chunks()])


async def refused(url: str, allowed: list[str], **more: Any) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        await called(url, allowed, **more)
    return caught.value


async def test_an_allowed_host_is_called_by_its_name(serve: Serve) -> None:
    port = await serve(hello)
    status, body = await called(f"http://u:p@files.test:{port}/a", ["files.test"], resolve=lambda *_: LOOPBACK)

    assert status == 200
    assert f'"host": "files.test:{port}"'.encode() in body
    assert b'"Authorization": "Basic dTpw"' in body


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0.0.0.0"])
async def test_addresses_are_refused_unresolved(host: str) -> None:
    failure = await refused(f"http://{host}:8080/", [])
    assert (failure.reason, failure.lasting) == ("forbidden", True)
    assert "127" not in str(failure)


@pytest.mark.parametrize(
    "answers",
    [
        [(socket.AF_INET, "127.0.0.1")],
        [(socket.AF_INET6, "::1")],
        [(socket.AF_INET, "93.184.216.34"), (socket.AF_INET, "10.0.0.1")],
        [(socket.AF_INET6, "fe80::1%2")],
    ],
)
async def test_names_are_refused_by_what_they_resolve_to(answers: Addresses) -> None:
    failure = await refused("http://rebind.test/", [], resolve=lambda *_: answers)
    assert failure.reason == "forbidden"


async def test_the_name_localhost_is_no_way_round() -> None:
    assert (await refused("http://localhost:8080/", [])).reason == "forbidden"


async def test_a_name_is_resolved_once_for_each_connection(serve: Serve) -> None:
    """What was looked at is what is connected to: a second answer is never asked for."""
    port = await serve(hello)
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> Addresses:
        asked.append(host)
        return LOOPBACK if len(asked) == 1 else [(socket.AF_INET, "127.0.0.2")]

    assert (await called(f"http://rebind.test:{port}/", ["127.0.0.1"], resolve=rebinding))[0] == 200
    assert asked == ["rebind.test"]
    assert (await refused(f"http://rebind.test:{port}/", ["127.0.0.1"], resolve=rebinding)).reason == "forbidden"


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest/meta-data", "http://inner.test/", "/b"])
async def test_every_redirect_is_looked_at(serve: Serve, location: str) -> None:
    paths: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=302, headers={"Location": location}) if request.path == "/a" else web.Response()

    port = await serve(redirect)

    def resolve(host: str, _port: int) -> Addresses:
        return LOOPBACK if host == "outer.test" else [(socket.AF_INET, "10.0.0.1")]

    if location == "/b":
        assert (await called(f"http://outer.test:{port}/a", ["outer.test"], resolve=resolve))[0] == 200
        assert paths == ["/a", "/b"]
    else:
        failure = await refused(f"http://outer.test:{port}/a", ["outer.test"], resolve=resolve)
        assert failure.reason == "forbidden"


async def test_redirects_end(serve: Serve) -> None:
    count = 0

    async def forever(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(status=307, headers={"Location": f"/{count}"})

    port = await serve(forever)
    failure = await refused(f"http://127.0.0.1:{port}/", ["127.0.0.1"])
    assert (failure.reason, count) == ("redirects", MAX_REDIRECTS + 1)


async def test_credentials_stay_with_their_host(serve: Serve) -> None:
    second = await serve(hello)

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{second}/"})

    first = await serve(redirect)
    _, body = await called(f"http://u:p@127.0.0.1:{first}/", ["127.0.0.1"])
    assert b"Authorization" not in body


async def test_a_redirect_to_another_scheme_is_refused(serve: Serve) -> None:
    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "file:///etc/passwd"})

    port = await serve(redirect)
    assert (await refused(f"http://127.0.0.1:{port}/", ["127.0.0.1"])).reason == "bad-url"


async def test_faults_have_a_reason_each(serve: Serve) -> None:
    async def silent(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport
        request.transport.close()
        return response

    def nobody(*_: object) -> Addresses:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
        here = ["127.0.0.1"]
        found = {
            "timeout": await refused(f"http://127.0.0.1:{await serve(silent)}/", here, times=Times(1, 0.2)),
            "broken": await refused(f"http://127.0.0.1:{await serve(broken)}/", here),
            "unreachable": await refused(f"http://127.0.0.1:{closed}/", here),
            "unresolved": await refused("http://nowhere.test/", here, resolve=nobody),
            "certificate": await refused(f"https://127.0.0.1:{await serve(hello)}/", here),
        }
    assert {name: failure.reason for name, failure in found.items()} == {name: name for name in found}
    assert [name for name, failure in found.items() if failure.lasting] == ["certificate"]
