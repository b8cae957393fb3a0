"""Somebody lets a program of others act for them, in a real browser, and the program gets its tokens with a library."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session

from tests.harness.server import OWNER_KEY, Server
from tests.player.pages import chromium

pytestmark = [pytest.mark.server, pytest.mark.browser]
BROKEN = "document.addEventListener('securitypolicyviolation', (e) => { window.broken = e.blockedURI; });"


@asynccontextmanager
async def program() -> AsyncIterator[tuple[str, asyncio.Future[str]]]:
    """(its redirect URI, where a browser came back)"""
    came_back: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def back(request: web.Request) -> web.Response:
        if not came_back.done():
            came_back.set_result(str(request.url))
        return web.Response(text="<title>Thank you</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/back", back)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/back", came_back
    finally:
        await runner.cleanup()


async def test_the_whole_way(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # the library's own guard
    verifier = generate_token(48)
    async with program() as (redirect_uri, came_back), chromium() as browser:
        wish = {"name": "Cutter", "redirectUris": [redirect_uri], "scopes": ["videos:read", "videos:write"]}
        made = await asyncio.to_thread(server.api, "POST", "/oauth/apps", wish)
        library = OAuth2Session(
            made["appId"], redirect_uri=redirect_uri, scope="videos:read videos:write", code_challenge_method="S256",
            token_endpoint_auth_method="none",
        )  # fmt: skip
        url, _ = library.create_authorization_url(f"{server.http}/oauth/authorize", code_verifier=verifier)
        page = await browser.new_page()
        await page.add_init_script(BROKEN)

        await page.goto(url)
        assert await page.locator("h1").inner_text() == "Cutter wants to act for you"
        await page.fill("#key", "a wrong key")
        await page.click("text=Allow")
        await page.wait_for_selector(".fault")
        await page.screenshot(path=tmp_path / "consent.png")
        assert await page.evaluate("window.broken") is None
        await page.fill("#key", OWNER_KEY)
        await page.click("text=Allow")
        await page.wait_for_function("document.title === 'Thank you'")
        assert OWNER_KEY not in page.url

        tokens: Any = await asyncio.to_thread(
            library.fetch_token, f"{server.http}/oauth/token", authorization_response=await came_back,
            code_verifier=verifier,
        )  # fmt: skip
        request = urllib.request.Request(
            f"{server.http}/videos", headers={"Authorization": f"Bearer {tokens['access_token']}"}
        )
        with await asyncio.to_thread(urllib.request.urlopen, request) as answer:
            seen = json.load(answer)["pagination"]
        assert seen == (await asyncio.to_thread(server.api, "GET", "/videos"))["pagination"]
        await taken_back(browser, server, tmp_path)
    grants = (await asyncio.to_thread(server.call, "GET", "/oauth/grants")).json()["data"]
    assert made["appId"] not in {grant["appId"] for grant in grants}
    assert OWNER_KEY not in server.log()


async def taken_back(browser: Any, server: Server, folder: Path) -> None:
    """On the page for that."""
    page = await browser.new_page(viewport={"width": 390, "height": 700})
    await page.add_init_script(BROKEN)
    await page.goto(f"{server.http}/oauth/allowed")
    await page.fill("#key", OWNER_KEY)
    await page.click("text=Show")
    assert await page.locator("h2").inner_text() == "Cutter"
    await page.screenshot(path=folder / "allowed.png")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.click("text=Take back")
    await page.wait_for_selector("[role=status]")
    assert await page.locator("[role=status]").inner_text() == "Cutter acts for you no more."
    assert await page.evaluate("window.broken") is None
