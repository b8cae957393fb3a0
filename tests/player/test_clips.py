"""A clip of what is on air, from a real server: watched at once, exact soon after, there when the recording is gone."""

import asyncio
import time
from typing import Any

import pytest

from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Server, until
from tests.player.pages import PlayerPage

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def clip_of_the_last_seconds(server: Server, live: dict[str, Any]) -> dict[str, Any]:
    """Made while it is on air; exact to the picture when this returns."""
    with publishing(media.clip(10, gop_s=1), server.ingest_url(live)):
        until(lambda: server.get(f"/live/{live['liveStreamId']}.m3u8").status == 200)
        time.sleep(3.5)
        asked = time.monotonic()
        clip = server.api("POST", f"/live-streams/{live['liveStreamId']}/clips", {"start": -3.5, "title": "The goal"})
        assert server.get(f"/vod/{clip['videoId']}/hls/manifest.m3u8").status == 200
        assert time.monotonic() - asked < 1.5
    server.call("PUT", f"/live-streams/{live['liveStreamId']}/complete")
    made: dict[str, Any] = clip
    until(lambda: abs(server.api("GET", f"/videos/{made['videoId']}")["duration"] - 3.5) < 0.05)
    return made


def delete_recording(server: Server, live: dict[str, Any], clip: dict[str, Any]) -> None:
    def listed() -> list[dict[str, Any]]:
        found = server.api("GET", f"/videos?liveStreamId={live['liveStreamId']}")["data"]
        return [video for video in found if video["videoId"] != clip["videoId"]]

    recording = until(listed)[0]
    assert server.call("DELETE", f"/videos/{recording['videoId']}").status == 204
    gone = f"/vod/{recording['videoId']}/hls/manifest.m3u8"
    until(lambda: server.get(gone).status == 404)


async def test_a_clip_of_the_last_seconds(server: Server, player: PlayerPage) -> None:
    live = server.live_stream(name="Match")
    clip = await asyncio.to_thread(clip_of_the_last_seconds, server, live)
    assert (clip["title"], clip["state"], clip["playable"]) == ("The goal", "done", True)
    await asyncio.to_thread(delete_recording, server, live, clip)

    await player.open(f"{server.http}/embed/{clip['videoId']}?autoplay&muted")
    await player.until("v.ended")

    assert 3.4 < await player.video("duration") < 3.6
    assert await player.state("stalls") == 0
    assert await player.state("errors") == []
    await player.quiet()
    assert server.call("DELETE", f"/videos/{clip['videoId']}").status == 204
