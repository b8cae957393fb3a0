"""Every kind of manifest, track and film made of uploads, before the eyes of parsers that others wrote."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import media
from tests.harness.conformance import Collected, collect_playlists, collect_tracks, fetch, packed_anew
from tests.harness.server import Server, until
from tests.harness.uploads import ended, post_source

pytestmark = pytest.mark.server

SIZE = "426x240"
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
OLD = ("-c:v", "mpeg4", "-q:v", "5", "-c:a", "libmp3lame")
SECOND = ("-filter_complex", "sine=frequency=880:sample_rate=48000:duration=9[b]", "-map", "0:v", "-map", "1:a",
          "-map", "[b]", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu")  # fmt: skip


UPLOADS: dict[str, dict[str, Any]] = {
    "indexed": {"size": "640x360", "b_frames": 2},
    "languages": {"extra": SECOND},
    "transport": {"b_frames": 2, "extension": "ts"},
    "webm": {"extension": "webm", "extra": VP9},
    "old": {"extension": "avi", "extra": OLD},
    "mute": {"audio": False},
    "sound": {"video": False, "extension": "wav", "extra": ("-c:a", "pcm_s16le")},
    "music": {"video": False, "extension": "m4a"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"SLUICE_VOD__RENDITIONS": "ladder", "SLUICE_VOD__CHUNK_S": "4"}
    running = Server(tmp_path_factory.mktemp("conformance") / "data", environment).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def videos(server: Server) -> dict[str, str]:
    films = {name: media.clip(9, **{"size": SIZE, "fps": 15, **film}) for name, film in UPLOADS.items()}
    return {name: post_source(server, path)["videoId"] for name, path in films.items()}


@pytest.fixture(scope="module")
def collected(
    server: Server, videos: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Collected:
    """As soon as each can be watched, and in the end."""
    collected = Collected(tmp_path_factory.mktemp("collected"))
    for name, video in videos.items():
        manifest = f"/vod/{video}/hls/manifest.m3u8"
        until(lambda manifest=manifest: server.get(manifest).status == 200, 120)
        collect_playlists(server, manifest, f"{name}-young", collected)
    for name, video in videos.items():
        found = ended(server, video, 120)
        assert found["state"] == "done", (name, found["error"])
        manifest = f"/vod/{video}/hls/manifest.m3u8"
        for number, url in enumerate(collect_playlists(server, manifest, name, collected)):
            collect_tracks(server, url, f"{name}-{number}", collected)
        collected.keep(f"{name}.mpd", fetch(server, f"/vod/{video}/dash/manifest.mpd").encode())
    return collected


def test_no_parser_complains(collected: Collected) -> None:
    assert len([*collected.folder.glob("*.mpd")]) == len(UPLOADS)
    assert len(collected.playlists()) >= 2 * 2 * len(UPLOADS)
    assert collected.complaints() == {}


def test_shaka_packager_packs_every_track_anew(collected: Collected, tmp_path: Path) -> None:
    tracks = collected.tracks()
    assert len(tracks) >= 2 * len(UPLOADS) - 3  # two each but where one is missing
    for number, track in enumerate(tracks):
        assert packed_anew(track, tmp_path / f"{number}.mp4") == "", track.name


@pytest.mark.parametrize("name", UPLOADS)
def test_ffmpeg_reads_all_of_both_manifests(
    server: Server, videos: dict[str, str], collected: Collected, name: str
) -> None:
    """The same renditions by HLS and by DASH, all as long as the source."""
    hls = streams(f"{server.http}/vod/{videos[name]}/hls/manifest.m3u8")
    dash = streams(f"{server.http}/vod/{videos[name]}/dash/manifest.mpd")
    assert hls == dash
    assert hls


def streams(url: str) -> set[tuple[str, str, str]]:
    """Codec, lines or channels, and seconds that each stream is decoded to; nothing may be wrong with any."""
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=index,codec_name,height,channels", "-of", "csv=p=0", url],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert shown.stderr == ""
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", url, "-map", "0", "-fps_mode", "passthrough",
         "-f", "framemd5", "-"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), url
    base = {int(n): int(a) / int(b) for n, a, b in re.findall(r"^#tb (\d+): (\d+)/(\d+)$", done.stdout, re.MULTILINE)}
    ends: dict[int, float] = {}
    for line in done.stdout.splitlines():
        if not line.startswith("#"):
            stream, _, pts, duration = (int(field) for field in line.split(",")[:4])
            ends[stream] = (pts + duration) * base[stream]
    facts = [line.split(",") for line in shown.stdout.split()]
    return {(codec, size, f"{ends[int(index)]:.0f}") for index, codec, size, *_ in facts}


def test_films_to_download(server: Server, videos: dict[str, str], collected: Collected, tmp_path: Path) -> None:
    films = Collected(tmp_path)
    for name, quality in (("indexed", "source"), ("indexed", "240p"), ("old", "240p")):
        answer = server.get(f"/vod/{videos[name]}/mp4/{quality}.mp4")
        assert answer.status == 200
        films.keep(f"{name}-{quality}.m4v", answer.body)
    assert films.complaints() == {}
