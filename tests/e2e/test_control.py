"""Control and health of live streams, with real encoders."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness import media
from tests.harness.publisher import Publisher, publishing
from tests.harness.server import Server, until

pytestmark = pytest.mark.server


def test_the_backup_takes_over_and_health_says_so(server: Server) -> None:
    live = server.live_stream()
    path = f"/live-streams/{live['liveStreamId']}"
    live = server.api("POST", f"{path}/reset-backup-stream-key")
    source = media.clip(10, gop_s=1)

    def health() -> Any:
        return server.api("GET", f"{path}/health")

    primary = Publisher(source, server.ingest_url(live))
    try:
        until(lambda: health()["state"] == "live")
        with publishing(source, f"{server.rtmp}/{live['backupStreamKey']}"):
            until(lambda: health()["standby"])
            before = until(lambda: _measured(health()))
            primary.kill()
            until(lambda: (health()["encoder"] or {}).get("ingest") == "backup")
            after = health()
            until(lambda: "#EXT-X-DISCONTINUITY\n" in server.get(_playlist(live, after)).text)
    finally:
        primary.stop()

    assert (before["encoder"]["ingest"], before["encoder"]["protocol"]) == ("primary", "rtmp")
    assert before["encoder"]["encoder"].startswith("Lavf")
    assert before["video"][0]["keyFrameInterval"] == pytest.approx(1.0, abs=0.05)
    assert (before["video"][0]["width"], before["video"][0]["height"]) == (320, 180)
    assert abs(before["skew"]) < 200
    assert (after["broadcastId"], after["state"]) == (before["broadcastId"], "live")


def _measured(found: Any) -> Any:
    (video, *_), known = found["video"] or [{}], found["bitrate"]
    return found if known and video.get("frameRate") and video.get("keyFrameInterval") else None


def _playlist(live: Any, health: Any) -> str:
    return f"/live/{live['liveStreamId']}/{health['broadcastId']}/video/media.m3u8"


def test_a_part_is_recorded_while_the_broadcast_goes_on(server: Server) -> None:
    live = server.live_stream(record=False)
    path = f"/live-streams/{live['liveStreamId']}"
    with publishing(media.clip(10, gop_s=1), server.ingest_url(live)):
        until(lambda: server.get(f"/live/{live['liveStreamId']}.m3u8").status == 200)
        assert server.api("POST", f"{path}/recording/start")["recording"] is True
        until(lambda: (server.api("GET", f"{path}/health")["counts"] or {"videoFrames": 0})["videoFrames"] > 90)
        server.api("POST", f"{path}/recording/stop")
        interval = until(lambda: _recorded(server.api("GET", f"{path}/recording")))
        video = server.api("GET", f"/videos/{interval['videoId']}")
        assert server.api("GET", f"{path}/health")["state"] == "live"

    assert video["playable"] is True
    assert media.duration_s(f"{server.http}/vod/{interval['videoId']}/hls/manifest.m3u8") > 1.5


def _recorded(found: Any) -> Any:
    return next((each for each in found["intervals"] if each["videoId"]), None)


def test_a_rehearsal_is_heard_by_nobody(server: Server) -> None:
    live = server.live_stream()
    path = f"/live-streams/{live['liveStreamId']}"
    server.api("POST", f"{path}/rehearsal", {"duration": 60})
    with publishing(media.clip(10, gop_s=1), server.ingest_url(live)):
        found = until(lambda: _heard(server.api("GET", f"{path}/rehearsal")))
        assert server.get(f"/live/{live['liveStreamId']}.m3u8").status == 202

    assert found["video"][0]["codec"].startswith("avc1")
    assert server.api("GET", path)["links"]["broadcastId"] is None
    until(lambda: server.api("GET", f"{path}/rehearsal")["state"] == "over")


def _heard(found: Any) -> Any:
    """Once the rate, which is that of arrival, has settled."""
    (video, *_) = found["video"] or [{}]
    return found if video.get("frameRate") == pytest.approx(30, abs=4) and video.get("keyFrameInterval") else None


def test_a_slate_fills_the_window_until_the_publisher_is_back(server: Server, tmp_path: Path) -> None:
    live = server.live_stream()
    path = f"/live-streams/{live['liveStreamId']}"
    picture = tmp_path / "slate.png"
    media.ffmpeg("-f", "lavfi", "-i", "color=red:size=640x360", "-frames:v", "1", picture)
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="slate.png"\r\n\r\n'
    body = head + picture.read_bytes() + b"\r\n--b--\r\n"
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = server.call("POST", f"{path}/slate", body, headers=form)
    assert answer.status == 201, answer.body

    def breaks() -> int:
        return server.get(_playlist(live, health)).text.count("#EXT-X-DISCONTINUITY\n")

    publisher = Publisher(media.clip(10, gop_s=1), server.ingest_url(live))
    try:
        health = until(lambda: _live(server.api("GET", f"{path}/health")))
        until(lambda: server.get(_playlist(live, health)).status == 200)
    finally:
        publisher.kill()
    until(lambda: breaks() == 1)
    assert server.api("GET", f"{path}/health")["state"] == "interrupted"
    with publishing(media.clip(10, gop_s=1), server.ingest_url(live)):
        until(lambda: breaks() == 2)
        assert server.api("GET", f"{path}/health")["state"] == "live"
    until(lambda: "#EXT-X-ENDLIST" in server.get(_playlist(live, health)).text)
    shown = media.frame_hashes(f"{server.http}/live/{live['liveStreamId']}.m3u8")
    assert len(shown) > 60


def _live(found: Any) -> Any:
    return found if found["state"] == "live" else None
