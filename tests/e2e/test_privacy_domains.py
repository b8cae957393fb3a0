"""A video that is for pages of named domains, in frames of such pages and of others, in a real Chromium."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Frame

from tests.harness import media
from tests.harness.server import Server
from tests.harness.uploads import ended, post_source
from tests.player.pages import chromium

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.timeout(180)]

SHOWN = "() => { const v = document.querySelector('video'); return Boolean(v?.videoWidth) && v.readyState >= 2 }"
PATIENCE_MS = 60_000


@asynccontextmanager
async def page_around(url: str) -> AsyncIterator[int]:
    """A page with a frame that shows the URL, under any host; the port. Of this machine: others may not show it."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=f'<iframe src="{url}" allow="autoplay"></iframe>', content_type="text/html")

    app = web.Application()
    app.router.add_get("/films", answer)
    async with TestServer(app) as served:
        assert served.port
        yield served.port


async def framed(browser: Browser, page_url: str, url: str) -> tuple[int, Frame]:
    """How the frame of the page was answered, and the frame."""
    page = await browser.new_page()
    async with page.expect_response(lambda response: response.url.startswith(url), timeout=PATIENCE_MS) as told:
        await page.goto(page_url)
    response = await told.value
    return response.status, response.frame


async def test_frames_of_named_domains_play(server: Server) -> None:
    video = ended(server, post_source(server, media.clip(4))["videoId"])
    body = {"privacy_type": "custom", "privacy_domains": ["*.shop.example"]}
    link = server.api("PATCH", f"/v1/videos/{video['videoId']}", body)["data"]["embed_link"].partition("?")[0]
    rules = "--host-resolver-rules=MAP *.example 127.0.0.1"
    async with page_around(link) as port, chromium(args=[rules]) as browser:
        status, frame = await framed(browser, f"http://www.shop.example:{port}/films", link)
        assert status == 200
        await frame.wait_for_function(SHOWN, timeout=PATIENCE_MS)

        status, frame = await framed(browser, f"http://shop.example:{port}/films", link)
        assert status == 403
        assert not await frame.evaluate(SHOWN)
