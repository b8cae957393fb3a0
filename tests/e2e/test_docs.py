"""/docs in a real browser: all operations, and no request to anybody else."""

from typing import Any

import pytest

from tests.harness.server import Server
from tests.player.pages import chromium

pytestmark = [pytest.mark.server, pytest.mark.browser]


async def test_it_shows_all_and_asks_nobody(server: Server, tmp_path: Any) -> None:
    document = server.get("/openapi.json").json()
    names = {one["operationId"] for methods in document["paths"].values() for one in methods.values()}
    asked: list[str] = []
    said: list[str] = []
    async with chromium() as browser:
        page = await browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        await page.goto(f"{server.http}/docs")
        shown = await page.eval_on_selector_all("details[id]", "all => all.map(each => each.id)")
        await page.screenshot(path=tmp_path / "closed.png")
        created = page.locator('[id="POST_videos"]')
        await created.locator("summary").click()
        line = await created.locator("pre").first.inner_text()
        await page.screenshot(path=tmp_path / "open.png")
        await page.locator("nav a", has_text="Live streams").first.click()
        assert page.url.endswith("#tag-live-streams")

    assert names <= set(shown)
    assert line.startswith("curl \\\n  -X POST")
    assert "/videos" in line
    assert [url for url in asked if not url.startswith(server.http)] == []
    assert said == [], "the page keeps to its own policy"
