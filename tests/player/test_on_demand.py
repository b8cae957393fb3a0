"""A video whose smaller rendition is made while it is watched, from a real server, in Chromium."""

from collections.abc import Iterator

import pytest

from tests.harness import media
from tests.harness.server import Server
from tests.harness.uploads import ended, post_source
from tests.player.pages import PlayerPage

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"SLUICE_VOD__RENDITIONS": "on-demand", "SLUICE_VOD__LADDER": "[120]"}
    running = Server(tmp_path_factory.mktemp("made") / "data", environment).start()
    yield running
    running.stop()


async def test_a_seek_into_what_nobody_has_made(server: Server, player: PlayerPage) -> None:
    video = ended(server, post_source(server, media.clip(40, b_frames=2))["videoId"], 60)
    await player.open(f"{server.http}/embed/{video['videoId']}?autoplay&muted&quality=120&t=20")
    await player.until("v.currentTime > 20 && v.videoHeight === 120")
    await player.page.evaluate("document.querySelector('video').currentTime = 35")
    await player.until("v.currentTime > 35.2 && !v.seeking")
    await player.page.evaluate("document.querySelector('video').currentTime = 5")
    await player.until("v.currentTime > 5.2 && v.currentTime < 15 && !v.seeking")

    assert await player.video("videoHeight") == 120
    assert set(await player.state("errors")) <= {"aborted"}, "a seek ends the loading of what is no longer wanted"
