"""Recordings that a rule lets go: their rows, their playlists and their bytes, but not the segments of a clip."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Server, until

pytestmark = pytest.mark.server


def recorded(server: Server, *lives: dict[str, Any]) -> list[dict[str, Any]]:
    """A broadcast of four seconds of each, at the same time, and what is made of them."""
    before = [len(videos(server, live)) for live in lives]
    source = media.clip(4, gop_s=1)
    with ExitStack() as stack:
        publishers = [
            stack.enter_context(publishing(source, server.ingest_url(live), loop=False)) for live in lives
        ]
        assert [publisher.wait(30)[0] for publisher in publishers] == [0] * len(lives)
    until(lambda: all(len(videos(server, live)) > known for live, known in zip(lives, before, strict=True)))
    return [videos(server, live)[0] for live in lives]


def videos(server: Server, live: dict[str, Any]) -> list[dict[str, Any]]:
    query = f"/videos?liveStreamId={live['liveStreamId']}&sortBy=publishedAt&sortOrder=desc"
    found: list[dict[str, Any]] = server.api("GET", query)["data"]
    return found


def manifest(video: dict[str, Any]) -> str:
    return f"/vod/{video['videoId']}/hls/manifest.m3u8"


def segments(server: Server, video: dict[str, Any]) -> set[Path]:
    folder = server.data / "broadcasts" / video["links"]["broadcastId"]
    return set(folder.glob("video/*.m4s"))


def test_rules_by_count_and_by_bytes(make_server: Callable[..., Server]) -> None:
    server = make_server()
    lives = [server.live_stream(name=name) for name in ("by count", "by bytes", "without a rule")]
    counted, weighed, kept = recorded(server, *lives)
    clip = server.api("POST", f"/videos/{counted['videoId']}/clips", {"start": 2, "end": 3.5})
    newer = recorded(server, *lives[:2])
    before = segments(server, counted)
    assert len(before) >= 2

    for live, rule in zip(lives, ({"count": 1}, {"bytes": 1}), strict=False):
        server.api("PATCH", f"/live-streams/{live['liveStreamId']}", {"retention": rule})
    assert server.stop() == 0
    server.start()  # a round is made at the start, and then once a minute

    for gone in (counted, weighed):
        until(lambda gone=gone: server.call("GET", f"/videos/{gone['videoId']}").status == 404)
        assert server.get(manifest(gone)).status == 404
    until(lambda: not segments(server, weighed))
    left = until(lambda: (now := segments(server, counted)) != before and now)
    assert left < before  # those of the clip
    assert len(media.frame_hashes(server.http + manifest(clip))) == 45
    for video in (*newer, kept):  # the newest stays, whatever it weighs
        assert len(media.frame_hashes(server.http + manifest(video))) == 120
    server.call("DELETE", f"/videos/{clip['videoId']}")
    until(lambda: not segments(server, counted))
