"""Answers that are read whole, or told."""

import socket
from collections.abc import Callable
from threading import Event, Thread

import pytest

from server.client import api
from server.client.api import Unreachable, exchange
from server.client.refusals import Refused


def answering(raw: bytes, until: Event | None = None) -> tuple[str, Callable[[], None]]:
    """The URL of a server that answers once with these bytes, and drips on `until` then."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listening, listening.accept()[0] as connection:
            connection.recv(1 << 16)
            connection.sendall(raw)
            while until is not None and not until.wait(0.01):
                connection.sendall(b" ")

    thread = Thread(target=serve)
    thread.start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/", thread.join


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (HEAD + b"Content-Length: 3\r\n\r\nabc", b"abc"),
        (HEAD + b"\r\nabc", b"abc"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc"),
    ],
)
def test_an_answer_is_read_whole(raw: bytes, found: bytes) -> None:
    url, ended = answering(raw)
    assert exchange("GET", url, None, {}).raw == found
    ended()


@pytest.mark.parametrize(
    "raw",
    [HEAD + b"Content-Length: 4\r\n\r\nabc", HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nab"],
)
def test_an_answer_that_breaks_off_is_none(raw: bytes) -> None:
    url, ended = answering(raw)
    with pytest.raises(Unreachable):
        exchange("GET", url, None, {})
    ended()


def test_an_answer_that_is_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "ANSWER_LIMIT", 2)
    url, ended = answering(HEAD + b"Content-Length: 3\r\n\r\nabc")
    with pytest.raises(Refused, match="more than 0 MiB"):
        exchange("GET", url, None, {})
    ended()


def test_an_answer_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "ANSWER_TIME_S", -1.0)
    url, ended = answering(HEAD + b"Content-Length: 3\r\n\r\nabc")
    with pytest.raises(Unreachable, match="within"):
        exchange("GET", url, None, {})
    ended()


REFUSAL = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"


def test_a_refusal_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "REFUSAL_TIME_S", -1.0, raising=False)
    heard = Event()
    url, ended = answering(REFUSAL + b'{"title": "It is', until=heard)
    try:
        with pytest.raises(Refused, match="status 404"):
            exchange("GET", url, None, {})
    finally:
        heard.set()
        ended()


def test_a_refusal_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "REFUSAL_LIMIT", 2, raising=False)
    url, ended = answering(REFUSAL + b'{"title": "It is not there."}')
    with pytest.raises(Refused, match="status 404"):
        exchange("GET", url, None, {})
    ended()
