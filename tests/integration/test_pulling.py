"""Sources that are pulled: from a server of our own, over RTMP, SRT and HLS."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Server, until

pytestmark = pytest.mark.server


def show(server: Server, live: Any) -> Any:
    return server.api("GET", f"/live-streams/{live['liveStreamId']}")


def frames(server: Server, live: Any) -> int:
    counts = server.api("GET", f"/live-streams/{live['liveStreamId']}/health")["counts"]
    return int(counts["videoFrames"]) if counts else 0


def test_two_sources_are_pulled_while_they_are_wanted(server: Server) -> None:
    origin = server.live_stream(name="origin")
    key = origin["streamKey"]
    srt = f"srt://127.0.0.1:{urlsplit(server.ready['srt']).port}?streamid=%23!::r={key},m=request&latency=50"
    by_rtmp = server.live_stream(sourceUrl=f"{server.rtmp}/{key}")
    by_srt = server.live_stream(sourceUrl=srt)
    by_hls = server.live_stream(sourceUrl=f"{server.http}/live/{origin['liveStreamId']}.m3u8")
    path = f"/live-streams/{by_rtmp['liveStreamId']}"
    failed = until(lambda: (at := show(server, by_rtmp)["source"])["state"] == "errored" and at)
    assert "not on air" in failed["reason"]
    with publishing(media.clip(10, gop_s=1), server.ingest_url(origin)):
        until(lambda: frames(server, by_rtmp) > 20 and frames(server, by_srt) > 20, 30)
        assert show(server, by_rtmp)["source"]["state"] == show(server, by_srt)["source"]["state"] == "pulling"
        until(lambda: server.get(f"/live/{by_srt['liveStreamId']}.m3u8").status == 200)

        until(lambda: frames(server, by_hls) > 20, 40)
        assert show(server, by_hls)["source"]["state"] == "pulling"
        server.api("PUT", f"{path}/disable")
        assert show(server, by_rtmp)["source"] is None
        assert show(server, by_rtmp)["state"] == "disabled"
        server.api("PUT", f"{path}/enable")
        until(lambda: show(server, by_rtmp)["source"]["state"] == "pulling")
        until(lambda: show(server, by_rtmp)["broadcasting"])
    until(lambda: show(server, by_srt)["source"]["state"] == "errored")
    server.api("PATCH", f"/live-streams/{by_srt['liveStreamId']}", {"sourceUrl": None})
    assert show(server, by_srt)["source"] is None
    for live in (by_rtmp, by_srt, by_hls, origin):
        server.api("DELETE", f"/live-streams/{live['liveStreamId']}")
    assert key not in server.log()
