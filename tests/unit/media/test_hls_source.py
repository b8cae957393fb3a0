"""The child that fetches an HLS source: what it passes on, and what it says where it can't."""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from server.ingest.pull_hls import LIMITS, MODULE
from server.media.child import Children
from server.media.mpegts import Picture, TsInput
from tests.harness import media
from tests.harness.certificates import make_certificate

WAIT_S = 15.0


class Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A caller that goes away is what is tested."""


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def serving(folder: Path, certificate: tuple[Path, Path]) -> Iterator[str]:
    """A folder over HTTPS; its URL."""
    server = Quiet(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(1) as running:
        yield running


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A master playlist, and below it one of encrypted segments."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "key").write_bytes(os.urandom(16))
    (folder / "key.txt").write_text(f"key\n{folder / 'key'}\n")
    media.ffmpeg(
        "-i", media.clip(2, gop_s=1), "-c", "copy", "-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod",
        "-hls_key_info_file", folder / "key.txt", "-master_pl_name", "master.m3u8", folder / "media.m3u8",
    )  # fmt: skip
    return folder


async def fetched(children: Children, url: str, authority: Path | None) -> tuple[bytes, list[dict[str, Any]]]:
    """What comes out of the child, and what it says."""
    ours, theirs = socket.socketpair()
    said: list[dict[str, Any]] = []
    arguments = {
        "link": theirs.fileno(), "private": True, "cafile": str(authority) if authority else None, "capath": None,
    }  # fmt: skip
    with ours, theirs:
        ours.sendall(f"{url}\n".encode())
        child = asyncio.create_task(children.run(MODULE, arguments, [theirs.fileno()], LIMITS, WAIT_S, said.append))
        reading = asyncio.create_task(asyncio.to_thread(_all, ours))
        await child
        theirs.close()
        return await reading, said


def _all(link: socket.socket) -> bytes:
    found = b""
    while data := link.recv(1 << 16):
        found += data
    return found


async def test_encrypted_segments_from_a_trusted_host(children: Children, tmp_path: Path, source: Path) -> None:
    certificate = make_certificate(tmp_path)
    with serving(source, certificate) as url:
        data, said = await fetched(children, f"{url}/master.m3u8", certificate[0])
    media_in = TsInput()
    items = [*media_in.feed(data), *media_in.finish()]
    assert said == [{"event": "started"}]
    assert sum(isinstance(item, Picture) for item in items) >= 55


async def test_a_host_that_is_not_trusted(children: Children, tmp_path: Path, source: Path) -> None:
    with serving(source, make_certificate(tmp_path)) as url:
        data, said = await fetched(children, f"{url}/master.m3u8", None)
    assert data == b""
    assert said[1:] == [
        {"event": "problem", "detail": "the certificate of the host is not valid", "lasting": True}
    ]


async def test_segments_on_a_host_that_is_not_trusted(children: Children, tmp_path: Path, source: Path) -> None:
    trusted, other = tmp_path / "trusted", tmp_path / "other"
    trusted.mkdir()
    other.mkdir()
    certificate = make_certificate(trusted)
    with serving(source, certificate) as url, serving(source, make_certificate(other)) as elsewhere:
        playlist = source / "media.m3u8"
        playlist.write_text(playlist.read_text().replace("media0.ts", f"{elsewhere}/media0.ts"))
        data, said = await fetched(children, f"{url}/master.m3u8", certificate[0])
    assert data == b""
    assert said[1]["detail"] == "the certificate of the host is not valid"
