"""A video that is for pages of named domains, in frames of such pages and of others, in a real Chromium."""

from typing import Any

import pytest
from playwright.async_api import Page, Route

from tests.harness import media
from tests.harness.server import Server
from tests.harness.uploads import ended, post_source
from tests.player.pages import chromium

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.timeout(180)]

SHOWN = "() => { const v = document.querySelector('video'); return Boolean(v?.videoWidth) && v.readyState >= 2 }"
PATIENCE_MS = 60_000


async def framed(page: Page, host: str, url: str) -> Any:
    """The frame of a page of that host which shows the URL."""

    async def answer(route: Route) -> None:
        await route.fulfill(content_type="text/html", body=f'<iframe src="{url}" allow="autoplay"></iframe>')

    await page.route(f"http://{host}/**", answer)
    async with page.expect_response(lambda response: response.url.startswith(url)) as told:
        await page.goto(f"http://{host}/films")
    return (await told.value).status, page.frames[-1]


async def test_frames_of_named_domains_play(server: Server) -> None:
    video = ended(server, post_source(server, media.clip(4))["videoId"])
    body = {"privacy_type": "custom", "privacy_domains": ["*.shop.example"]}
    link = server.api("PATCH", f"/v1/videos/{video['videoId']}", body)["data"]["embed_link"].partition("?")[0]
    async with chromium() as browser:
        page = await browser.new_page()
        status, frame = await framed(page, "www.shop.example", link)
        await frame.wait_for_function(SHOWN, timeout=PATIENCE_MS)
        assert status == 200

        other = await browser.new_page()
        status, frame = await framed(other, "shop.example", link)
        assert status == 403
        assert not await frame.evaluate(SHOWN)
