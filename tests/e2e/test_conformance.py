"""Every kind of playlist and track that the server makes, before the eyes of parsers that others wrote.

Playlists: hls-parser in strict mode, m3u8-parser. Tracks: mp4box.js, and Shaka Packager, which packs them anew.
"""

import json
import platform
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Server, until

pytestmark = [pytest.mark.server, pytest.mark.timeout(150)]

CLIENTS = Path(__file__).parents[1] / "clients"
MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
PACKAGER = CLIENTS / "node_modules/shaka-packager/bin" / f"packager-linux-{MACHINES.get(platform.machine(), 'x64')}"

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


class Collected:
    """The files that were fetched, by what they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, name: str, data: bytes) -> None:
        (self.folder / name.replace("/", "_")).write_bytes(data)

    def complaints(self) -> dict[str, list[str]]:
        done = subprocess.run(
            ["node", str(CLIENTS / "validate.mjs"), str(self.folder)],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        found: dict[str, list[str]] = json.loads(done.stdout)
        return found

    def tracks(self) -> list[Path]:
        return sorted(self.folder.glob("*.mp4"))

    def playlists(self) -> list[Path]:
        return sorted(self.folder.glob("*.m3u8"))


def uris(text: str) -> list[str]:
    """Of the media playlists of a multivariant playlist, or of the segments of a media playlist."""
    plain = [line for line in text.splitlines() if line and not line.startswith("#")]
    quoted = [line.split('URI="')[1].split('"')[0] for line in text.splitlines() if line.startswith("#EXT-X-MEDIA:")]
    return plain + quoted


def fetch(server: Server, url: str) -> str:
    answer = server.get(url)
    assert answer.status == 200, url
    return answer.text


def collect_playlists(server: Server, manifest: str, name: str, collected: Collected) -> list[str]:
    """Keeps a multivariant playlist and what it leads to; the URLs of the media playlists."""
    text = fetch(server, manifest)
    collected.keep(f"{name}-master.m3u8", text.encode())
    found = [urljoin(manifest, uri) for uri in uris(text)]
    assert found
    for number, url in enumerate(found):
        collected.keep(f"{name}-{number}.m3u8", fetch(server, url).encode())
    return found


def collect_tracks(server: Server, playlist: str, name: str, collected: Collected) -> None:
    """Keeps each generation of a rendition: its init segment and the segments after it."""
    generation, data = -1, b""
    for line in fetch(server, playlist).splitlines():
        if line.startswith("#EXT-X-MAP"):
            generation, data = generation + 1, server.get(urljoin(playlist, line.split('"')[1])).body
        elif line.endswith(".m4s") and not line.startswith("#"):
            segment = server.get(urljoin(playlist, line))
            assert segment.status == 200
            data += segment.body
            collected.keep(f"{name}-{generation}.mp4", data)


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
        done = subprocess.run(
            [str(PACKAGER), f"in={track},stream=0,out={tmp_path / f'{number}.mp4'}", "--quiet"],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{track.name}: {done.stderr[-500:]}"
        assert (tmp_path / f"{number}.mp4").stat().st_size > track.stat().st_size * 0.8
