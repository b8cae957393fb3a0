"""What a server gives out, kept as files, and what parsers that others wrote say of it.

Playlists: hls-parser in strict mode, m3u8-parser. Manifests of DASH: mpd-parser. Tracks: mp4box.js, and Shaka Packager,
which packs them anew. FFmpeg's demuxers, which read all of them together.
"""

import json
import platform
import subprocess
from pathlib import Path
from urllib.parse import urljoin

from tests.harness.server import Server

CLIENTS = Path(__file__).parents[1] / "clients"
MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
PACKAGER = CLIENTS / "node_modules/shaka-packager/bin" / f"packager-linux-{MACHINES.get(platform.machine(), 'x64')}"


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
    """Keeps each generation of a rendition: its init segment and the segments after it, but for gaps."""
    generation, data, gap = -1, b"", False
    for line in fetch(server, playlist).splitlines():
        gap = gap or line == "#EXT-X-GAP"
        if line.startswith("#EXT-X-MAP"):
            generation, data = generation + 1, server.get(urljoin(playlist, line.split('"')[1])).body
        elif line.endswith(".m4s") and not line.startswith("#"):
            segment = server.get(urljoin(playlist, line))
            assert segment.status == (404 if gap else 200), f"{line}: {segment.text}"
            if not gap:
                data += segment.body
                collected.keep(f"{name}-{generation}.mp4", data)
            gap = False


def packed_anew(track: Path, into: Path) -> str:
    """What Shaka Packager says against a track; nothing if it packs all of it."""
    done = subprocess.run(
        [str(PACKAGER), f"in={track},stream=0,out={into}", "--quiet"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode:
        return done.stderr[-500:]
    if into.stat().st_size < track.stat().st_size * 0.8:
        return f"{into.stat().st_size} bytes came out of {track.stat().st_size}"
    return ""
