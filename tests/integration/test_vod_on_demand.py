"""Renditions that are made segment by segment when they are asked for, through a real server."""

import concurrent.futures
import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.harness import media
from tests.harness.server import Answer, Server, until
from tests.harness.uploads import ended, post_source

pytestmark = pytest.mark.server

ENVIRONMENT = {"SLUICE_VOD__RENDITIONS": "on-demand", "SLUICE_VOD__LADDER": "[120]"}
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "60", "-c:a", "libopus")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("on-demand") / "data", ENVIRONMENT).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def video(server: Server) -> Mapping[str, Any]:
    """320x180, 10 s, of which 120p is made on request."""
    made = post_source(server, media.clip(10, b_frames=2))
    found = ended(server, made["videoId"])
    assert found["state"] == "done", found["error"]
    return found


def root(video: Mapping[str, Any]) -> str:
    return f"/vod/{video['videoId']}/hls/"


def segments(text: str) -> list[tuple[int, float]]:
    """Number and length of each, as a playlist says it."""
    found = re.findall(r"#EXTINF:([\d.]+),\n(\d+)\.m4s", text)
    return [(int(number), float(length_s)) for length_s, number in found]


def counter(server: Server, name: str) -> float:
    found = re.search(rf"^{name}(?:_total)? ([\d.e+]+)$", server.get("/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


def fetched(server: Server, path: str) -> Answer:
    """As players do: who is told to ask again does."""

    def ask() -> Answer | None:
        answer = server.get(path)
        return None if answer.status == 503 else answer

    found: Answer = until(ask, 60)
    return found


def test_all_is_listed_in_full_before_anything_is_made(server: Server, video: Mapping[str, Any]) -> None:
    master = server.get(root(video) + "manifest.m3u8")
    assert re.findall(r"^r1/(\w+)/", master.text, re.MULTILINE) == ["video", "120p"]
    assert "Sluice-Growing" not in master.headers
    playlist = server.get(root(video) + "r1/120p/media.m3u8")
    assert "immutable" in playlist.headers["Cache-Control"]
    assert segments(playlist.text) == [(number, 2.0) for number in range(5)]
    assert playlist.text.rstrip().endswith("#EXT-X-ENDLIST")
    assert server.get(root(video) + "r1/120p/init.mp4").body[4:8] == b"ftyp"
    stored = server.data / "videos" / str(video["videoId"]) / "r1" / "120p"
    assert sorted(path.name for path in stored.iterdir()) == ["init.mp4", "track"]
    status = server.api("GET", f"/videos/{video['videoId']}/status")["encoding"]
    assert {(each["quality"], each["status"]) for each in status["qualities"]} == {
        ("240p", "encoded"),
    }, "the smallest name that the dialect has"  # fmt: skip


def test_any_segment_is_made_when_it_is_asked_for_and_only_once(server: Server, video: Mapping[str, Any]) -> None:
    path = root(video) + "r1/120p/3.m4s"
    with concurrent.futures.ThreadPoolExecutor(4) as asking:
        answers: list[Answer] = list(asking.map(lambda _: server.get(path), range(4)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert "immutable" in answers[0].headers["Cache-Control"]
    piece = server.get(path, headers={"Range": "bytes=10-19"})
    assert (piece.status, piece.body) == (206, answers[0].body[10:20])
    again = server.get(path, headers={"If-None-Match": answers[0].headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert server.get(root(video) + "r1/120p/5.m4s").status == 404
    until(lambda: counter(server, "sluice_segments_made") >= 2)  # and the one after it, which is the last
    assert len(media.frame_hashes(server.http + root(video) + "r1/120p/media.m3u8")) == 300
    assert counter(server, "sluice_segments_made") == 5
    assert len(media.frame_hashes(f"{server.http}/vod/{video['videoId']}/dash/manifest.mpd", "v:1")) == 300


def test_a_private_videos_segments_are_for_those_who_may(server: Server) -> None:
    made = post_source(server, media.clip(4), public=False)
    found = ended(server, made["videoId"])
    path = f"/vod/{found['videoId']}/hls/r1/120p/1.m4s"
    before = counter(server, "sluice_segments_made")
    assert server.get(path).status == 403
    assert counter(server, "sluice_segments_made") == before
    token = server.api("POST", f"/videos/{found['videoId']}/tokens", {})["token"]
    assert server.get(path.replace("/hls/", f"/token/{token}/hls/")).status == 200


@pytest.mark.parametrize(("extension", "extra"), [("mkv", ()), ("ts", ()), ("webm", VP9)])
def test_other_containers_too(server: Server, extension: str, extra: tuple[str, ...]) -> None:
    source = media.clip(7, extension=extension, extra=extra)
    found = ended(server, post_source(server, source)["videoId"])
    assert found["state"] == "done", found["error"]
    master = server.get(root(found) + "manifest.m3u8").text
    assert re.findall(r"^r1/(\w+)/", master, re.MULTILINE)[-1] == "120p"
    text = server.get(root(found) + "r1/120p/media.m3u8").text
    assert sum(length_s for _, length_s in segments(text)) == pytest.approx(7, abs=0.1)
    last = segments(text)[-1][0]
    assert fetched(server, root(found) + f"r1/120p/{last}.m4s").status == 200, "the end first"
    assert len(media.frame_hashes(server.http + root(found) + "r1/120p/media.m3u8")) == 210


def test_what_a_title_needs_is_told_before_anything_is_made(server: Server) -> None:
    """Twelve seconds are enough to look at."""
    found = ended(server, post_source(server, media.clip(12, b_frames=2))["videoId"])
    assert found["state"] == "done", found["error"]
    plan = json.loads((server.data / "videos" / str(found["videoId"]) / "r1" / "plan").read_bytes())
    assert len(plan["title"]["rates"]) == 2
    assert fetched(server, root(found) + "r1/120p/5.m4s").status == 200


def test_where_key_frames_are_far_apart_it_is_made_ahead(server: Server) -> None:
    """Whether it has an index of its own, or has to be sought in."""
    for extension in ("mp4", "mkv"):
        source = media.clip(16, fps=15, gop_s=16, extension=extension)
        found = ended(server, post_source(server, source)["videoId"])
        assert found["state"] == "done", found["error"]
        stored = server.data / "videos" / str(found["videoId"]) / "r1" / "120p"
        assert (stored / "complete").exists(), extension
        assert len(media.frame_hashes(f"{server.http}{root(found)}r1/120p/media.m3u8")) == 240


def test_a_server_that_is_killed_gives_out_no_torn_segment(tmp_path: Path) -> None:
    source = media.clip(10, b_frames=2)
    server = Server(tmp_path / "data", ENVIRONMENT).start()
    try:
        video = ended(server, post_source(server, source)["videoId"])
        path = root(video) + "r1/120p/"
        whole: dict[int, Answer] = {}
        for number, delay_s in ((4, 0.05), (1, 0.3)):
            with concurrent.futures.ThreadPoolExecutor(1) as asking:
                asked = asking.submit(_whole, server, path + f"{number}.m4s")
                time.sleep(delay_s)
                server.kill()
                answer = asked.result()
            server.start()
            if answer is not None:
                whole[number] = answer
        for number in range(5):
            answer = fetched(server, path + f"{number}.m4s")
            assert is_as(answer, whole.get(number, answer))
        assert len(media.frame_hashes(server.http + path + "media.m3u8")) == 300
    finally:
        server.stop()


def _whole(server: Server, path: str) -> Answer | None:
    """None where the server went meanwhile."""
    try:
        answer = server.get(path)
    except OSError:
        return None
    return answer if answer.status == 200 else None


def is_as(answer: Answer, before: Answer) -> bool:
    """Whether a segment is the one before, or another with as many pictures under another name: what of one is in a
    cache must not be completed with the other."""
    same = answer.headers["ETag"] == before.headers["ETag"]
    return same == (answer.body == before.body) and pictures(answer.body) == pictures(before.body) > 0


def pictures(segment: bytes) -> int:
    """How many there are, as its one track run says (ISO/IEC 14496-12, 8.8.8)."""
    return int.from_bytes(segment[(at := segment.index(b"trun") + 8) : at + 4], "big")


def test_a_small_cache_holds_what_it_may(tmp_path: Path) -> None:
    limit = 150_000  # three or so of five
    server = Server(tmp_path / "data", {**ENVIRONMENT, "SLUICE_VOD__ON_DEMAND_CACHE_BYTES": str(limit)}).start()
    try:
        video = ended(server, post_source(server, media.clip(10, b_frames=2))["videoId"])
        path = root(video) + "r1/120p/"
        first = fetched(server, path + "0.m4s")
        assert len(media.frame_hashes(server.http + path + "media.m3u8")) == 300
        until(lambda: counter(server, "sluice_segment_cache_bytes") <= limit)
        stored = server.data / "videos" / str(video["videoId"]) / "r1" / "120p"
        until(lambda: sum(each.stat().st_size for each in stored.glob("[0-9].mp4")) <= limit)
        assert counter(server, "sluice_segment_cache_removed") >= 1
        assert is_as(fetched(server, path + "0.m4s"), first)
    finally:
        server.stop()
