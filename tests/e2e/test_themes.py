"""A player made over REST, with a logo, as a viewer's browser shows it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.harness import media
from tests.harness.server import Server
from tests.harness.uploads import ended, post_source
from tests.player.pages import chromium

pytestmark = [pytest.mark.server, pytest.mark.browser]

LOOKS = """() => {
  const style = getComputedStyle(document.documentElement), logo = document.querySelector('#logo img');
  return {
    bar: style.getPropertyValue('--media-range-bar-color'), text: style.getPropertyValue('--text'),
    title: document.getElementById('title').hidden, loop: document.querySelector('video').loop,
    logo: logo?.complete ? logo.naturalWidth : 0, link: document.querySelector('#logo a')?.href,
  };
}"""
BROKEN = "document.addEventListener('securitypolicyviolation', (e) => { window.broken = e.blockedURI; });"


def themed(server: Server, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A player with a logo, and a video that is shown with it."""
    theme = {"trackPlayed": "rgb(255, 90, 90)", "text": "no colour", "hideTitle": True, "forceLoop": True}
    player = server.api("POST", "/players", theme)
    picture = folder / "logo.png"
    media.ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x32", "-frames:v", "1", "-update", "1", picture)
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="logo.png"\r\n\r\n'
    link = b'\r\n--x\r\nContent-Disposition: form-data; name="link"\r\n\r\nhttps://example.com/\r\n--x--\r\n'
    answer = server.call(
        "POST", f"/players/{player['playerId']}/logo", head + picture.read_bytes() + link,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )  # fmt: skip
    assert answer.status == 201, answer.text
    video = ended(server, post_source(server, media.clip(5))["videoId"])
    server.api("PATCH", f"/videos/{video['videoId']}", {"playerId": player["playerId"]})
    return answer.json(), video


async def test_a_video_is_shown_with_its_player(server: Server, tmp_path: Path) -> None:
    player, video = await asyncio.to_thread(themed, server, tmp_path)
    assert player["assets"]["link"] == "https://example.com/"

    async with chromium() as browser:
        page = await browser.new_page()
        await page.add_init_script(BROKEN)
        await page.goto(video["assets"]["player"])
        await page.wait_for_function("document.querySelector('#logo img')?.naturalWidth > 0")
        looks = await page.evaluate(LOOKS)
        assert await page.evaluate("window.broken") is None

    assert looks["text"].strip() == "#f3f6f8"  # what is no colour changes nothing
    assert {**looks, "text": ""} == {
        "bar": "rgb(255, 90, 90)", "text": "", "title": True, "loop": True, "logo": 96, "link": "https://example.com/",
    }  # fmt: skip
