"""A video in the player page, in Chromium."""

import pytest

from tests.player.origin import Origin, not_ready, picture, problem
from tests.player.pages import PlayerPage, chromium

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_shows_the_first_picture_and_waits_for_the_viewer(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod(title="Harbour at dawn"))
    await player.until("v.readyState >= 2")

    assert await player.page.title() == "Harbour at dawn"
    assert await player.video("paused")
    assert await player.shown("#start")

    await player.page.locator("#start").click()
    await player.moving()

    assert not await player.shown("#start")
    assert await player.state("stalls") == 0
    assert await player.state("errors") == []
    await player.quiet()


async def test_the_manifest_is_fetched_once(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.moving()

    assert origin.requests.count("/media/vod/manifest.m3u8") == 1


async def test_wishes_in_the_address(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted&loop&t=12&controls=0&quality=180")
    await player.moving()

    assert await player.video("currentTime") > 12
    assert await player.video("muted")
    assert await player.video("loop")
    assert await player.video("videoHeight") == 180
    assert not await player.shown("#bar")
    await player.quiet()


async def test_wishes_in_the_fragment(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod() + "#autoplay;muted;t=8;hide-controls")
    await player.moving()

    assert await player.video("currentTime") > 8
    assert not await player.shown("#bar")


async def test_seeks_on_the_bar(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.moving()
    box = await player.page.locator("#seek-range").bounding_box()
    assert box
    await player.page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    await player.until("v.currentTime > 14.5 && v.currentTime < 17 && !v.seeking")
    await player.moving()

    await player.quiet()


async def test_shortcuts_work_without_a_click_into_the_page(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.moving()
    for key, effect in [
        ("k", "v.paused"),  # and stays so through the seeks: a slow machine must not play past where they lead
        ("m", "!v.muted"),
        ("ArrowRight", "v.currentTime > 10"),
        ("ArrowLeft", "v.currentTime < 9"),
        ("l", "v.currentTime > 10"),
        ("j", "v.currentTime < 9"),
        (">", "v.playbackRate === 1.25"),
        ("<", "v.playbackRate < 1.25"),
        ("Space", "!v.paused"),
        ("f", "document.fullscreenElement !== null"),
    ]:
        assert not await player.holds(effect), key
        await player.press(key)
        await player.until(effect)


async def test_quick_steps_add_up(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.moving()
    await player.press("k")
    await player.until("v.paused")
    await player.page.evaluate("document.querySelector('video').currentTime = 20")
    await player.until("!v.seeking && v.readyState >= 2")
    await player.page.evaluate(
        "['ArrowLeft', 'ArrowLeft'].forEach((key) => ['keydown', 'keyup'].forEach((type) =>"
        " document.body.dispatchEvent(new KeyboardEvent(type, { key, bubbles: true }))))"
    )
    await player.until("v.currentTime < 5")


async def test_every_control_is_reached_by_tab_and_has_a_name(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod(manifest="/media/vod/captioned.m3u8"))
    await player.until("v.readyState >= 2")
    names: list[str] = []
    for _ in range(12):
        await player.press("Tab")
        names.append(
            await player.page.evaluate(
                "(() => { let e = document.activeElement; const n = e.localName;"
                " while (e.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;"
                " return e === document.body ? '' : `${n}: ${e.getAttribute('aria-label') ?? ''}` })()"
            )
        )

    named = dict(name.split(": ", 1) for name in names if name and not name.startswith("media-controller"))
    assert {
        "media-play-button", "media-time-range", "media-mute-button", "media-volume-range",
        "media-captions-menu-button", "media-settings-menu-button", "media-pip-button", "media-fullscreen-button",
    } <= set(named)  # fmt: skip
    assert all(named.values()), named


async def test_quality_is_chosen_from_the_menu(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.moving()
    await player.page.locator("#settings-button").click()
    await player.page.locator("#quality-item").click()
    items = player.page.locator("#quality media-chrome-menu-item")
    await items.first.wait_for()

    assert [(await item.inner_text()).split(" (")[0] for item in await items.all()] == ["360p", "180p", "Auto"]

    await items.get_by_text("180p", exact=True).click()
    await player.until("v.videoHeight === 180")
    await player.quiet()


async def test_the_menu_stays_open_while_the_level_changes(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted&quality=180")
    await player.moving()
    await player.page.locator("#settings-button").click()
    await player.page.locator("#quality-item").click()
    await player.page.locator("#quality media-chrome-menu-item").first.wait_for()
    await player.page.evaluate("document.querySelector('video').videoRenditions.onchoose(1)")
    await player.until("v.videoHeight === 360")

    assert await player.shown("#quality media-chrome-menu-item")
    await player.press("Escape")  # to the list of settings
    await player.press("Escape")
    await player.until("document.getElementById('settings').hidden")
    await player.until("document.getElementById('quality').getAttribute('mediaheight') === '360'")


async def test_speed_is_chosen_from_the_menu(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.moving()
    await player.page.locator("#settings-button").click()
    await player.page.locator("#speed-item").click()
    await player.page.locator("#speed media-chrome-menu-item").filter(has_text="1.5").click()

    await player.until("v.playbackRate === 1.5")


async def test_captions_are_offered_only_where_there_are_tracks(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod())
    await player.until("v.readyState >= 2")
    assert not await player.shown("media-captions-menu-button")

    await player.open(origin.url + origin.add_vod("vi2", manifest="/media/vod/captioned.m3u8") + "?autoplay&muted")
    await player.moving()
    assert await player.shown("media-captions-menu-button")

    await player.page.locator("media-captions-menu-button").click()
    await player.page.locator("media-captions-menu media-chrome-menu-item").filter(has_text="English").click()
    await player.until("v.textTracks[0].mode === 'showing' && v.textTracks[0].activeCues?.length > 0")
    await player.quiet()


async def test_waits_for_a_video_that_is_being_prepared(origin: Origin, player: PlayerPage) -> None:
    origin.script("/media/vod/manifest.m3u8", not_ready(0.5), not_ready(0.5))
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.notice("The video is being prepared")
    await player.moving()

    assert not await player.shown("#notice")
    await player.quiet()


@pytest.mark.parametrize(
    ("status", "code", "title"),
    [
        (403, "playback-token-expired", "This link has expired"),
        (403, "playback-token-missing", "This video is private"),
        (404, "resource-not-found", "Nothing to watch here"),
    ],
)
async def test_says_what_is_wrong_with_the_manifest(
    origin: Origin, player: PlayerPage, status: int, code: str, title: str
) -> None:
    origin.script("/media/vod/manifest.m3u8", problem(status, code))
    await player.open(origin.url + origin.add_vod())
    await player.notice(title)

    assert (await player.words())[1] != ""
    assert not await player.shown("#notice-retry")
    assert not await player.shown("#bar")
    await player.quiet(f"status of {status}")


async def test_says_what_is_wrong_with_the_page_itself(origin: Origin, player: PlayerPage) -> None:
    what = {"code": "playback-token-invalid", "title": "The playback token is not valid.", "detail": None}
    await player.open(origin.url + origin.add("no", {"problem": what}))
    await player.notice("This link does not work")

    assert not await player.shown("#controller")
    await player.quiet()


async def test_goes_on_by_itself_when_the_server_is_back(origin: Origin, player: PlayerPage) -> None:
    origin.script("/media/vod/manifest.m3u8", problem(503, "unavailable"), problem(500, "internal-error"))
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.notice("The server can’t be reached")
    await player.moving()

    await player.quiet("status of 50")


async def test_a_retry_by_the_viewer(origin: Origin, player: PlayerPage) -> None:
    origin.script("/media/vod/manifest.m3u8", problem(400, "too-many-requests"))
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted")
    await player.notice("Too many viewers right now")
    await player.page.locator("#notice-retry").click()
    await player.moving()


async def test_shows_the_poster_once_there_is_one(origin: Origin, player: PlayerPage) -> None:
    origin.script("/media/vod/manifest.m3u8", not_ready(1))
    origin.script("/poster.jpg", picture)
    await player.open(origin.url + origin.add_vod(poster="/poster.jpg"))
    await player.notice("The video is being prepared")
    await player.until("!document.getElementById('poster').hidden")

    await player.open(origin.url + origin.add_vod("vi2", poster="/media/vod/manifest.m3u8"))
    await player.until("v.readyState >= 2")
    assert not await player.shown("#poster"), "a picture that is none is never seen"
    await player.quiet()


async def test_plays_without_its_sound_where_the_browser_forbids_it(origin: Origin) -> None:
    async with chromium(args=["--autoplay-policy=document-user-activation-required"]) as browser:
        player = PlayerPage(await browser.new_page())
        await player.open(origin.url + origin.add_vod() + "?autoplay")
        await player.moving()
        assert await player.video("muted")

        await player.page.locator("#unmute").click()
        await player.until("!v.muted && !v.paused")
        assert not await player.shown("#unmute")
        await player.quiet()


async def test_a_browser_that_plays_hls_itself(origin: Origin, player: PlayerPage) -> None:
    await player.page.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource;")
    origin.script("/media/vod/manifest.m3u8", not_ready(0.5))
    await player.open(origin.url + origin.add_vod() + "?autoplay&muted&t=6")
    await player.notice("The video is being prepared")
    await player.moving()

    assert (await player.video("currentSrc")).endswith("/media/vod/manifest.m3u8")
    assert await player.video("currentTime") > 6
    assert not await player.shown("#quality-item")
    await player.quiet()


async def test_embedded_in_another_page(origin: Origin, player: PlayerPage) -> None:
    address = origin.url + origin.add_vod() + "?autoplay&muted"
    await player.page.set_content(f'<iframe src="{address}" width=640 height=360></iframe>')
    inner = player.page.frame_locator("iframe").locator("#controller[mediahasplayed]")
    await inner.wait_for(timeout=15000)

    assert player.console == []


async def test_words_from_outside_are_never_markup(origin: Origin, player: PlayerPage) -> None:
    await player.open(origin.url + origin.add_vod(title="</script><img src=x onerror=alert(1)>&amp;"))
    await player.until("v.readyState >= 2")

    assert await player.page.locator("#title").inner_text() == "</script><img src=x onerror=alert(1)>&amp;"
    await player.quiet()
