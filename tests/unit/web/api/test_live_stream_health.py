"""The health of live streams over REST."""

from server import clock
from server.ingest.health.reading import Link
from server.ingest.monitor import Monitor
from server.ingest.on_air import Facts
from tests.unit.web.api.live_control import Desk


def look(desk: Desk, start: int = 0) -> None:
    """Ten seconds of the monitor."""
    monitor = Monitor(desk.broadcasts.all, lambda *_: None, lambda *_: None)
    now = clock.monotonic()
    for second in range(start, start + 10):
        monitor.look(now + second, 1_700_000_000_000 + second * 1000)


async def test_nobody_is_there(desk: Desk) -> None:
    live = await desk.live()

    found = await desk.call("GET", f"/live-streams/{live['liveStreamId']}/health")
    series = await desk.call("GET", f"/live-streams/{live['liveStreamId']}/health/series")

    assert (found["state"], found["encoder"], found["video"], found["counts"]) == ("idle", None, [], None)
    assert (found["warnings"], found["errors"], found["playlists"]) == ([], [], 0)
    assert series == {"liveStreamId": live["liveStreamId"], "interval": 10, "data": []}


async def test_all_that_is_measured(desk: Desk) -> None:
    live = await desk.live()
    connection = await desk.on_air(live)
    connection.known = Facts(
        "OBS", "192.0.2.1", 30.0, 2.5e6, Link(rtt_ms=41.5, latency_ms=200, received=990, lost=10), {"rtt_ms": 41.50001}
    )
    on_air = desk.broadcasts.get(live["liveStreamId"])
    assert on_air
    on_air.health.pollers.seen(1, clock.monotonic())
    look(desk)

    found = await desk.call("GET", f"/live-streams/{live['liveStreamId']}/health")

    encoder = found["encoder"]
    assert (found["state"], found["broadcastId"]) == ("live", on_air.broadcast_id)
    assert (encoder["ingest"], encoder["protocol"], encoder["encoder"]) == ("primary", "rtmp", "OBS")
    assert (encoder["announcedFrameRate"], encoder["announcedBitrate"]) == (30.0, 2_500_000)
    assert encoder["statistics"] == {"rttMs": 41.5}
    (video,), (audio,) = found["video"], found["audio"]
    assert (video["track"], video["codec"][:4], video["keyFrameInterval"]) == ("video", "avc1", 2.0)
    assert video["width"] > 0
    assert (audio["track"], audio["codec"], audio["channels"]) == ("audio", "mp4a.40.2", 2)
    assert (found["roundTrip"], found["playlists"]) == (41.5, 1)
    assert isinstance(found["skew"], int)
    assert (found["counts"]["videoFrames"], found["counts"]["packetsLost"]) == (75, 10)
    assert {warning["code"] for warning in found["warnings"]} >= {"no-data"}
    assert all(warning["message"].endswith(".") for warning in found["warnings"])


async def test_faults_and_the_standby_are_shown(desk: Desk) -> None:
    live = await desk.live()
    path = f"/live-streams/{live['liveStreamId']}"
    made = await desk.call("POST", f"{path}/reset-backup-stream-key")
    await desk.on_air(live)
    await desk.on_air(made, "backupStreamKey")
    on_air = desk.broadcasts.get(live["liveStreamId"])
    assert on_air
    on_air.health.fault(1_700_000_000_000, "the connection was lost")

    found = await desk.call("GET", f"{path}/health")

    assert found["standby"]["ingest"] == "backup"
    assert found["errors"] == [{"at": "2023-11-14T22:13:20+00:00", "message": "the connection was lost"}]


async def test_the_series(desk: Desk) -> None:
    live = await desk.live()
    await desk.on_air(live)
    look(desk)
    look(desk, 10)

    found = await desk.call("GET", f"/live-streams/{live['liveStreamId']}/health/series")

    assert [point["at"] for point in found["data"]] == ["2023-11-14T22:13:20+00:00", "2023-11-14T22:13:30+00:00"]
    assert found["data"][1]["bitrate"] == 0
