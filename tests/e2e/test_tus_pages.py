"""tus-js-client and Uppy, as they are published, in a real Chromium: on a page of another origin, over connections that
break."""

import base64
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page

from tests.harness.breaking import Breaking
from tests.harness.server import OWNER_KEY, Server, until
from tests.player.pages import chromium

CLIENTS = Path(__file__).parents[1] / "clients"
TUS_JS = CLIENTS / "node_modules/tus-js-client/dist/tus.min.js"
MIB = 1 << 20
SIZE = 13 * MIB + 5
KEY = {"Authorization": "Basic " + base64.b64encode(f"{OWNER_KEY}:".encode()).decode()}

pytestmark = [pytest.mark.server, pytest.mark.browser]


@cache
def sent() -> bytes:
    """Bytes that no two places have in common, the same here and there."""
    return b"".join((at * 2654435761 % (1 << 32)).to_bytes(4, "little") for at in range(SIZE // 4 + 1))[:SIZE]


MAKE = """const file = (size) => {
  const words = Uint32Array.from({ length: Math.floor(size / 4) + 1 }, (_, at) => Math.imul(at, 2654435761))
  return new File([new Uint8Array(words.buffer, 0, size)], 'from-a-page.mp4', { type: 'video/mp4' })
}
"""

TUS = "async ({ endpoint, headers, size, stopAfter }) => {" + MAKE + """
  const told = file(size), kept = new Map()
  const urlStorage = {
    addUpload: async (fingerprint, upload) => { kept.set('one', { ...upload, urlStorageKey: 'one' }); return 'one' },
    removeUpload: async (key) => { kept.delete(key) },
    findUploadsByFingerprint: async () => [...kept.values()],
    findAllUploads: async () => [...kept.values()],
  }
  let tries = 0
  const run = (previous, stopAfter) => new Promise((resolve, reject) => {
    const upload = new tus.Upload(told, {
      endpoint, headers, urlStorage, chunkSize: 1 << 20, parallelUploads: 4, retryDelays: [50, 100, 500, 1000, 2000],
      metadata: { filename: told.name },
      onShouldRetry: () => { tries += 1; return true },
      onError: reject,
      onSuccess: () => resolve({ ended: true }),
      onProgress: (sent) => { if (sent >= stopAfter) upload.abort().then(() => resolve({ ended: false })) },
    })
    if (previous) upload.resumeFromPreviousUpload(previous)
    upload.start()
  })
  const first = await run(null, stopAfter)
  const [previous] = kept.values()
  const second = first.ended ? first : await run(previous, Infinity)
  return { parts: previous.parallelUploadUrls, resumed: !first.ended, ...second, tries }
}"""

UPPY = "async ({ endpoint, headers, size, options }) => {" + MAKE + """
  const uppy = new Uppy({ autoProceed: false }).use(Tus, {
    endpoint, headers, chunkSize: 1 << 20, retryDelays: [50, 100, 500, 1000, 2000], ...options,
  })
  const told = file(size), id = uppy.addFile({ name: told.name, type: told.type, data: told, meta: { title: 'Film' } })
  let paused = false
  uppy.on('upload-progress', (_, progress) => {
    if (paused || progress.bytesUploaded < 4 << 20) return
    paused = true
    uppy.pauseResume(id)
    setTimeout(() => uppy.pauseResume(id), 200)
  })
  const { successful, failed } = await uppy.upload()
  return { paused, urls: successful.map((each) => each.uploadURL), failed: failed.map((each) => String(each.error)) }
}"""


@pytest.fixture(scope="module")
def uppy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Uppy and its tus plugin in one script."""
    folder = tmp_path_factory.mktemp("uppy")
    subprocess.run(["node", str(CLIENTS / "bundle.mjs"), "uppy_page.mjs", str(folder)], check=True, timeout=120)
    return folder / "bundle.js"


@asynccontextmanager
async def page_with(script: Path, server: Server) -> AsyncIterator[Page]:
    """By another name of the server: another origin than its address."""
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"http://localhost:{urlsplit(server.http).port}/healthz")
        await page.add_script_tag(path=script)
        yield page


def stored(server: Server) -> tuple[dict[str, Any], bytes]:
    """The newest video, and its file."""
    video: dict[str, Any] = server.api("GET", "/videos")["data"][0]
    path = server.data / "videos" / video["videoId"] / "source"
    until(path.exists)
    return video, path.read_bytes()


@pytest.mark.parametrize("stop_after", [5 * MIB, 2 * SIZE], ids=["resumed", "at-once"])
async def test_parallel_uploads_of_tus_js_client(server: Server, stop_after: int) -> None:
    async with page_with(TUS_JS, server) as page:
        wish = {"endpoint": f"{server.http}/tus", "headers": KEY, "size": SIZE, "stopAfter": stop_after}
        done = await page.evaluate(TUS, wish)
    video, file = stored(server)

    assert (done["ended"], done["resumed"], len(done["parts"])) == (True, stop_after < SIZE, 4)
    assert video["title"] == "from-a-page.mp4"
    assert file == sent()


async def test_parallel_uploads_over_connections_that_break(server: Server) -> None:
    network = Breaking(server, 6, MIB // 2)
    async with network.running() as address, page_with(TUS_JS, server) as page:
        wish = {"endpoint": f"{address}/tus", "headers": KEY, "size": SIZE, "stopAfter": 2 * SIZE}
        done = await page.evaluate(TUS, wish)

    assert network.left == 0
    assert done["tries"] > 0
    assert stored(server)[1] == sent()


@pytest.mark.parametrize("options", [{}, {"parallelUploads": 4}], ids=["one", "parallel"])
async def test_uppy_pauses_and_goes_on_over_connections_that_break(
    server: Server, uppy: Path, options: dict[str, Any]
) -> None:
    network = Breaking(server, 2, MIB // 2)
    async with network.running() as address, page_with(uppy, server) as page:
        wish = {"endpoint": f"{address}/tus", "headers": KEY, "size": SIZE, "options": options}
        done = await page.evaluate(UPPY, wish)
    video, file = stored(server)

    assert (done["failed"], len(done["urls"]), network.left) == ([], 1, 0)
    assert done["paused"]
    assert video["title"] == "Film"
    assert file == sent()
