"""Annotations of a video as a viewer's browser shows them: cards over the picture, and marks on the seek bar."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from server import ids
from tests.harness import media
from tests.harness.server import Server
from tests.harness.uploads import ended, post_source
from tests.player.pages import PlayerPage, chromium

pytestmark = [pytest.mark.server, pytest.mark.browser]

LINK = "https://shop.example/a?b=1"
HOSTILE = '<img src=x onerror="window.hurt = 1">'
CARDS = "[...document.querySelectorAll('.annotation')].map((card) => card.textContent.slice(0, -1))"
MARKS = "[...document.querySelectorAll('#marks i')].map((mark) => Math.round(parseFloat(mark.style.left)))"
PATIENCE_S = 60.0


def annotated(server: Server) -> str:
    """A private video of ten seconds with three annotations; the page to watch it on."""
    video = ended(server, post_source(server, media.clip(10), public=False)["videoId"])
    path = f"/v1/videos/{ids.to_uuid('vi', video['videoId'])}"
    poster = server.api("POST", f"{path}/posters", {"from_time": 4.0})["data"]["id"]
    for title, start_s, end_s, more in [
        ("The tea set, in our shop", 2, 6, {"type": "video", "annotation_poster_id": poster}),
        (HOSTILE, 3, 6, {}),
        ("At the end", 8, 9, {}),
    ]:
        body = {"title": title, "link": LINK, "start_time": start_s * 1000, "end_time": end_s * 1000, **more}
        server.api("POST", f"{path}/annotations", body)
    return str(server.api("GET", f"/videos/{video['videoId']}")["assets"]["player"])


async def seek(player: PlayerPage, seconds: float) -> None:
    await player.page.evaluate("(at) => { document.querySelector('video').currentTime = at; }", seconds)


async def cards(player: PlayerPage, *wanted: str) -> None:
    """Waits until they are the wanted ones."""
    await player.until(f"JSON.stringify({CARDS}) === JSON.stringify(arg)", PATIENCE_S, wanted)


async def test_annotations_in_the_player(server: Server, tmp_path: Path) -> None:
    url = await asyncio.to_thread(annotated, server)

    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 960, "height": 540})
        page.set_default_timeout(PATIENCE_S * 1000)
        player = PlayerPage(page)
        await player.open(url)
        await player.until(f"{MARKS}.join() === '20,30,80'", PATIENCE_S)
        await cards(player)
        await seek(player, 4)
        await cards(player, "The tea set, in our shop", HOSTILE)
        await player.until("document.querySelector('.annotation img').naturalWidth > 0", PATIENCE_S)
        await page.hover("#controller")
        await page.screenshot(path=tmp_path / "annotations.png")

        assert await reached(player) == [LINK, "Close"]
        link = page.locator(".annotation a").first
        assert await link.evaluate("(a) => [a.target, a.rel]") == ["_blank", "noopener noreferrer"]
        await page.locator(".annotation button").first.press("Enter")
        await cards(player, HOSTILE)
        await seek(player, 1)
        await cards(player)
        await seek(player, 8.5)
        await cards(player, "At the end")
        await seek(player, 4)  # what was closed stays so
        await cards(player, HOSTILE)
        assert not await player.holds("window.hurt")
        await player.quiet()


async def reached(player: PlayerPage) -> list[Any]:
    """What the Tab key comes to within the cards, from the first on."""
    found: list[Any] = []
    focus = "document.activeElement"
    for _ in range(20):
        await player.press("Tab")
        if await player.holds(f"{focus}.closest('.annotation')"):
            found.append(await player.page.evaluate(f"() => {focus}.href ?? {focus}.getAttribute('aria-label')"))
        if len(found) == 2:
            break
    return found
