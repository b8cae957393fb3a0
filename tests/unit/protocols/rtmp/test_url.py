"""URLs of targets and sources."""

import pytest

from server.protocols.rtmp.url import RtmpUrl, UrlError, of_source, of_target


@pytest.mark.parametrize(
    ("server_url", "expected", "tc_url"),
    [
        ("rtmp://a.example/app", RtmpUrl("a.example", 1935, False, "app", "k?x=1"), "rtmp://a.example/app"),
        ("rtmps://a.example/app/", RtmpUrl("a.example", 443, True, "app", "k?x=1"), "rtmps://a.example/app"),
        ("rtmp://[::1]:77/a/b?c=d", RtmpUrl("::1", 77, False, "a/b?c=d", "k?x=1"), "rtmp://[::1]:77/a/b?c=d"),
    ],
)
def test_targets(server_url: str, expected: RtmpUrl, tc_url: str) -> None:
    found = of_target(server_url, "k?x=1")
    assert found == expected
    assert found.tc_url == tc_url
    assert "k?x" not in repr(found)


def test_sources() -> None:
    assert of_source("rtmp://h/live/key?t=1/2") == RtmpUrl("h", 1935, False, "live", "key?t=1/2")
    assert of_source("rtmps://h:1/a/b/key") == RtmpUrl("h", 1, True, "a/b", "key")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://h/app/x", "none of the schemes"),
        ("file:///etc/passwd", "none of the schemes"),
        ("rtmp:///app/x", "names no host"),
        ("rtmp://u:p@h/app/x", "authmod"),
        ("rtmp://h:99999/app/x", "can't be read"),
        ("rtmp://[broken/app/x", "can't be read"),
        ("rtmp://h/", "names no application"),
        ("rtmp://h/app/x\n", "control characters"),
        ("rtmp://h/" + "x" * 2000, "too long"),
    ],
)
def test_refused(url: str, reason: str) -> None:
    for read in (of_source, lambda text: of_target(text, "k")):
        with pytest.raises(UrlError, match=reason):
            read(url)


def test_a_source_needs_a_stream() -> None:
    with pytest.raises(UrlError, match="no stream"):
        of_source("rtmp://h/app")
