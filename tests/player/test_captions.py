"""Captions and chapters of an upload: in our page, in Shaka Player and in ffmpeg, from a real server."""

import asyncio
import subprocess

import pytest

from tests.harness import media
from tests.harness.server import Server
from tests.harness.uploads import ended, post_source
from tests.player.pages import PlayerPage
from tests.player.test_dash import OPEN, SHAKA

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CAPTIONS = "WEBVTT\n\n00:00:00.500 --> 00:00:11.000\n{}\n"
CHAPTERS = "WEBVTT\n\n00:00.000 --> 00:04.000\nBeginning\n\n00:04.000 --> 00:12.000\nThe end &amp; more\n"
SHOWN = "[...v.textTracks].filter((t) => t.mode === 'showing').map((t) => `${t.language}: ${t.activeCues?.[0]?.text}`)"


def put(server: Server, path: str, text: str) -> None:
    body = (
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.vtt"\r\n\r\n' + text + "\r\n--x--\r\n"
    ).encode()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert server.call("POST", path, body, headers=headers).status == 200


def film(server: Server) -> str:
    id: str = post_source(server, media.clip(12))["videoId"]
    assert ended(server, id, 60)["state"] == "done"
    put(server, f"/videos/{id}/captions/de", CAPTIONS.format("Wasser"))
    put(server, f"/videos/{id}/captions/en", CAPTIONS.format("Water"))
    put(server, f"/videos/{id}/chapters/en", CHAPTERS)
    server.api("PATCH", f"/videos/{id}/captions/de", {"default": True})
    return id


async def test_are_shown_chosen_and_remembered(server: Server, player: PlayerPage) -> None:
    id = await asyncio.to_thread(film, server)
    await player.open(f"{server.http}/embed/{id}?autoplay&muted")
    await player.moving(30)
    await player.until(f"{SHOWN}.join() === 'de: Wasser'")
    await player.press("k")
    await player.page.locator("media-captions-menu-button").click()
    await player.page.locator("media-captions-menu media-chrome-menu-item").filter(has_text="English").click()
    await player.until(f"{SHOWN}.join() === 'en: Water'")
    await player.page.locator("#chapters-button").click()
    item = player.page.locator("#chapters media-chrome-menu-item").filter(has_text="The end & more")
    await item.focus()
    await player.press("Enter")
    await player.until("Math.abs(v.currentTime - 4) < 0.01")

    await player.open(f"{server.http}/embed/{id}?autoplay&muted")
    await player.moving(30)
    await player.until(f"{SHOWN}.join() === 'en: Water'")
    await player.quiet()


async def test_are_read_by_others(server: Server, player: PlayerPage) -> None:
    id = await asyncio.to_thread(film, server)
    read = await asyncio.to_thread(
        subprocess.run,
        ["ffmpeg", "-v", "error", "-strict", "experimental", "-i", f"{server.http}/vod/{id}/hls/manifest.m3u8",
         "-map", "0:s:0", "-f", "srt", "-"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "00:00:00,500 --> 00:00:11,000\nWasser" in read.stdout

    await player.page.goto(f"{server.http}/openapi.json")
    await player.page.set_content("<video muted></video>")
    await player.page.add_script_tag(path=SHAKA)
    await player.page.evaluate(OPEN, [f"/vod/{id}/dash/manifest.mpd", False])
    languages = await player.page.evaluate("player.getTextTracks().map((track) => track.language)")
    assert sorted(languages) == ["de", "en"]
    await player.page.evaluate("player.selectTextTrack(player.getTextTracks().find((t) => t.language === 'en'))")
    await player.page.wait_for_function("[...v.textTracks].some((t) => t.activeCues?.[0]?.text === 'Water')")
    assert await player.page.evaluate("errors") == []
