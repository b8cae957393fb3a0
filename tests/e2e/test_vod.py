"""A file in, a playing video out, from its own index; and what can't be one says why."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness import media
from tests.harness.server import Server, until
from tests.harness.uploads import ended, post_source

pytestmark = pytest.mark.server


def manifest(video: dict[str, Any]) -> str:
    return f"/vod/{video['videoId']}/hls/manifest.m3u8"


@pytest.mark.parametrize("b_frames", [0, 2])
def test_an_mp4_plays_every_frame_as_it_was(b_frames: int, server: Server) -> None:
    source = media.clip(13, b_frames=b_frames)
    video = ended(server, post_source(server, source)["videoId"])

    assert (video["state"], video["playable"], video["error"]) == ("done", True, None)
    assert abs(video["duration"] - 13) < 0.1
    url = server.http + manifest(video)
    assert media.frame_hashes(url) == media.frame_hashes(source)
    assert media.same_sound(media.frame_hashes(url, "a"), media.frame_hashes(source, "a"))


def test_a_video_without_a_file_answers_202(server: Server) -> None:
    video = server.api("POST", "/videos", {"title": "later"})

    answer = server.get(manifest(video))

    assert (answer.status, answer.body) == (202, b"")


def test_the_source_is_offered_with_ranges_and_as_a_download(server: Server) -> None:
    source = media.clip(13)
    video = ended(server, post_source(server, source)["videoId"])
    path = f"/vod/{video['videoId']}/mp4/source.mp4"

    whole = server.get(path)
    piece = server.get(path, headers={"Range": "bytes=100-199"})

    assert whole.body == source.read_bytes()
    assert (piece.status, piece.body) == (206, source.read_bytes()[100:200])
    assert "attachment" in server.get(path + "?dl=1").headers["Content-Disposition"]


def test_segments_have_ranges_etags_and_are_immutable(server: Server) -> None:
    video = ended(server, post_source(server, media.clip(13))["videoId"])
    path = f"/vod/{video['videoId']}/hls/r1/video/1.m4s"

    whole = server.get(path)
    piece = server.get(path, headers={"Range": "bytes=10-19"})
    again = server.get(path, headers={"If-None-Match": whole.headers["ETag"]})

    assert "immutable" in whole.headers["Cache-Control"]
    assert (piece.status, piece.body) == (206, whole.body[10:20])
    assert (again.status, again.body) == (304, b"")
    assert server.get(path, headers={"Range": "bytes=999999999-"}).status == 416
    assert server.get(f"/vod/{video['videoId']}/hls/r2/video/1.m4s").status == 404
    assert server.get(f"/vod/{video['videoId']}/hls/r1/video/999.m4s").status == 404


def test_a_poster_is_made(server: Server) -> None:
    video = ended(server, post_source(server, media.clip(13))["videoId"])
    path = f"/vod/{video['videoId']}/thumbnail.jpg"

    picture = until(lambda: (answer := server.get(path)).status == 200 and answer)

    assert picture.headers["Content-Type"] == "image/jpeg"
    assert picture.body[:3] == b"\xff\xd8\xff"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("zero.mp4", None, "not-media"),
        ("text.mp4", b"this is not a video\n" * 100, "not-media"),
        ("list.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n/etc/passwd\n", "not-media"),
        ("concat.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "not-media"),
        ("half.mp4", "half", "truncated"),
    ],
)
def test_what_is_no_video_says_so(name: str, content: Any, code: str, tmp_path: Path, server: Server) -> None:
    path = tmp_path / name
    if content == "half":
        content = media.clip(13).read_bytes()[:60_000]
    path.write_bytes(content if content is not None else b"\0" * 5000)

    video = ended(server, post_source(server, path)["videoId"])

    assert (video["state"], video["playable"]) == ("error", False)
    assert video["error"]["code"] == code
    assert video["error"]["detail"]
    assert server.get(manifest(video)).status == 404


@pytest.mark.parametrize(
    ("extension", "options"),
    [("mkv", ()), ("ts", ()), ("mp4", ("-c:v", "mpeg4")), ("mp4", ("-movflags", "frag_keyframe+empty_moov"))],
)
def test_what_its_index_does_not_serve_plays_too(
    extension: str, options: tuple[str, ...], tmp_path: Path, server: Server
) -> None:
    path = tmp_path / f"file.{extension}"
    media.ffmpeg("-i", media.clip(4), *(options if "-c:v" in options else ("-c", "copy", *options)), path)

    video = ended(server, post_source(server, path)["videoId"], 60)

    assert (video["state"], video["playable"]) == ("done", True), video["error"]
    assert len(media.frame_hashes(server.http + manifest(video))) == 120


def test_playable_half_a_second_after_the_last_byte(server: Server) -> None:
    """The figure is measured by the bench; here only that nothing polls in between."""
    made = post_source(server, media.clip(13))
    began = time.monotonic()
    until(lambda: server.get(manifest(made)).status == 200, step_s=0.02)
    assert time.monotonic() - began < 5


def test_kill_9_while_the_file_is_read_ends_the_same(make_server: Callable[..., Server]) -> None:
    server = make_server()
    source = media.clip(13, b_frames=2)
    videos = []
    for delay_s in (0.0, 0.1, 0.2, 0.4):
        videos.append(post_source(server, source)["videoId"])
        time.sleep(delay_s)
        server.kill()
        server.start()
    for video_id in videos:
        video = ended(server, video_id)
        assert video["state"] == "done"
        assert media.frame_hashes(server.http + manifest(video)) == media.frame_hashes(source)


def test_a_deleted_video_leaves_nothing(make_server: Callable[..., Server]) -> None:
    server = make_server()
    video = ended(server, post_source(server, media.clip(4))["videoId"])
    assert (server.data / "videos" / video["videoId"] / "source").exists()

    assert server.call("DELETE", f"/videos/{video['videoId']}").status == 204

    until(lambda: not (server.data / "videos" / video["videoId"]).exists())
    assert server.get(manifest(video)).status == 404
