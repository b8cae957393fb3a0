"""Every kind of live playlist and track that the server makes, before the eyes of parsers that others wrote."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness import media
from tests.harness.conformance import Collected, collect_playlists, collect_tracks, fetch, packed_anew
from tests.harness.publisher import publishing
from tests.harness.server import Server, until

pytestmark = pytest.mark.server

# what is sent, and the settings of its live stream
BROADCASTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ultra-low": ({"b_frames": 0, "fps": 60}, {"latencyMode": "ultra-low"}),
    "low": ({"b_frames": 2}, {"latencyMode": "low"}),
    "reduced": ({"fps": 25}, {"latencyMode": "reduced"}),
    "standard": ({}, {"latencyMode": "standard"}),
    "sound": ({"video": False}, {}),
    "pictures": ({"audio": False, "gop_s": 1}, {}),
    "sparse": ({"gop_s": 5}, {}),
}


@pytest.fixture(scope="module")
def collected(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    """Playlists in the middle of each broadcast, before and after a dropped publisher, and of its recording."""
    collected = Collected(tmp_path_factory.mktemp("collected"))
    lives = {name: server.live_stream(name=name, **settings) for name, (_, settings) in BROADCASTS.items()}
    manifests = {name: f"/live/{live['liveStreamId']}.m3u8" for name, live in lives.items()}

    def publish(stack: ExitStack) -> list[Any]:
        return [
            stack.enter_context(publishing(media.clip(10, **film), server.ingest_url(lives[name])))
            for name, (film, _) in BROADCASTS.items()
        ]

    with ExitStack() as stack:
        publishers = publish(stack)
        for name, manifest in manifests.items():
            until(lambda manifest=manifest: server.get(manifest).status == 200)
            collect_playlists(server, manifest, f"{name}-young", collected)
        time.sleep(2)
        for publisher in publishers:
            publisher.kill()
    with ExitStack() as stack:
        publish(stack)
        for name, manifest in manifests.items():
            media_playlists = collect_playlists(server, manifest, f"{name}-back", collected)
            until(lambda url=media_playlists[0]: "#EXT-X-DISCONTINUITY\n" in fetch(server, url))
            time.sleep(0.3)
            for number, url in enumerate(collect_playlists(server, manifest, f"{name}-old", collected)):
                collected.keep(f"{name}-delta-{number}.m3u8", fetch(server, url + "?_HLS_skip=YES").encode())
        for live in lives.values():
            server.call("PUT", f"/live-streams/{live['liveStreamId']}/complete")
    for name, live in lives.items():
        video = until(lambda live=live: server.api("GET", f"/videos?liveStreamId={live['liveStreamId']}")["data"])[0]
        collect_playlists(server, manifests[name], f"{name}-ended", collected)
        recording = collect_playlists(
            server, f"/vod/{video['videoId']}/hls/manifest.m3u8", f"{name}-recording", collected
        )
        for number, url in enumerate(recording):
            collect_tracks(server, url, f"{name}-recording-{number}", collected)
    return collected


def test_no_parser_complains(collected: Collected) -> None:
    assert len(collected.playlists()) > 6 * len(BROADCASTS)
    assert collected.complaints() == {}


def test_shaka_packager_packs_every_track_anew(collected: Collected, tmp_path: Path) -> None:
    tracks = collected.tracks()
    assert len(tracks) >= 2 * (2 * len(BROADCASTS) - 2)  # two generations each, two tracks but where one is missing
    for number, track in enumerate(tracks):
        assert packed_anew(track, tmp_path / f"{number}.mp4") == "", track.name
