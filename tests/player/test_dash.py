"""DASH in Shaka Player, in Chromium, from a real server: live behind by seconds, its recording, an upload."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Server, until

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SHAKA = Path(__file__).parents[1] / "clients/node_modules/shaka-player/dist/shaka-player.compiled.js"
OPEN = """async ([url, lowLatency]) => {
    shaka.polyfill.installAll();
    window.errors = [];
    window.v = document.querySelector('video');
    window.player = new shaka.Player();
    await player.attach(v);
    player.addEventListener('error', (event) => errors.push(`${event.detail.code}: ${event.detail.data}`));
    player.configure('streaming.lowLatencyMode', lowLatency);
    await player.load(url);
    v.muted = true;
    await v.play();
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, server: Server) -> AsyncIterator[Page]:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{server.http}/openapi.json")  # any page of the server's origin
    await page.set_content("<video></video>")
    await page.add_script_tag(path=SHAKA)
    yield page
    await context.close()


async def play(page: Page, url: str, *, low_latency: bool = False) -> None:
    await page.evaluate(OPEN, [url, low_latency])
    await page.wait_for_function("v.currentTime > 0 && !v.paused && v.readyState >= 3", timeout=15_000)


async def stats(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = await page.evaluate(
        "() => ({ ...player.getStats(), live: player.isLive(), errors, now: v.currentTime, duration: v.duration })"
    )
    return found


async def test_live_and_its_recording(server: Server, page: Page) -> None:
    live = server.live_stream(name="DASH", latencyMode="low")
    manifest = f"{server.http}/live/{live['liveStreamId']}.mpd"
    with publishing(media.clip(10), server.ingest_url(live)):
        await asyncio.to_thread(until, lambda: server.get(manifest).status == 200)
        await play(page, manifest, low_latency=True)
        await asyncio.sleep(6)
        seen = await stats(page)
        assert seen["errors"] == []
        assert seen["live"] is True
        assert seen["liveLatency"] < 4
        assert seen["width"] == 320
        assert seen["playTime"] > 4
    server.call("PUT", f"/live-streams/{live['liveStreamId']}/complete")
    listed = f"/videos?liveStreamId={live['liveStreamId']}"
    recording = (await asyncio.to_thread(until, lambda: server.api("GET", listed)["data"]))[0]

    await page.evaluate("player.destroy()")
    await play(page, recording["assets"]["dash"])
    seen = await stats(page)
    assert seen["live"] is False
    assert abs(seen["duration"] - recording["duration"]) < 0.1
    await page.evaluate(f"v.currentTime = {recording['duration'] - 1}")
    await page.wait_for_function("v.ended", timeout=15_000)
    assert (await stats(page))["errors"] == []


async def test_an_upload(server: Server, page: Page) -> None:
    video = server.api("POST", "/videos", {"title": "Film"})
    upload = media.clip(13).read_bytes()
    boundary = b"----form"
    body = b"\r\n".join(
        [b"--" + boundary, b'Content-Disposition: form-data; name="file"; filename="film.mp4"', b"", upload,
         b"--" + boundary + b"--", b""]
    )  # fmt: skip
    headers = {"Content-Type": "multipart/form-data; boundary=" + boundary.decode()}
    assert server.call("POST", f"/videos/{video['videoId']}/source", body, headers=headers).status == 201
    assert await asyncio.to_thread(until, lambda: server.get(video["assets"]["dash"]).status == 200)

    started = time.monotonic()
    await play(page, video["assets"]["dash"])
    assert time.monotonic() - started < 10
    await page.evaluate("v.currentTime = 9.5")
    await page.wait_for_function("v.currentTime > 10 && !v.seeking", timeout=15_000)
    seen = await stats(page)
    assert seen["errors"] == []
    assert abs(seen["duration"] - 13) < 0.1
