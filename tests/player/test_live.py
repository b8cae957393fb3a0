"""A plain live stream (no low latency) in the player page, in Chromium: waiting, DVR, interruption, end."""

import pytest

from tests.player.origin import Live, Origin
from tests.player.pages import PlayerPage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
WATCH = "?autoplay&muted"


async def test_waits_for_the_stream_and_shows_the_delay(origin: Origin, player: PlayerPage) -> None:
    page = origin.url + origin.add_live(title="Town hall") + WATCH
    await player.open(page)
    await player.notice("The stream is not on air")

    origin.live = Live()
    await player.moving()
    await player.until("document.getElementById('delay').innerText.endsWith(' s')")

    await player.until("p.following && p.latency > 2.5 && p.latency < 4.5")
    assert await player.shown("#live")
    assert not await player.shown("media-time-display")
    assert not await player.shown("#settings-button"), "one level, and no speed at the live edge"
    await player.quiet()


async def test_goes_back_in_time_and_returns(origin: Origin, player: PlayerPage) -> None:
    origin.live = Live(head_start=30)
    await player.open(origin.url + origin.add_live() + WATCH)
    await player.moving()
    box = await player.page.locator("#seek-range").bounding_box()
    assert box
    await player.page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    await player.until("p.following === false && p.latency > 15")
    await player.until("document.getElementById('delay').innerText.startsWith('−0:')")
    await player.moving()
    assert await player.state("following") is False
    assert await player.shown("#settings-button"), "the past may be watched faster"

    await player.page.locator("#live").click()
    await player.until("p.following && p.latency < 4.5 && !v.seeking")
    await player.moving()
    await player.quiet()


async def test_speed_keys_do_nothing_at_the_live_edge(origin: Origin, player: PlayerPage) -> None:
    origin.live = Live()
    await player.open(origin.url + origin.add_live() + WATCH)
    await player.moving()
    await player.until("Math.abs(p.latency - p.target) < 0.06 && v.playbackRate === 1")
    await player.press(">")
    await player.press("ArrowLeft")
    await player.until("p.following === false")
    await player.press(">")

    await player.until("v.playbackRate === 1.25")


async def test_an_interrupted_stream_says_so_and_goes_on(origin: Origin, player: PlayerPage) -> None:
    origin.live = Live()
    await player.open(origin.url + origin.add_live() + WATCH)
    await player.moving()
    origin.live.hold()
    await player.notice("The stream was interrupted", 30)
    origin.live.go_on()
    await player.until("p.phase === 'open'", 20)
    await player.moving(20)

    assert not await player.shown("#notice")


async def test_an_ended_stream_says_so_and_the_next_broadcast_starts_by_itself(
    origin: Origin, player: PlayerPage
) -> None:
    origin.live = Live()
    await player.open(origin.url + origin.add_live() + WATCH)
    await player.moving()
    origin.live.hold()
    origin.live.ended = True
    await player.notice("The live stream has ended", 30)
    origin.live = None
    asked = len(origin.requests)
    await player.page.wait_for_timeout(2500)
    assert len(origin.requests) > asked

    origin.live = Live("b2")
    await player.until("p.phase === 'open'", 20)
    await player.moving()
    assert any(path.startswith("/media/live/b2/") for path in origin.requests)
    await player.quiet()


async def test_a_stream_that_nobody_plays_is_not_fetched(origin: Origin, player: PlayerPage) -> None:
    origin.live = Live()
    await player.open(origin.url + origin.add_live())
    await player.until("p.phase === 'open'")
    await player.page.wait_for_timeout(500)
    assert [path for path in origin.requests if path.endswith("v.m3u8")] == []

    await player.page.locator("#start").click()
    await player.moving()
    assert await player.state("following")


async def test_a_browser_that_plays_hls_itself(origin: Origin, player: PlayerPage) -> None:
    """Chromium's own HLS tells no seekable range, so there is no more to see than that it plays."""
    await player.page.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource;")
    origin.live = Live(head_start=30)
    await player.open(origin.url + origin.add_live() + WATCH)
    await player.moving()

    assert await player.video("duration") == float("inf")
    await player.quiet()
