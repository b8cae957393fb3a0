"""Uploads that are encoded, through a real server: what is watched meanwhile, at the end, and after a crash."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import m3u8
import pytest

from server.media.codings import CODINGS
from server.storage.layout import Layout
from server.vod.plan import Plan
from tests.harness import media
from tests.harness.server import Server, until
from tests.harness.uploads import ended, post_source
from tests.player.pages import chromium

pytestmark = pytest.mark.server

VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"SLUICE_VOD__RENDITIONS": "ladder", "SLUICE_VOD__CHUNK_S": "4"}
    running = Server(tmp_path_factory.mktemp("ladder") / "data", environment).start()
    yield running
    running.stop()


def variants(server: Server, video_id: str) -> dict[str, str]:
    """URLs of the media playlists that pictures are listed with, by rendition; of the sound where there is nothing
    else."""
    root = f"/vod/{video_id}/hls/"
    lines = server.get(root + "manifest.m3u8").text.splitlines()
    return {line.split("/")[1]: root + line for line in lines if line and not line.startswith("#")}


def numbers(server: Server, playlist: str) -> list[int]:
    return [int(each) for each in re.findall(r"^(\d+)\.m4s$", server.get(playlist).text, re.MULTILINE)]


def test_a_source_that_plays_gets_smaller_renditions_beside_it(server: Server) -> None:
    made = post_source(server, media.clip(10, size="640x360", b_frames=2))
    video = ended(server, made["videoId"])
    assert video["state"] == "done", video["error"]

    found = variants(server, video["videoId"])
    assert list(found) == ["video", "240p"]
    assert len(media.frame_hashes(server.http + found["240p"])) == 300
    texts = {name: server.get(path).text for name, path in found.items()}
    assert {re.search(r"TARGETDURATION:(\d+)", text)[1] for text in texts.values()} == {"4"}  # type: ignore[index]
    assert all("#EXT-X-PLAYLIST-TYPE:VOD" in text and "#EXT-X-ENDLIST" in text for text in texts.values())
    status = server.api("GET", f"/videos/{video['videoId']}/status")["encoding"]
    assert [(each["type"], each["quality"], each["status"]) for each in status["qualities"]] == [
        ("hls", "360p", "encoded"),
        ("hls", "240p", "encoded"),
        ("mp4", "360p", "encoded"),
        ("mp4", "240p", "encoded"),
    ]


def test_what_does_not_play_is_encoded_and_watched_meanwhile(server: Server) -> None:
    source = media.clip(9, size="426x240", extension="webm", extra=VP9)
    made = post_source(server, source)
    id = made["videoId"]
    until(lambda: "240p" in variants(server, id), 60)
    assert server.api("GET", f"/videos/{id}")["playable"]
    growing = server.get(f"/vod/{id}/hls/manifest.m3u8")
    first = server.get(variants(server, id)["240p"]).text
    assert first.count("#EXTINF") >= 1
    if growing.headers.get("Sluice-Growing"):
        assert growing.headers["Cache-Control"] == "no-cache"

    video = ended(server, id)
    assert video["state"] == "done", video["error"]
    path = variants(server, id)["240p"]
    assert numbers(server, path) == list(range(6))  # key frames of the source that are further apart, halved
    assert server.get(path).text.startswith(first.split("#EXTINF")[0].replace("EVENT", "VOD"))
    assert len(media.frame_hashes(server.http + path)) == 270
    assert "immutable" in server.get(path).headers["Cache-Control"]
    assert media.duration_s(f"{server.http}/vod/{id}/hls/manifest.m3u8") == pytest.approx(9, abs=0.1)


@pytest.mark.parametrize("extension", ["mkv", "ts", "flv"])
def test_what_plays_is_copied_out_of_any_container(server: Server, extension: str) -> None:
    source = media.clip(6, size="640x360", b_frames=2, extension=extension)
    video = ended(server, post_source(server, source)["videoId"])
    assert video["state"] == "done", video["error"]
    found = variants(server, video["videoId"])
    assert list(found) == ["video", "240p"]
    assert media.frame_hashes(server.http + found["video"]) == media.frame_hashes(source)
    assert len(media.frame_hashes(server.http + found["240p"])) == 180
    assert numbers(server, found["240p"]) == [0, 1, 2, 3]  # the first 4 s and some ms of sound are three


@pytest.mark.parametrize(
    ("extension", "codec", "renditions"),
    [
        ("wav", "pcm_s16le", ["audio-aac"]),
        ("mp3", "libmp3lame", ["audio-aac"]),
        ("flac", "flac", ["audio-aac", "audio"]),  # lossless for those that play it
        ("ogg", "libvorbis", ["audio-aac"]),
    ],
)
def test_sound_alone_is_heard(server: Server, extension: str, codec: str, renditions: list[str]) -> None:
    made = post_source(server, media.clip(5, video=False, extension=extension, extra=("-c:a", codec)))
    video = ended(server, made["videoId"])
    assert video["state"] == "done", video["error"]
    assert list(variants(server, video["videoId"])) == renditions
    heard = media.duration_s(f"{server.http}/vod/{video['videoId']}/hls/manifest.m3u8")
    assert heard == pytest.approx(5, abs=0.1)


SIX = ("-f", "lavfi", "-i", "anoisesrc=duration=6:sample_rate=48000:amplitude=0.1,aformat=channel_layouts=5.1")


def sounds(server: Server, video_id: str) -> list[tuple[str, str, str, bool]]:
    """Rendition, group, channels, and whether it is the default, as the master lists them."""
    text = server.get(f"/vod/{video_id}/hls/manifest.m3u8").text
    listed = m3u8.loads(text).media
    return [(each.uri.split("/")[1], each.group_id, each.channels, each.default == "YES") for each in listed]


@pytest.mark.parametrize(
    ("extension", "codecs", "expected"),
    [
        # AAC stereo served by the file's own index, and what its index does not serve
        ("mp4", ("-c:a:0", "aac", "-ac:a:0", "2", "-c:a:1", "ac3"),
         [("audio", "audio", "2", True), ("audio2-aac", "audio", "2", False),
          ("audio2", "audio-ac-3-surround", "6", True)]),
        ("mkv", ("-c:a:0", "eac3", "-c:a:1", "aac"),
         [("audio-aac", "audio", "2", True), ("audio2-aac", "audio", "2", False),
          ("audio2", "audio-mp4a-surround", "6", True), ("audio", "audio-ec-3-surround", "6", True)]),
    ],
)  # fmt: skip
def test_many_channels_are_kept_beside_stereo(
    server: Server, tmp_path: Path, extension: str, codecs: tuple[str, ...], expected: list[tuple[str, str, str, bool]]
) -> None:
    source = tmp_path / f"film.{extension}"
    pictures = media.clip(6, size="426x240", audio=False)
    media.ffmpeg(
        "-i", pictures, *SIX, "-map", "0:v", "-map", "1:a", "-map", "1:a", "-c:v", "copy", *codecs,
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fre", source,
    )  # fmt: skip
    video = ended(server, post_source(server, source)["videoId"])
    assert video["state"] == "done", video["error"]
    assert sounds(server, video["videoId"]) == expected

    master = m3u8.loads(server.get(f"/vod/{video['videoId']}/hls/manifest.m3u8").text)
    first = master.playlists[0].stream_info
    assert (first.audio, "mp4a.40.2" in first.codecs) == ("audio", True)
    root = f"{server.http}/vod/{video['videoId']}/hls/r1"
    for name, *_ in expected:
        assert media.duration_s(f"{root}/{name}/media.m3u8") == pytest.approx(6, abs=0.15)
        text = server.get(f"{root}/{name}/media.m3u8").text
        longest = max(float(each) for each in re.findall(r"#EXTINF:([\d.]+)", text))
        assert round(longest) <= int(re.search(r"TARGETDURATION:(\d+)", text)[1])  # type: ignore[index]
    film = server.get(f"/vod/{video['videoId']}/mp4/240p.mp4")
    (tmp_path / "film.mp4").write_bytes(film.body)
    assert len(media.frame_hashes(tmp_path / "film.mp4")) == 180


def test_a_server_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    source = media.clip(9, size="426x240", extension="webm", extra=VP9)
    environment = {"SLUICE_VOD__RENDITIONS": "ladder", "SLUICE_VOD__CHUNK_S": "4"}
    server = Server(tmp_path / "data", environment).start()
    try:
        undisturbed = ended(server, post_source(server, source)["videoId"])["videoId"]
        id = post_source(server, source)["videoId"]
        for wanted in (1, 3):
            until(lambda: _segments(server, id) >= wanted, 60)  # noqa: B023
            server.kill()
            server.start()
        video = ended(server, id)
        assert video["state"] == "done", video["error"]
        ours, theirs = variants(server, id)["240p"], variants(server, undisturbed)["240p"]
        assert numbers(server, ours) == numbers(server, theirs)
        assert _times(server, ours) == _times(server, theirs)
        assert len(media.frame_hashes(server.http + ours)) == 270
    finally:
        server.stop()


def _segments(server: Server, video_id: str) -> int:
    if not server.api("GET", f"/videos/{video_id}")["playable"]:
        return 0
    found: Any = variants(server, video_id).get("240p")
    return len(numbers(server, found)) if found else 0


def _times(server: Server, playlist: str) -> list[str]:
    return re.findall(r"#EXTINF:([\d.]+)", server.get(playlist).text)


def test_a_ladder_of_av1_whose_title_is_looked_at_first(tmp_path: Path) -> None:
    environment = {
        "SLUICE_VOD__RENDITIONS": "ladder", "SLUICE_VOD__CODEC": "av1", "SLUICE_VOD__PRESET": "ultrafast",
    }  # fmt: skip
    server = Server(tmp_path / "data", environment).start()
    try:
        made = post_source(server, media.clip(13, size="640x360", b_frames=2))
        video = ended(server, made["videoId"])
        assert video["state"] == "done", video["error"]
        id = video["videoId"]
        found = variants(server, id)
        assert list(found) == ["video", "240p"]
        assert len(media.frame_hashes(server.http + found["240p"])) == 390
        assert numbers(server, found["240p"]) == [0, 1, 2, 3, 4, 5, 6]
        master = server.get(f"/vod/{id}/hls/manifest.m3u8").text
        assert re.search(r'CODECS="av01\.0\.\d\d[MH]\.08', master)
        mpd = server.get(f"/vod/{id}/dash/manifest.mpd").text
        assert 'codecs="av01.0.' in mpd
        assert f'bandwidth="{_peak(server, found["240p"])}"' in mpd

        plan = Plan.of_bytes(Layout(server.data).video_plan(id, 1).read_bytes())
        assert plan.title is not None
        assert len(plan.title.rates) == 2
        assert plan.fitted[0].bitrate <= CODINGS["av1"].ceiling(400_000)
    finally:
        server.stop()


def _peak(server: Server, playlist: str) -> int:
    """Of the segments as they are served, the heaviest."""
    folder, lasting = playlist.rpartition("/")[0], [float(each) for each in _times(server, playlist)]
    sizes = [len(server.get(f"{folder}/{number}.m4s").body) for number in numbers(server, playlist)]
    least = max(lasting) / 2
    return round(max(size * 8 / max(seconds, least) for size, seconds in zip(sizes, lasting, strict=True)))


@pytest.mark.browser
@pytest.mark.asyncio
async def test_a_browser_takes_the_sound_that_it_plays(server: Server, tmp_path: Path) -> None:
    """Chromium decodes no AC-3: it begins with the stereo that was made of it."""
    source = tmp_path / "film.mkv"
    pictures = media.clip(6, size="426x240", audio=False)
    media.ffmpeg("-i", pictures, *SIX, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "ac3", source)
    id = ended(server, post_source(server, source)["videoId"])["videoId"]
    async with chromium() as browser:
        page = await browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{server.http}/embed/{id}?autoplay&muted")
        await page.wait_for_function("() => document.querySelector('video')?.currentTime > 1", timeout=30_000)
        assert await page.evaluate("() => window.sluice.player.errors") == []
    assert any("/audio-aac/" in url for url in asked)
    assert not any("/audio/" in url for url in asked)
