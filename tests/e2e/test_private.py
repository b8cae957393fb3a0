"""Signed watching: every byte of a private asset needs a token that was made for it."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Answer, Server, until
from tests.harness.uploads import ended, post_source

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def video(server: Server) -> dict[str, Any]:
    return ended(server, post_source(server, media.clip(13), public=False)["videoId"])


def mint(server: Server, video: dict[str, Any], **claims: Any) -> dict[str, Any]:
    found: dict[str, Any] = server.api("POST", f"/videos/{video['videoId']}/tokens", claims)
    return found


def follow(server: Server, path: str, **more: Any) -> tuple[str, Answer]:
    """The path that answers in the end, and its answer."""
    answer = server.get(path, **more)
    if answer.status != 302:
        return path, answer
    base = path.split("?")[0].rsplit("/", 1)[0]
    location = answer.headers["Location"]
    while location.startswith("../"):
        base, location = base.rsplit("/", 1)[0], location.removeprefix("../")
    return follow(server, f"{base}/{location}", **more)


def is_refused(answer: Answer, code: str) -> bool:
    told = answer.json()
    return answer.status == 403 and told["status"] == 403 and told["type"].endswith(code)


def test_without_a_token_not_a_byte_is_given(server: Server, video: dict[str, Any]) -> None:
    root = f"/vod/{video['videoId']}"
    for tail in (
        "hls/manifest.m3u8",
        "hls/r1/video/media.m3u8",
        "hls/r1/video/init.mp4",
        "hls/r1/video/0.m4s",
        "hls/r1/audio/0.m4s",
        "mp4/source.mp4",
        "thumbnail.jpg",
    ):
        assert is_refused(server.get(f"{root}/{tail}"), "playback-token-missing"), tail
        assert server.get(f"{root}/token/x/{tail}").status == 403, tail


def test_a_token_opens_everything_below_it(server: Server, video: dict[str, Any]) -> None:
    minted = mint(server, video)
    path = minted["hls"].removeprefix(server.http)

    session_path, answer = follow(server, path)

    assert answer.status == 200
    assert session_path != path  # a session of its own was opened
    assert media.frame_hashes(minted["hls"]) == media.frame_hashes(media.clip(13))
    by_query = f"/vod/{video['videoId']}/hls/manifest.m3u8?token={minted['token']}"
    assert follow(server, by_query)[1].status == 200


def test_playback_outlives_the_link_that_began_it(server: Server, video: dict[str, Any]) -> None:
    minted = mint(server, video, ttl=1)
    session_path, _ = follow(server, minted["hls"].removeprefix(server.http))
    base = session_path.rsplit("/", 1)[0]
    time.sleep(7)  # a second to live and five of leeway

    late = server.get(minted["hls"].removeprefix(server.http))
    going_on = server.get(f"{base}/r1/video/2.m4s")

    assert is_refused(late, "playback-token-expired")
    assert going_on.status == 200


def test_wrong_tokens_are_refused_with_a_reason(server: Server, video: dict[str, Any]) -> None:
    other = ended(server, post_source(server, media.clip(4), public=False)["videoId"])
    good = mint(server, video)["token"]
    header, payload, signature = good.split(".")
    now = int(time.time())
    claims = {"sub": video["videoId"], "aud": "playback", "exp": now + 600}
    wrong = {
        "for another video": mint(server, other)["token"],
        "tampered": f"{header}.{payload}.{signature[:-4]}AAAA",
        "unsigned": jwt.encode(claims, "", "none"),
        "by another secret": jwt.encode(claims, "x" * 64, "HS256"),
        "no JWT": "abc",
    }
    for name, token in wrong.items():
        answer = server.get(f"/vod/{video['videoId']}/token/{token}/hls/manifest.m3u8")
        assert is_refused(answer, "playback-token-invalid"), name
        assert token not in answer.text


def test_a_page_that_is_not_allowed_is_refused(server: Server, video: dict[str, Any]) -> None:
    path = mint(server, video, origins=["https://good.example"])["hls"].removeprefix(server.http)

    good = follow(server, path, headers={"Origin": "https://good.example"})[1]
    evil = server.get(path, headers={"Origin": "https://evil.example"})

    assert good.status == 200
    assert is_refused(evil, "playback-blocked")


def test_no_token_reaches_the_log(server: Server, video: dict[str, Any]) -> None:
    token = mint(server, video)["token"]
    follow(server, f"/vod/{video['videoId']}/token/{token}/hls/manifest.m3u8")
    server.get(f"/embed/{video['videoId']}?token={token}")

    assert token not in server.log()
    assert "eyJ" not in server.log()


def test_a_private_live_stream_needs_its_token_for_every_byte(server: Server) -> None:
    live = server.live_stream(public=False)
    path = f"/live/{live['liveStreamId']}.m3u8"
    with publishing(media.clip(10), server.ingest_url(live)):
        minted = server.api("POST", f"/live-streams/{live['liveStreamId']}/tokens", {})
        url = minted["hls"].removeprefix(server.http)
        until(lambda: follow(server, url)[1].status == 200)
        assert is_refused(server.get(path), "playback-token-missing")
        session_path, answer = follow(server, url)
        listed = re.search(r"^[^#\s].+$", answer.text, re.M)
        assert listed
        playlist_path = f"{session_path.rsplit('/', 1)[0]}/{listed[0]}"
        playlist = server.get(playlist_path)
        assert playlist.status == 200
        init = re.search(r'MAP:URI="([^"]+)"', playlist.text)
        assert init
        assert server.get(f"{playlist_path.rsplit('/', 1)[0]}/{init[1]}").status == 200
        bare = f"/live/{listed[0]}"
        assert server.get(bare).status == 403
        assert server.get(f"{bare.rsplit('/', 1)[0]}/{init[1]}").status == 403


def test_the_command_line_mints(server: Server, video: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "server", "token", video["videoId"], "--ttl", "60"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120, check=True,
        env={"SLUICE_STORAGE__PATH": str(server.data), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    token = done.stdout.strip()

    answer = follow(server, f"/vod/{video['videoId']}/token/{token}/hls/manifest.m3u8")[1]

    assert answer.status == 200
