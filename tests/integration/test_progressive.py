"""Progressive files on real players: the same pictures at the same times as over HLS, from a real server."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.formats.fmp4.box import find
from server.formats.fmp4.read import read_samples
from tests.harness import media
from tests.harness.server import Server
from tests.harness.uploads import ended, post_source

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"SLUICE_VOD__RENDITIONS": "ladder", "SLUICE_VOD__CHUNK_S": "4"}
    running = Server(tmp_path_factory.mktemp("progressive") / "data", environment).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def video_id(server: Server) -> str:
    """Pictures with B-frames out of a Matroska, copied, and one rendition encoded."""
    source = media.clip(7, size="640x360", b_frames=2, extension="mkv")
    video = ended(server, post_source(server, source)["videoId"])
    assert video["state"] == "done", video["error"]
    return str(video["videoId"])


def times(path: str | Path, stream: str) -> list[float]:
    """When each packet is shown, as ffprobe has it."""
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", stream, "-show_entries", "packet=pts_time", "-of", "json",
         str(path)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return sorted(float(each["pts_time"]) for each in json.loads(done.stdout)["packets"])


def listed(server: Server, root: str) -> list[float]:
    """When each sample of a rendition's segments is shown, as they say it: ffprobe moves those with B-frames."""
    names = re.findall(r"^\d+\.m4s$", server.get(root + "media.m3u8").text, re.MULTILINE)
    init = server.get(root + "init.mp4").body
    mdhd = find(init, b"moov", b"trak", b"mdia", b"mdhd")
    assert mdhd
    timescale = int.from_bytes(init[mdhd.start + 12 : mdhd.start + 16], "big")
    return sorted(sample.pts / timescale for name in names for sample in read_samples(server.get(root + name).body))


@pytest.mark.parametrize(("quality", "rendition"), [("240p", "240p"), ("360p", "video")])
def test_the_same_pictures_at_the_same_times(
    server: Server, video_id: str, quality: str, rendition: str, tmp_path: Path
) -> None:
    url = f"{server.http}/vod/{video_id}/mp4/{quality}.mp4"
    root = f"{server.http}/vod/{video_id}/hls/r1"
    whole = server.get(f"/vod/{video_id}/mp4/{quality}.mp4").body
    assert whole.index(b"moov") < whole.index(b"mdat")
    saved = tmp_path / "film.mp4"
    saved.write_bytes(whole)

    assert media.frame_hashes(saved) == media.frame_hashes(f"{root}/{rendition}/media.m3u8")
    assert media.frame_hashes(saved, "a") == media.frame_hashes(f"{root}/audio/media.m3u8", "a")
    for stream, playlist in (("v", rendition), ("a", "audio")):
        ours, theirs = times(url, stream), listed(server, f"/vod/{video_id}/hls/r1/{playlist}/")
        assert len(ours) == len(theirs)
        assert ours == pytest.approx(theirs, abs=0.0005)
    assert media.duration_s(url) == pytest.approx(7, abs=0.05)


def test_sound_alone(server: Server, video_id: str) -> None:
    url = f"{server.http}/vod/{video_id}/mp4/audio.m4a"
    assert media.frame_hashes(url, "a") == media.frame_hashes(
        f"{server.http}/vod/{video_id}/hls/r1/audio/media.m3u8", "a"
    )


def test_the_source_is_what_it_was(server: Server, video_id: str) -> None:
    answer = server.get(f"/vod/{video_id}/mp4/source.mp4?dl=1")
    assert answer.headers["Content-Type"] == "video/x-matroska"
    assert answer.headers["Content-Disposition"].endswith('.mkv"')
    assert answer.body == media.clip(7, size="640x360", b_frames=2, extension="mkv").read_bytes()


@pytest.mark.browser
@pytest.mark.asyncio
async def test_a_browser_plays_and_seeks(server: Server, video_id: str) -> None:
    """`<video src>` on the file itself: what is behind the head is asked for by ranges."""
    from tests.player.pages import chromium

    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{server.http}/vod/{video_id}/mp4/240p.mp4")
        await page.wait_for_function("document.querySelector('video')?.readyState >= 2")
        await page.evaluate("const v = document.querySelector('video'); v.muted = true; v.currentTime = 5; v.play()")
        await page.wait_for_function("document.querySelector('video').currentTime > 5.5")
        found = await page.evaluate(
            "() => { const v = document.querySelector('video'); return [v.duration, v.videoWidth, v.error]; }"
        )
    assert found == [pytest.approx(7, abs=0.05), 426, None]
