"""A video that is watched while better renditions of it are made, in Chromium: the picture goes on, and gets better."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.harness import media
from tests.harness.server import Server
from tests.harness.uploads import send_source
from tests.player.origin import Origin, growing
from tests.player.pages import PlayerPage, eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LOW, HIGH = "r0.m3u8", "r1.m3u8"
MANIFEST = "/media/vod/manifest.m3u8"
UNPLAYABLE = ("-c:v", "mpeg4", "-q:v", "5", "-c:a", "libmp3lame")

# Notes how it began to play, and what a viewer would see of a change.
WATCH = """
window.seen = { back: [], waits: 0, restarts: 0, last: 0, first: null };
for (const type of ['playing', 'timeupdate', 'waiting', 'emptied']) {
    document.addEventListener(type, ({ target: v }) => {
        if (type === 'playing') seen.first ??= {
            height: v.videoHeight, levels: v.videoRenditions.length, duration: v.duration,
        };
        if (!seen.first) return;
        if (type === 'waiting') seen.waits += 1;
        if (type === 'emptied') seen.restarts += 1;
        if (v.currentTime < seen.last) seen.back.push([seen.last, v.currentTime]);
        seen.last = v.currentTime;
    }, { capture: true });
}
"""


async def test_goes_on_in_a_better_rendition(origin: Origin, player: PlayerPage) -> None:
    origin.script(MANIFEST, growing(LOW), growing(LOW))
    await player.page.add_init_script(WATCH)
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.moving()
    assert await player.video("videoHeight") == 180
    await player.until("v.videoRenditions.length === 2")
    await player.until("v.videoHeight === 360", 20)

    seen = await player.page.evaluate("window.seen")
    await player.page.evaluate("document.querySelector('video').currentTime = 18")
    await player.until("v.ended", 30)
    assert (seen["back"], seen["restarts"], seen["waits"]) == ([], 0, 0), seen
    assert await player.state("errors") == []
    await player.quiet()


async def test_a_wish_is_met_once_it_can_be(origin: Origin, player: PlayerPage) -> None:
    origin.script(MANIFEST, growing(HIGH))
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted&quality=180")
    await player.moving()
    assert await player.video("videoHeight") == 360

    await player.until("v.videoHeight === 180", 20)
    await player.quiet()


async def test_a_viewer_who_seeks_while_it_changes(origin: Origin, player: PlayerPage) -> None:
    origin.script(MANIFEST, growing(LOW))
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.moving()
    await player.page.evaluate(
        "new Promise((done) => { const v = document.querySelector('video'); const look = setInterval(() => {"
        " if (v.videoRenditions.length === 2) { clearInterval(look); v.currentTime = 16; done(); } }, 5); })"
    )
    await player.until("v.currentTime > 16.5 && !v.seeking")
    await player.page.evaluate("document.querySelector('video').currentTime = 1")
    await player.until("v.currentTime > 1.5 && v.currentTime < 10 && !v.seeking")

    assert await player.state("errors") == []
    await player.quiet()


async def test_who_has_watched_it_sees_it_better_the_next_time(origin: Origin, player: PlayerPage) -> None:
    origin.script(MANIFEST, *[growing(LOW)] * 8)
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.moving()
    await player.page.evaluate("document.querySelector('video').currentTime = 19.5")
    await player.until("v.ended")
    await player.until("v.videoRenditions.length === 2", 60)
    await player.page.evaluate("{ const v = document.querySelector('video'); v.currentTime = 2; v.play(); }")
    await player.until("v.videoHeight === 360 && v.currentTime > 2.5", 30)
    await player.quiet()


async def test_a_browser_that_plays_hls_itself_renews_at_a_break(origin: Origin, player: PlayerPage) -> None:
    await player.page.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource;")
    # what the page asks for, the browser, the page again; from then on the whole playlist
    origin.script(MANIFEST, growing(LOW), growing(LOW), growing(LOW))
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.moving()
    assert await player.video("videoHeight") == 180
    await eventually(lambda: origin.requests.count(MANIFEST) == 4)
    await player.until("v.currentTime > arg + 0.5", argument=await player.video("currentTime"))
    await player.press("k")
    await eventually(lambda: origin.requests.count(MANIFEST) == 5)
    await player.until("v.readyState >= 2 && v.currentTime > 2 && v.paused")
    await player.press("k")
    await player.moving()


@pytest.fixture(scope="module")
def encoding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"SLUICE_VOD__RENDITIONS": "ladder", "SLUICE_VOD__CHUNK_S": "4"}
    running = Server(tmp_path_factory.mktemp("growing") / "data", environment).start()
    yield running
    running.stop()


@pytest.mark.server
async def test_an_upload_that_is_encoded_meanwhile(encoding: Server, player: PlayerPage) -> None:
    source = await asyncio.to_thread(media.clip, 10, size="1280x720", extension="avi", extra=UNPLAYABLE)
    id = encoding.api("POST", "/videos", {"title": "Film"})["videoId"]
    await player.page.add_init_script(WATCH)
    await player.open(f"{encoding.http}/embed/{id}?autoplay&muted")
    await player.notice("The video is being prepared")
    await asyncio.to_thread(send_source, encoding, id, source)
    await player.until("seen.first", 60)
    first = await player.page.evaluate("seen.first")
    assert (first["height"], first["levels"]) == (240, 0), first
    assert first["duration"] < 11

    await player.until("v.videoRenditions.length === 4", 120)
    await player.until("v.videoHeight > 240 || v.ended", 60)
    seen = await player.page.evaluate("window.seen")
    assert (seen["back"], seen["restarts"]) == ([], 0), seen
    await player.page.evaluate("{ const v = document.querySelector('video'); v.currentTime = 2; v.play(); }")
    await player.until("v.videoHeight > 240 && v.currentTime > 2.5", 30)
    await player.until("Math.abs(v.duration - 10) < 0.2", 60)
    await player.quiet()
