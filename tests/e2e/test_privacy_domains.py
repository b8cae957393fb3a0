"""A video that is for pages of named domains, in frames of such pages and of others, in a real Chromium."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Frame

from tests.harness import media
from tests.harness.server import Server
from tests.harness.uploads import ended, post_source
from tests.player.pages import chromium

pytestmark = [pytest.mark.server, pytest.mark.browser]

SHOWN = "() => { const v = document.querySelector('video'); return Boolean(v?.videoWidth) && v.readyState >= 2 }"
FAULT = "() => document.querySelector('#notice').getAttribute('role') === 'alert'"
REFUSED = "() => document.querySelector('video').error"
PATIENCE_MS = 60_000
FRAME = '<iframe src="{url}" allow="autoplay"></iframe>'
SANDBOXED = '<iframe src="{url}" allow="autoplay" sandbox="allow-scripts"></iframe>'
SANDBOXED_AS_ITSELF = '<iframe src="{url}" allow="autoplay" sandbox="allow-scripts allow-same-origin"></iframe>'
SILENT_FRAME = '<iframe src="{url}" allow="autoplay" referrerpolicy="no-referrer"></iframe>'
SILENT_FILM = '<meta name="referrer" content="no-referrer"><video src="{url}" autoplay muted></video>'
RULES = "--host-resolver-rules=MAP *.example 127.0.0.1"


@asynccontextmanager
async def page_around(url: str, form: str = FRAME) -> AsyncIterator[int]:
    """A page with the URL in it, under any host; the port. Of this machine: others may not show it."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=form.format(url=url), content_type="text/html")

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


def restricted(server: Server) -> tuple[str, str]:
    """A video's id, and where its player is."""
    video = ended(server, post_source(server, media.clip(4))["videoId"])
    body = {"privacy_type": "custom", "privacy_domains": ["*.shop.example"]}
    found = server.api("PATCH", f"/v1/videos/{video['videoId']}", body)["data"]
    return video["videoId"], found["embed_link"].partition("?")[0]


async def test_frames_of_named_domains_play(server: Server) -> None:
    _, link = restricted(server)
    async with page_around(link) as port, chromium(args=[RULES]) as browser:
        status, frame = await framed(browser, f"http://www.shop.example:{port}/films", link)
        assert status == 200
        await frame.wait_for_function(SHOWN, timeout=PATIENCE_MS)

        status, frame = await framed(browser, f"http://shop.example:{port}/films", link)
        assert status == 403
        assert not await frame.evaluate(SHOWN)


async def test_a_sandboxed_frame_of_a_named_domain_plays_if_it_is_left_its_origin(server: Server) -> None:
    """Without one it asks as a page that keeps its name to itself."""
    _, link = restricted(server)
    async with chromium(args=[RULES]) as browser:
        for form, plays in ((SANDBOXED_AS_ITSELF, True), (SANDBOXED, False)):
            async with page_around(link, form) as port:
                status, frame = await framed(browser, f"http://www.shop.example:{port}/films", link)
                assert status == 200
                await frame.wait_for_function(SHOWN if plays else FAULT, timeout=PATIENCE_MS)


async def test_what_a_named_page_is_given_plays_in_no_page_that_keeps_its_name(server: Server) -> None:
    """Whoever says that he is a named page gets a session; his own page's viewers are not there."""
    id, link = restricted(server)
    said = server.get(urlsplit(link).path, headers={"Referer": "https://www.shop.example/films"})
    token = re.search(r"/token/([^/]+)/", said.text)
    assert token
    root = f"{server.http}/vod/{id}/token/{token[1]}"
    url = f"{link}?token={token[1]}"
    async with chromium(args=[RULES]) as browser:
        async with page_around(url, SILENT_FRAME) as port:
            status, frame = await framed(browser, f"http://www.evil.example:{port}/films", url)
            assert status == 403
            assert not await frame.evaluate(SHOWN)
        for tail in ("mp4/source.mp4", "hls/manifest.m3u8"):
            async with page_around(f"{root}/{tail}", SILENT_FILM) as port:
                page = await browser.new_page()
                await page.goto(f"http://www.evil.example:{port}/films")
                await page.wait_for_function(REFUSED, timeout=PATIENCE_MS)
