"""Enhanced RTMP from a real encoder to what viewers fetch: every codec, several tracks, and back out over RTMP."""

import re
import subprocess
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import av
import pytest

from tests.harness.modern import FFMPEG, FPS, Encoder
from tests.harness.server import Server, until
from tests.player.pages import PlayerPage, chromium

pytestmark = pytest.mark.server

SECONDS = 6
CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "HEVC and AAC": (("hevc",), ("aac",), r"hvc1\.1\.6\.L\d+\.90,mp4a\.40\.2"),
    "HEVC and AC-3": (("hevc",), ("ac3",), r"hvc1\.1\.6\.L\d+\.90,ac-3"),
    "AV1 and Opus": (("av1",), ("opus",), r"av01\.0\.00M\.08,Opus"),
    "VP9 and Opus": (("vp9",), ("opus",), r"vp09\.00\.10\.08,Opus"),
    "H.264 and FLAC": (("h264",), ("flac",), r"avc1\.42c00a,fLaC"),
    "two of each": (("h264", "hevc"), ("aac", "opus"), r"avc1\.42c00a,.*mp4a\.40\.2.*"),
}


@pytest.fixture(scope="module")
def broadcasts(server: Server) -> Iterator[dict[str, dict[str, Any]]]:
    """All of them at once, played out by one RTMP player each, to their end."""
    lives = {name: server.live_stream() for name in CASES}
    encoders, players = {}, {}
    for name, (video, audio, _) in CASES.items():
        encoders[name] = Encoder.publish(server.ingest_url(lives[name]), video, audio, SECONDS)
    try:
        for name, live in lives.items():
            path = f"/live/{live['liveStreamId']}.m3u8"
            until(lambda path=path: server.get(path).status == 200)  # type: ignore[misc]
            players[name] = subprocess.Popen(
                [FFMPEG, "-nostdin", "-v", "error", "-rtmp_live", "live", "-i", opened(server, live), "-c", "copy",
                 "-f", "matroska", "-"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        for encoder in encoders.values():
            encoder.wait()
        for name, player in players.items():
            played, said = player.communicate(timeout=20)
            lives[name] |= {"played": played, "said": said.decode()}
        yield lives
    finally:
        for encoder in encoders.values():
            encoder.stop()
        for player in players.values():
            player.kill()
            player.communicate()


def opened(server: Server, live: dict[str, Any]) -> str:
    """The URL of a player with a playback token."""
    token = server.api("POST", f"/live-streams/{live['liveStreamId']}/tokens", {"ttl": 60})["token"]
    return f"{server.rtmp}/{live['liveStreamId']}?token={token}"


def renditions(server: Server, live: dict[str, Any]) -> dict[str, bytes]:
    """Init and media segments of each rendition of a finished broadcast, joined."""
    master = server.get(f"/live/{live['liveStreamId']}.m3u8").text
    found = {}
    for path in re.findall(r'URI="([^"]+media\.m3u8)"|^([^#\n]\S+)$', master, re.M):
        playlist = "/live/" + (path[0] or path[1])
        until(lambda playlist=playlist: "#EXT-X-ENDLIST" in server.get(playlist).text)  # type: ignore[misc]
        text = server.get(playlist).text
        maps = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', text)
        assert len(set(maps)) == 1, text
        base = playlist.rsplit("/", 1)[0]
        names = [maps[0], *re.findall(r"^([^#\n]\S+)$", text, re.M)]
        found[playlist.split("/")[-2]] = b"".join(server.get(f"{base}/{name}").body for name in names)
    return found


def decoded(data: bytes, kind: str) -> int:
    """How many pictures, or milliseconds of sound, of the first track of a kind decode."""
    with av.open(BytesIO(data)) as container:
        if kind == "video":
            return sum(1 for _ in container.decode(video=0))
        return sum(frame.samples * 1000 // frame.sample_rate for frame in container.decode(audio=0))


@pytest.mark.parametrize("name", CASES)
def test_every_codec_is_packaged_whole(server: Server, broadcasts: dict[str, dict[str, Any]], name: str) -> None:
    video, audio, codecs = CASES[name]
    live = broadcasts[name]
    master = server.get(f"/live/{live['liveStreamId']}.m3u8").text
    assert re.search(f'CODECS="{codecs}"', master), master
    found = renditions(server, live)
    expected = {
        *(f"video{index or ''}" for index in range(len(video) + 1) if index != 1 and index <= len(video)),
        *(f"audio{index or ''}" for index in range(len(audio) + 1) if index != 1 and index <= len(audio)),
    }
    assert set(found) == expected
    for rendition, data in found.items():
        kind = rendition.rstrip("2345678")
        length = decoded(data, kind)
        if kind == "video":
            assert SECONDS * FPS - 2 <= length <= SECONDS * FPS, f"{rendition}: {length} pictures"
        else:
            assert (SECONDS - 2) * 1000 < length < (SECONDS + 0.5) * 1000, f"{rendition}: {length} ms"


@pytest.mark.parametrize("name", CASES)
def test_every_codec_is_played_over_rtmp(broadcasts: dict[str, dict[str, Any]], name: str) -> None:
    (video, *_), (audio, *_), _ = CASES[name]
    live = broadcasts[name]
    assert live["played"], live["said"]
    with av.open(BytesIO(live["played"])) as container:
        codecs = [stream.codec_context.codec.canonical_name for stream in container.streams]
        assert sorted(codecs) == sorted([video, audio]), live["said"]
    assert decoded(live["played"], "video") >= FPS
    assert decoded(live["played"], "audio") >= 700


@pytest.mark.browser
async def test_av1_and_opus_play_in_a_browser(server: Server) -> None:
    live = server.live_stream()
    encoder = Encoder.publish(server.ingest_url(live), ("av1",), ("opus",), 60)
    try:
        async with chromium() as browser:
            page = PlayerPage(await browser.new_page())
            await page.open(f"{server.http}/embed/{live['liveStreamId']}?autoplay&muted")
            await page.moving(30)
            assert (await page.video("videoWidth"), await page.video("videoHeight")) == (160, 96)
            await page.until("v.webkitAudioDecodedByteCount > 0 && v.webkitVideoDecodedByteCount > 0")
            await page.quiet()
    finally:
        encoder.stop()
