"""Nothing that opens anything reaches a log line."""

import io
import json
import logging
from collections.abc import Callable

import pytest
import structlog

from server import log


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("/vod/vi1/token/eyJhbGciOiJI.abc.def/hls/r1/video/3.m4s", "/vod/vi1/token/***/hls/r1/video/3.m4s"),
        ("/live/li1.m3u8?token=abc&x=1", "/live/li1.m3u8?token=***&x=1"),
        ("/vod/vi1/thumbnail.jpg?avh=abc", "/vod/vi1/thumbnail.jpg?avh=***"),
        ("PATCH /tus/up123/s3cr3t_x-y 204", "PATCH /tus/up123/*** 204"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ2aSJ9.c2ln here", "got *** here"),
        ("GET /upload-tokens/to1 404", "GET /upload-tokens/*** 404"),
        ("/live-streams?streamKey=abc", "/live-streams?streamKey=***"),
        ("/oauth/token?client_secret=a&code=b&page=2", "/oauth/token?client_secret=***&code=***&page=2"),
        ("/x?timecode=00:01&apiKey=q", "/x?timecode=00:01&apiKey=***"),
        ("/file-requests/ABCDEFGHJKLMNPQRSTUVWX-0011aabb", "/file-requests/ABCDEFGHJKLMNPQRSTUVWX-***"),
        ("/v1/file-requests/393b4536-7ef2-45e9", "/v1/file-requests/393b4536-7ef2-45e9"),
        ("/videos/vi1", "/videos/vi1"),
    ],
)
def test_a_text_is_masked(text: str, masked: str) -> None:
    assert log.mask(text) == masked


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    return stream


def test_a_value_whose_name_says_secret_is_masked(out: io.StringIO) -> None:
    log.get("test").info("opened", stream_key="k", authorization="Basic x", token="t", key_id="key_1", video="vi1")

    line = json.loads(out.getvalue())

    assert (line["stream_key"], line["authorization"], line["token"]) == ("***", "***", "***")
    assert (line["key_id"], line["video"], line["event"], line["level"]) == ("key_1", "vi1", "opened", "info")


def test_libraries_go_through_the_same_pipe(out: io.StringIO) -> None:
    logging.getLogger("aiohttp.server").error("failed at %s", "/live/x?token=abc")

    line = json.loads(out.getvalue())

    assert line["event"] == "failed at /live/x?token=***"
    assert line["logger"] == "aiohttp.server"


def test_below_the_level_nothing_is_written(out: io.StringIO) -> None:
    log.get("test2").debug("detail")

    assert out.getvalue() == ""


def test_an_exception_is_one_line_of_json(out: io.StringIO) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        log.get("test3").exception("failed")

    line = json.loads(out.getvalue())

    assert "ValueError: broken" in line["exception"]


@pytest.mark.parametrize("level", ["info", "warning"])
def test_lines_of_every_request_look_like_the_others(level: str) -> None:
    stream = io.StringIO()
    log.configure(level, "json", stream)
    structlog.contextvars.bind_contextvars(request="r1")
    try:
        log.get("http").info("request", status=200)
        log.Lines("http").info("request", status=200, request="r1")
    finally:
        structlog.contextvars.clear_contextvars()

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    for line in lines:
        assert line.pop("timestamp").endswith("Z")
    assert len(lines) == (2 if level == "info" else 0)
    assert lines[:1] == lines[1:]


def test_lines_may_be_gathered(out: io.StringIO) -> None:
    waiting: list[Callable[[], None]] = []
    log.Lines.gather(waiting.append)
    try:
        log.Lines("http").info("one")
        log.Lines("http").info("two")
        assert (out.getvalue(), len(waiting)) == ("", 1)
        waiting.pop()()
        assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["one", "two"]

        log.Lines("http").info("three", text="x" * log.KEPT_AT_MOST)
        assert len(out.getvalue().splitlines()) == 3
        log.Lines("http").info("four")
    finally:
        log.Lines.gather(None)
    assert len(out.getvalue().splitlines()) == 4
    log.Lines("http").info("five")
    assert len(out.getvalue().splitlines()) == 5


@pytest.mark.parametrize("style", ["pretty", "json"])
def test_a_traceback_tells_no_values(style: str) -> None:
    stream = io.StringIO()
    log.configure("info", style, stream)
    secret = "".join(("hun", "ter2"))
    try:
        assert secret
        raise ValueError("broken")
    except ValueError:
        log.get("test4").exception("failed")

    assert "ValueError: broken" in stream.getvalue()
    assert secret not in stream.getvalue()


def test_lines_are_pretty_where_the_others_are() -> None:
    stream = io.StringIO()
    log.configure("info", "pretty", stream)

    log.Lines("http").info("request", status=200, bytes=7)

    assert "status=200 bytes=7" in stream.getvalue()  # in the order of whoever logs them
    assert "{" not in stream.getvalue()
