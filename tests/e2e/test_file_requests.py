"""The page of a file request in a real Chromium: what is chosen there arrives, also where the connection breaks."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page

from tests.harness.breaking import Breaking
from tests.harness.media import clip
from tests.harness.server import Server, until
from tests.player.pages import PlayerPage, chromium

pytestmark = [pytest.mark.server, pytest.mark.browser]

PATIENCE_MS = 60_000


def asked(server: Server, **more: Any) -> dict[str, Any]:
    body = {"title": "Your videos & more", "description": "One\nTwo", **more}
    made: dict[str, Any] = server.api("POST", "/v1/file-requests", body)["data"]
    return made


def row_of(page: Page, name: str, state: str) -> Any:
    return page.locator(f'li[data-state="{state}"]', has_text=name)


async def test_what_is_chosen_arrives_though_the_connection_breaks(server: Server, tmp_path: Path) -> None:
    request, film = asked(server), clip(10)
    network = Breaking(server, times=3, after=64 << 10)
    async with network.running() as address, chromium() as browser:
        watched = PlayerPage(await browser.new_page())
        await watched.open(address + urlsplit(request["link"]).path)
        page = watched.page
        assert await page.locator("h1").inner_text() == "Your videos & more"
        (tmp_path / "notes.txt").write_text("no film")
        (tmp_path / "nothing.mp4").touch()

        await page.set_input_files("input", [film, tmp_path / "notes.txt", tmp_path / "nothing.mp4"])
        await row_of(page, film.name, "done").wait_for(timeout=PATIENCE_MS)
        await row_of(page, "notes.txt", "failed").wait_for(timeout=PATIENCE_MS)
        await row_of(page, "nothing.mp4", "failed").wait_for(timeout=PATIENCE_MS)
        words = await page.locator("li").all_inner_texts()
        assert await page.evaluate("window.policyBroken") == []

        await close(server, request)
        await page.set_input_files("input", film)
        await row_of(page, "takes no files any more", "failed").wait_for(timeout=PATIENCE_MS)
        assert (await page.goto(page.url)).status == 404  # type: ignore[union-attr]

    assert network.left == 0
    assert [text.partition(" ")[2] for text in words] == [
        "is uploaded.", "is no video and no sound.", "is empty.",
    ]  # fmt: skip
    video = server.api("GET", "/videos?title=" + film.stem)["data"][0]
    source = server.data / "videos" / video["videoId"] / "source"
    until(source.exists)
    assert source.read_bytes() == film.read_bytes()


async def close(server: Server, request: dict[str, Any]) -> None:
    path, body = f"/v1/file-requests/{request['id']}", {"archived": True}
    await asyncio.to_thread(server.api, "PUT", path, body)
