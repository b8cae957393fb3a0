"""SRT URLs."""

import pytest

from server.protocols.srt.url import SrtUrl, SrtUrlError, parse


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("srt://h:9000", SrtUrl("h", 9000, "given")),
        ("srt://h:9000?streamid=live/key&mode=caller", SrtUrl("h", 9000, "live/key")),
        ("srt://[::1]:1?streamid=%23!::r=k,m=publish", SrtUrl("::1", 1, "#!::r=k,m=publish")),
        ("srt://h:1?passphrase=0123456789&pbkeylen=32", SrtUrl("h", 1, "given", "0123456789", 256)),
        ("srt://h:1?latency=120", SrtUrl("h", 1, "given", latency_ms=120)),
        ("srt://h:1?latency=2000000&x=y", SrtUrl("h", 1, "given", latency_ms=2000)),
        ("srt://h:1?latency=99999", SrtUrl("h", 1, "given", latency_ms=8000)),
    ],
)
def test_read(url: str, expected: SrtUrl) -> None:
    assert parse(url, "given") == expected
    assert repr(expected).endswith(f"({expected.host}:{expected.port})")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("srt://h", "host:port"),
        ("udp://h:1", "host:port"),
        ("srt://h:99999", "can't be read"),
        ("srt://h:1?mode=listener", "caller"),
        ("srt://h:1?passphrase=short", "10 to 79"),
        ("srt://h:1?pbkeylen=17", "16, 24 or 32"),
        ("srt://h:1?latency=-1", "milliseconds"),
        ("srt://h:1?streamid=" + "x" * 513, "512 bytes"),
        ("srt://h:1?" + "&".join("a=b" for _ in range(40)), "can't be read"),
        ("srt://h:1?x=" + "x" * 2000, "too long"),
    ],
)
def test_refused(url: str, reason: str) -> None:
    with pytest.raises(SrtUrlError, match=reason):
        parse(url)
