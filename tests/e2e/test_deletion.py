"""What is deleted takes its bytes with it, and nothing else's."""

from typing import Any

import pytest

from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Server, until

pytestmark = pytest.mark.server


def folders(server: Server, name: str) -> set[str]:
    root = server.data / name
    return {path.name for path in root.iterdir()} if root.is_dir() else set()


def manifest(live: dict[str, Any]) -> str:
    return f"/live/{live['liveStreamId']}.m3u8"


def broadcast_id(server: Server, live: dict[str, Any]) -> str:
    found: str = server.api("GET", f"/live-streams/{live['liveStreamId']}")["links"]["broadcastId"]
    return found


@pytest.mark.parametrize("record", [True, False], ids=["recorded", "not recorded"])
def test_a_live_stream_deleted_on_air(server: Server, record: bool) -> None:
    """Its publisher is sent away; the recording stays and plays, other bytes go at once."""
    live = server.live_stream(record=record)
    with publishing(media.clip(10), server.ingest_url(live)) as publisher:
        until(lambda: server.get(manifest(live)).status == 200)
        broadcast = broadcast_id(server, live)
        assert broadcast in folders(server, "broadcasts")
        assert server.call("DELETE", f"/live-streams/{live['liveStreamId']}").status == 204
        publisher.wait(10)

    assert server.get(manifest(live)).status == 404
    if not record:
        until(lambda: broadcast not in folders(server, "broadcasts"))
        return
    videos = [video for video in server.api("GET", "/videos")["data"] if video["links"]["broadcastId"] == broadcast]
    assert len(videos) == 1
    assert media.frame_hashes(f"{server.http}/vod/{videos[0]['videoId']}/hls/manifest.m3u8")
    assert broadcast in folders(server, "broadcasts")


def test_a_recording_deleted_while_its_broadcast_still_shows(server: Server) -> None:
    live = server.live_stream()
    with publishing(media.clip(4), server.ingest_url(live), loop=False) as publisher:
        assert publisher.wait(30)[0] == 0
    path = f"/videos?liveStreamId={live['liveStreamId']}"
    video = until(lambda: server.api("GET", path)["data"])[0]["videoId"]
    until(lambda: video in folders(server, "videos"))  # its poster
    broadcast = broadcast_id(server, live)
    assert server.get(manifest(live)).status == 200

    assert server.call("DELETE", f"/videos/{video}").status == 204

    until(lambda: broadcast not in folders(server, "broadcasts"))
    until(lambda: video not in folders(server, "videos"))
    assert server.get(manifest(live)).status == 202
    assert server.get(f"/vod/{video}/hls/manifest.m3u8").status == 404
