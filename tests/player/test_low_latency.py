"""The whole road in Chromium: an RTMP publisher, the server, its own page with its own headers."""

import base64
import json

import pytest

from tests.harness import media
from tests.harness.publisher import Publisher, publishing
from tests.harness.server import Server, until
from tests.player.pages import PlayerPage

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
WATCH = "?autoplay&muted"


def page_of(server: Server, live: dict[str, str], query: str = WATCH) -> str:
    return f"{server.http}/embed/{live['liveStreamId']}{query}"


async def test_waits_plays_at_the_target_and_shows_the_delay(server: Server, player: PlayerPage) -> None:
    live = server.live_stream(name="Town hall")
    await player.open(page_of(server, live))
    await player.notice("The stream is not on air")

    with publishing(media.clip(30), server.ingest_url(live)):
        await player.moving(30)
        await player.until("Math.abs(p.latency - p.target) < 0.15 && v.playbackRate === 1", 20)
        stalls = await player.state("stalls")
        await player.page.wait_for_timeout(4000)

        assert await player.page.title() == "Town hall"
        assert await player.state("target") == 1.0
        assert 0.8 < await player.state("latency") < 1.4
        assert 0.8 < await player.state("delay") < 1.6
        assert await player.state("stalls") == stalls
        assert (await player.page.locator("#delay").inner_text()).endswith(" s")
        await player.quiet()


async def test_goes_on_after_the_publisher_dropped_and_returned(server: Server, player: PlayerPage) -> None:
    live = server.live_stream()
    publisher = Publisher(media.clip(30), server.ingest_url(live))
    try:
        await player.open(page_of(server, live))
        await player.moving(30)
        publisher.kill()
        await player.notice("The stream was interrupted", 30)
        publisher = Publisher(media.clip(30), server.ingest_url(live))
        await player.until("p.phase === 'open'", 40)
        await player.moving(20)
        await player.until("p.latency < 2 && p.following", 20)
    finally:
        publisher.stop()


async def test_says_that_a_stream_ended_and_starts_the_next_one(server: Server, player: PlayerPage) -> None:
    live = server.live_stream(record=False)
    with publishing(media.clip(30), server.ingest_url(live)):
        await player.open(page_of(server, live))
        await player.moving(30)
    await player.notice("The live stream has ended", 30)

    with publishing(media.clip(30), server.ingest_url(live)):
        await player.until("p.phase === 'open'", 40)
        await player.moving(30)
        assert not await player.shown("#notice")


async def test_a_private_stream_needs_a_token(server: Server, player: PlayerPage) -> None:
    live = server.live_stream(public=False)
    await player.open(page_of(server, live))
    await player.notice("This video is private")
    await player.quiet("status of 403")

    with publishing(media.clip(30), server.ingest_url(live)):
        made = server.api("POST", f"/live-streams/{live['liveStreamId']}/tokens", {"ttl": 600})
        await player.open(page_of(server, live, f"{WATCH}&token={made['token']}"))
        await player.moving(30)

        head, body, _ = made["token"].split(".")
        forged = json.loads(base64.urlsafe_b64decode(body + "==")) | {"exp": 4102444800}
        tampered = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
        await player.open(page_of(server, live, f"?token={head}.{tampered}.AAAA"))
        await player.notice("This link does not work")


async def test_the_recording_plays_as_a_video(server: Server, player: PlayerPage) -> None:
    live = server.live_stream(name="Town hall")
    with publishing(media.clip(10), server.ingest_url(live), loop=False) as publisher:
        assert publisher.wait(30)[0] == 0
    listed = f"/videos?liveStreamId={live['liveStreamId']}"
    video = until(lambda: server.api("GET", listed)["data"])[0]
    await player.open(f"{server.http}/embed/{video['videoId']}{WATCH}&t=4")
    await player.moving()

    assert await player.video("currentTime") > 4
    assert 9 < await player.video("duration") < 11
    assert await player.state("errors") == []
    await player.press("ArrowLeft")
    await player.until("v.currentTime < 2 && !v.seeking")
    await player.moving()
    await player.quiet()


async def test_an_unknown_id_says_so(server: Server, player: PlayerPage) -> None:
    await player.open(f"{server.http}/embed/li4q4jU1m3h4hVyP8GvRjE0000{WATCH}")
    await player.notice("Nothing to watch here")
    await player.quiet("status of 404")
