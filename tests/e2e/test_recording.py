"""From the end of a broadcast to its video: at once, the same bytes, across drops and kills."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Server, until

pytestmark = pytest.mark.server


def recordings(server: Server, live: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.api("GET", f"/videos?liveStreamId={live['liveStreamId']}")["data"]
    return found


def on_air(server: Server, live: dict[str, Any]) -> bool:
    return server.get(f"/live/{live['liveStreamId']}.m3u8").status == 200


def shown_s(server: Server, live: dict[str, Any]) -> float:
    """How much picture the playlist lists."""
    answer = server.get(f"/live/{live['liveStreamId']}.m3u8")
    if answer.status != 200:
        return 0.0
    listed = next(line for line in answer.text.splitlines() if not line.startswith("#"))
    segments, _, begun = server.get(f"/live/{listed}").text.rpartition("#EXTINF:")
    whole = re.findall(r"#EXTINF:([\d.]+)", f"{segments}#EXTINF:{begun}")
    return sum(map(float, [*whole, *re.findall(r"#EXT-X-PART:.*?DURATION=([\d.]+)", begun)]))


def manifest(video: dict[str, Any]) -> str:
    return f"/vod/{video['videoId']}/hls/manifest.m3u8"


def test_a_broadcast_becomes_a_video_by_itself(server: Server) -> None:
    source = media.clip(6, b_frames=2)
    live = server.live_stream(name="Evening news")
    with publishing(source, server.ingest_url(live), loop=False) as publisher:
        assert publisher.wait()[0] == 0
    video = until(lambda: recordings(server, live))[0]
    answer = server.get(manifest(video))
    assert answer.status == 200

    assert video["title"].startswith("Evening news")
    assert video["state"] == "done"
    assert video["playable"] is True
    assert abs(video["duration"] - 6) < 0.2
    assert media.frame_hashes(server.http + manifest(video)) == media.frame_hashes(source)
    assert media.same_sound(media.frame_hashes(server.http + manifest(video), "a"), media.frame_hashes(source, "a"))


def test_no_recording_where_none_is_wanted(server: Server) -> None:
    live = server.live_stream(record=False)
    with publishing(media.clip(4), server.ingest_url(live), loop=False) as publisher:
        assert publisher.wait()[0] == 0
    until(lambda: not server.api("GET", f"/live-streams/{live['liveStreamId']}")["broadcasting"])

    assert recordings(server, live) == []


def test_complete_ends_the_broadcast_at_once(server: Server) -> None:
    live = server.live_stream()
    with publishing(media.clip(10), server.ingest_url(live)) as publisher:
        until(lambda: on_air(server, live))
        answer = server.call("PUT", f"/live-streams/{live['liveStreamId']}/complete")
        assert (answer.status, answer.body) == (202, b"")
        publisher.wait()
    assert len(until(lambda: recordings(server, live))) == 1


def test_a_dropped_publisher_goes_on_in_the_same_broadcast(server: Server) -> None:
    live = server.live_stream()
    with publishing(media.clip(10), server.ingest_url(live)) as publisher:
        until(lambda: shown_s(server, live) > 2)
        publisher.kill()
    time.sleep(1)
    assert recordings(server, live) == []
    with publishing(media.clip(10), server.ingest_url(live)) as publisher:
        path = f"/live/{live['liveStreamId']}.m3u8"
        text = server.get(path).text
        listed = next(line for line in text.splitlines() if not line.startswith("#"))
        video = f"/live/{listed}"
        until(lambda: "#EXT-X-DISCONTINUITY\n" in server.get(video).text)
        until(lambda: shown_s(server, live) > 4.5)
        publisher.stop()

    found = until(lambda: recordings(server, live))
    assert len(found) == 1
    assert found[0]["duration"] > 4


def test_kill_9_in_mid_broadcast_loses_only_the_part_in_hand(make_server: Callable[..., Server]) -> None:
    source = media.clip(20, b_frames=2)
    server = make_server(SLUICE_LIVE__RECONNECT_WINDOW_S="3")
    live = server.live_stream()
    with publishing(source, server.ingest_url(live)) as publisher:
        until(lambda: shown_s(server, live) > 4.4)
        server.kill()
        publisher.wait()
    server.start()

    video = until(lambda: recordings(server, live))[0]
    decoded = media.frame_hashes(server.http + manifest(video))
    whole = len(decoded) - 2  # two that are shown before the last one may not have come: it stands in for them
    assert decoded[:whole] == media.frame_hashes(source)[:whole]
    assert len(decoded) / 30 > 4.0  # it was on air a little longer than that
    assert abs(video["duration"] - len(decoded) / 30) < 0.1


def test_kill_9_and_the_publishers_return_make_one_recording(make_server: Callable[..., Server]) -> None:
    server = make_server()
    live = server.live_stream(reconnectWindow=30)
    with publishing(media.clip(20), server.ingest_url(live)) as publisher:
        until(lambda: shown_s(server, live) > 3)
        server.kill()
        publisher.wait()
    server.start()
    assert recordings(server, live) == []
    with publishing(media.clip(20), server.ingest_url(live)) as publisher:
        until(lambda: on_air(server, live))
        before_s = shown_s(server, live)
        until(lambda: shown_s(server, live) > before_s + 3)
        publisher.stop()

    found = until(lambda: recordings(server, live))
    assert len(found) == 1
    text = server.get(manifest(found[0])).text
    assert "EXT-X-STREAM-INF" in text
    assert found[0]["duration"] > 5


def test_sigterm_closes_recordings_and_exits_well(make_server: Callable[..., Server]) -> None:
    server = make_server(SLUICE_LIVE__RECONNECT_WINDOW_S="2")
    live = server.live_stream()
    with publishing(media.clip(20), server.ingest_url(live)):
        until(lambda: shown_s(server, live) > 2)
        assert server.stop() == 0
    server.start()
    video = until(lambda: recordings(server, live))[0]
    assert len(media.frame_hashes(server.http + manifest(video))) > 45
