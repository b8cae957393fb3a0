"""One attempt to a real server on loopback, which only an allow-list opens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web

from server.outbound.client import Outbound
from server.protocols import webhook as signatures
from server.protocols.destinations import AddressRules
from server.webhooks.formats import Told
from server.webhooks.post import HEAD_BYTES, Endpoint, Parcel, Post
from server.webhooks.verdicts import Attempt
from tests.harness.endpoint import DROP, listening
from tests.harness.endpoint import Endpoint as Real

TOLD_AT = datetime(2026, 1, 31, tzinfo=UTC)


def parcel(port: int, **more: object) -> Parcel:
    told = Told("ev1", "video.done", "pr1", "vi1", 3, TOLD_AT, {"videoId": "vi1"})
    endpoint = Endpoint("webhook_1", f"http://127.0.0.1:{port}/hook", "native", ("video.*",), "new")
    return Parcel("de1", replace(endpoint, **more), told, 2)  # type: ignore[arg-type]


async def attempted(to: Parcel, allowed: tuple[str, ...] = ("127.0.0.1",), timeout_s: float = 10.0) -> Attempt:
    async with Outbound.open(AddressRules(allowed)) as outbound:
        return await Post(outbound, timeout_s).attempt(to)


async def test_what_a_receiver_gets() -> None:
    with listening(Real(lambda body: 202)) as real:
        attempt = await attempted(parcel(real.port, old_secret="old", login="user", password="pass"))

    assert (attempt.status, attempt.delivered, attempt.error) == (202, True, None)
    assert attempt.head.startswith("Content-Type: text/plain")
    assert attempt.head.endswith("as told")
    (call,) = real.calls
    sent = call.headers
    assert call.json()["type"] == "video.done"
    assert sent["Content-Type"] == "application/json"
    assert sent["Authorization"] == "Basic dXNlcjpwYXNz"
    assert [sent[f"Sluice-{name}"] for name in ("Event-Id", "Event-Sequence", "Delivery-Id", "Attempt")] == [
        "ev1", "3", "de1", "2",
    ]  # fmt: skip
    at = int(attempt.at.timestamp())
    assert sent["X-Api-Video-Signature"] == signatures.of_body(call.body, "old")  # until its time is over
    assert all(signatures.holds(sent["Sluice-Signature"], call.body, secret, at) for secret in ("new", "old"))
    assert not signatures.holds(sent["Sluice-Signature"], call.body, "another", at)


@pytest.mark.parametrize(
    ("allowed", "url", "error"),
    [
        ((), "http://127.0.0.1:{port}/", "not on the public Internet"),
        ((), "http://localhost:{port}/", "not on the public Internet"),
        ((), "http://169.254.169.254/latest/meta-data", "not on the public Internet"),
        ((), "http://[::1]:{port}/", "not on the public Internet"),
        ((), "http://93.184.215.14:22/", "Port 22"),
        (("127.0.0.1",), "http://127.0.0.1:1/", "Port 1 is|reached"),
    ],
)
async def test_what_is_not_called(allowed: tuple[str, ...], url: str, error: str) -> None:
    with listening(Real()) as real:
        attempt = await attempted(parcel(real.port, url=url.format(port=real.port)), allowed)

    assert (attempt.status, real.calls) == (None, [])
    assert attempt.error is not None
    assert any(each in attempt.error for each in error.split("|"))


async def test_who_is_silent_is_given_up() -> None:
    with listening(Real(delay_s=lambda: 30.0)) as real:
        attempt = await attempted(parcel(real.port), timeout_s=0.3)
    assert attempt.error == "The endpoint did not answer in time."


async def test_who_breaks_off_is_no_receiver() -> None:
    with listening(Real(lambda body: DROP)) as real:
        attempt = await attempted(parcel(real.port))
    assert (attempt.status, attempt.delivered) == (None, False)
    assert attempt.error


@asynccontextmanager
async def answering(answer: Callable[[], web.StreamResponse]) -> AsyncIterator[int]:
    async def handler(request: web.Request) -> web.StreamResponse:
        return answer()

    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_only_the_beginning_of_an_answer_is_kept() -> None:
    async with asyncio.timeout(20), answering(lambda: web.Response(body=b"\x00\xff" + b"x" * 5_000_000)) as port:
        attempt = await attempted(parcel(port))

    assert attempt.delivered
    body = attempt.head.partition("\n\n")[2]
    assert body[:2] == "\ufffd\ufffd"
    assert len(body) == HEAD_BYTES


async def test_redirects_are_not_followed_and_waits_are_heard() -> None:
    headers = {"Location": "http://127.0.0.1:1/", "Retry-After": "60"}
    async with answering(lambda: web.Response(status=302, headers=headers)) as port:
        attempt = await attempted(parcel(port))

    assert (attempt.status, attempt.delivered, attempt.retry_after_s) == (302, False, 60)
    assert "Location: http://127.0.0.1:1/" in attempt.head


async def test_what_is_not_asked_for_any_more_comes_by_our_name() -> None:
    with listening(Real()) as real:
        await attempted(parcel(real.port, format="kinescope", events=("live-stream.*",)))
    assert real.calls[0].json()["event"] == "video.done"
