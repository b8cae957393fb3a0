"""The dialect's uploader for browsers, as it is published, in a real Chromium and over TLS, which it insists on."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.harness.certificates import make_certificate
from tests.harness.media import clip
from tests.harness.server import Server
from tests.player.pages import chromium

UPLOADER = Path(__file__).parents[1] / "clients/node_modules/@api.video/video-uploader/dist/index.js"
MIB = 1 << 20
FORM = "<input type=file id=chosen>"

UPLOAD = """async ([host, token]) => {
  const uploader = new VideoUploader({
    file: document.getElementById('chosen').files[0], uploadToken: token, apiHost: host, chunkSize: 5 * 1024 * 1024,
  });
  const shares = [];
  uploader.onProgress((e) => shares.push(e.uploadedBytes / e.totalBytes));
  const playable = new Promise((resolve) => uploader.onPlayable(resolve));
  const video = await uploader.upload();
  return {video, furthest: Math.max(...shares), playable: (await playable).videoId};
}"""
PROGRESSIVE = """async ([host, token]) => {
  const file = document.getElementById('chosen').files[0];
  const uploader = new ProgressiveUploader({uploadToken: token, apiHost: host});
  const step = 5 * 1024 * 1024;
  uploader.uploadPart(file.slice(0, step));
  uploader.uploadPart(file.slice(step, 2 * step));
  return {video: await uploader.uploadLastPart(file.slice(2 * step))};
}"""

pytestmark = [pytest.mark.server, pytest.mark.browser]


class Relay:
    """Ends TLS before a server, as a proxy does."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.target: int = free.getsockname()[1]  # of the server, which has to know the relay's before it starts

    @asynccontextmanager
    async def running(self, folder: Path) -> AsyncIterator[str]:
        """`host:port`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*make_certificate(folder))
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        async with server:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def page_of_another_origin(origin: str, file: Path) -> AsyncIterator[Page]:
    async with chromium() as browser:
        page = await browser.new_page(ignore_https_errors=True)
        await page.goto(f"{origin}/healthz")
        await page.set_content(FORM)
        await page.add_script_tag(path=UPLOADER)
        await page.set_input_files("#chosen", file)
        yield page


async def test_files_are_uploaded_from_a_page(tmp_path: Path, make_server: Callable[..., Server]) -> None:
    small, padding = clip(5).read_bytes(), os.urandom(11 * MIB)
    file = tmp_path / "film.mp4"
    file.write_bytes(small + (len(padding) + 8).to_bytes(4, "big") + b"free" + padding)
    relay = Relay()
    async with relay.running(tmp_path) as host:
        addresses = {"SLUICE_HTTP__PUBLIC_URL": f"https://{host}", "SLUICE_HTTP__PORT": str(relay.target)}
        server = await asyncio.to_thread(make_server, **addresses)
        own = f"http://127.0.0.1:{relay.target}"
        made = await asyncio.to_thread(server.call, "POST", f"{own}/upload-tokens", {"ttl": 600})
        token = made.json()["token"]
        async with page_of_another_origin(own, file) as page:
            whole = await page.evaluate(UPLOAD, [host, token])
            pieces = await page.evaluate(PROGRESSIVE, [host, token])

    assert whole["video"]["title"] == "film.mp4"
    assert whole["furthest"] >= 1  # it counts the form around the file too
    assert whole["playable"] == whole["video"]["videoId"]
    for told in (whole, pieces):
        stored = server.data / "videos" / told["video"]["videoId"] / "source"
        assert stored.read_bytes() == file.read_bytes()
