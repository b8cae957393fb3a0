"""A live stream's renditions in Chromium: switched between, down and up, without a stall."""

import pytest

from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Server
from tests.player.pages import PlayerPage

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CHOOSE = "height => { const list = document.querySelector('video').videoRenditions; \
list.selectedIndex = [...list].findIndex((level) => level.height === height); }"


async def test_switches_down_and_up_without_a_stall(server: Server, player: PlayerPage) -> None:
    live = server.live_stream(renditions=[{"height": 90}])
    with publishing(media.clip(30, gop_s=1), server.ingest_url(live)):
        await player.open(f"{server.http}/embed/{live['liveStreamId']}?autoplay&muted&quality=180")
        await player.moving(30)
        await player.until("v.videoHeight === 180")
        await player.until("Math.abs(p.latency - p.target) < 0.2", 20)
        stalls = await player.state("stalls")
        for height in (90, 180):
            await player.page.evaluate(CHOOSE, height)
            await player.until("v.videoHeight === arg", argument=height)
            await player.moving()

        assert await player.state("stalls") == stalls
        assert await player.state("errors") == []
        assert await player.state("latency") < 2
        await player.quiet()
