"""Files of HLS sources, from a server in this process: certificates, redirects, ranges, keys, limits."""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from server.media import hls_fetch
from server.media.hls_fetch import Fetcher, FetchFailed, absolute, context_of
from tests.harness.certificates import make_certificate

MEDIA = bytes(range(256)) * 400
KEY, IV = bytes(range(16)), bytes(range(16, 32))
PLAYLIST = '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="key?a=b"\n#EXTINF:2,\nseg ment.ts\n'


class Handler(BaseHTTPRequestHandler):
    """Answers by the path; `asked` keeps what came."""

    asked: list[tuple[str, Mapping[str, str]]]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.asked.append((self.path, dict(self.headers)))
        name = self.path.strip("/").partition("?")[0]
        times = sum(path == self.path for path, _ in self.asked)
        if name.startswith("to/"):
            self._answer(302, b"", {"Location": self.path[4:]})
        elif name == "round":
            self._answer(302, b"", {"Location": "/round"})
        elif name.isdigit():
            self._answer(int(name), b"no")
        elif name == "busy" and times < 3:
            self._answer(503, b"later")
        elif name == "long.m3u8":
            self._answer(200, b"#EXTM3U\n" + b"#" * (3 << 20))
        elif name.endswith(".m3u8"):
            self._answer(200, PLAYLIST.encode())
        elif (wanted := self.headers.get("Range")) and name != "whole":
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            self._answer(206, MEDIA[int(start) : int(end) + 1])
        elif name == "secret":
            padder = PKCS7(128).padder()
            cipher = Cipher(AES(KEY), CBC(IV)).encryptor()
            self._answer(200, cipher.update(padder.update(MEDIA) + padder.finalize()))
        else:
            self._answer(200, MEDIA)

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Callers that go away, with the handshake or later, are what is tested."""


@contextmanager
def serving(
    certificate: tuple[Path, Path] | None = None, host: str = "127.0.0.1"
) -> Iterator[tuple[str, list[tuple[str, Mapping[str, str]]]]]:
    """Its URL, and what it is asked."""
    asked: list[tuple[str, Mapping[str, str]]] = []
    server = Quiet((host, 0), type("Handling", (Handler,), {"asked": asked}))
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http{'s' if certificate else ''}://{host}:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(tmp_path)


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def fetcher(waits: list[float]) -> Fetcher:
    return Fetcher(context_of(None, None), True, waits.append)


def fetched(fetcher: Fetcher, url: str, options: Mapping[str, str] | None = None, size: int = 5000) -> bytes:
    file = fetcher.open(url, 1, options or {})
    found = b""
    while data := file.read(size):
        found += data
    file.close()
    return found


def test_a_certificate_is_verified(certificate: tuple[Path, Path], fetcher: Fetcher) -> None:
    trusting = Fetcher(context_of(str(certificate[0]), None), True, lambda seconds: None)
    with serving(certificate) as (url, asked):
        with pytest.raises(FetchFailed, match="the certificate of the host is not valid") as failed:
            fetcher.open(f"{url}/segment.ts", 1, {})
        assert failed.value.lasting
        assert not asked
        assert fetched(trusting, f"{url}/segment.ts") == MEDIA
    with serving(certificate, "127.0.0.2") as (url, _), pytest.raises(FetchFailed, match="certificate of the host"):
        trusting.open(f"{url}/segment.ts", 1, {})


def test_a_redirect_does_not_lead_out_of_tls(certificate: tuple[Path, Path]) -> None:
    trusting = Fetcher(context_of(str(certificate[0]), None), True, lambda seconds: None)
    with serving(certificate) as (url, _), serving() as (plain, asked):
        with pytest.raises(FetchFailed, match="from https to something else"):
            trusting.open(f"{url}/to/{plain}/segment.ts", 1, {})
        assert not asked


def test_a_playlist_behind_a_redirect_is_known_by_its_own_address(fetcher: Fetcher) -> None:
    with serving() as (url, _):
        text = fetched(fetcher, f"{url}/to/{url}/far/away.m3u8").decode()
    assert text.splitlines()[1:] == [
        f'#EXT-X-KEY:METHOD=AES-128,URI="{url}/far/key?a=b"', "#EXTINF:2,", f"{url}/far/seg ment.ts",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "reason", "lasting"),
    [
        ("round", "more than 5 redirects", True),
        ("to/file:///etc/passwd", "neither http nor https", True),
        ("403", "the host answered 403", True),
        ("404", "the host answered 404", False),
        ("long.m3u8", "a playlist is too long", True),
    ],
)
def test_what_can_not_be_had(fetcher: Fetcher, path: str, reason: str, lasting: bool) -> None:
    with serving() as (url, _), pytest.raises(FetchFailed, match=reason) as failed:
        fetcher.open(f"{url}/{path}", 1, {})
    assert failed.value.lasting is lasting


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:text/plain,x", "ftp://127.0.0.1/x", "/etc/passwd", ""])
def test_no_other_scheme_is_opened(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(FetchFailed, match="neither http nor https"):
        fetcher.open(url, 1, {})


def test_trouble_that_passes_is_waited_for(fetcher: Fetcher, waits: list[float]) -> None:
    with serving() as (url, asked):
        assert fetched(fetcher, f"{url}/busy") == MEDIA
    assert len(asked) == 3
    assert waits == [hls_fetch.PAUSE_S] * 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254"])
def test_private_addresses_are_not_called_where_they_are_not_allowed(host: str) -> None:
    fetcher = Fetcher(context_of(None, None), False, lambda seconds: None)
    with pytest.raises(FetchFailed, match="private address") as failed:
        fetcher.open(f"http://{host}:9/live.m3u8", 1, {})
    assert failed.value.lasting


def test_ranges(fetcher: Fetcher) -> None:
    with serving() as (url, _):
        assert fetched(fetcher, f"{url}/part", {"offset": "100", "end_offset": "5200"}) == MEDIA[100:5200]
        with pytest.raises(FetchFailed, match="no ranges"):
            fetcher.open(f"{url}/whole", 1, {"offset": "100", "end_offset": "5200"})


@pytest.mark.parametrize("size", [1, 15, 16, 17, 5000, 1 << 20])
def test_encrypted_segments(fetcher: Fetcher, size: int) -> None:
    keys = {"key": KEY.hex(), "iv": IV.hex()}
    with serving() as (url, _):
        assert fetched(fetcher, f"crypto+{url}/secret", keys, max(size, 300)) == MEDIA
        file = fetcher.open(f"crypto+{url}/secret", 1, keys)
        assert MEDIA.startswith(file.read(size))
        file.close()
        with pytest.raises(FetchFailed, match="key can't be used"):
            fetcher.open(f"crypto+{url}/secret", 1, {"key": "00", "iv": IV.hex()})


def test_credentials_are_sent_and_not_told(fetcher: Fetcher) -> None:
    with serving() as (url, asked):
        named = url.replace("http://", "http://me:pass%40word@")
        with pytest.raises(FetchFailed) as failed:
            fetcher.open(f"{named}/404", 1, {})
    assert "pass" not in str(failed.value)
    assert asked[0][1]["Authorization"] == "Basic bWU6cGFzc0B3b3Jk"


def test_a_file_without_end_is_let_go(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hls_fetch, "MAX_FILE", 1000)
    with serving() as (url, _), pytest.raises(FetchFailed, match="a file is too large"):
        fetched(fetcher, f"{url}/segment.ts")


def test_addresses_that_are_absolute_stay() -> None:
    assert absolute("#EXTM3U\nhttps://b/c.ts\n/d.ts\n\n", "http://a/x/y.m3u8").split() == [
        "#EXTM3U", "https://b/c.ts", "http://a/d.ts",
    ]  # fmt: skip
