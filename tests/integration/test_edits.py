"""What becomes of videos after their upload, through a real server: another file, and what is watched meanwhile."""

import re
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server import ids
from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import OWNER_KEY, Answer, Server, until
from tests.harness.uploads import ended, post_source
from tests.postgres import Cluster

VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("edits") / "data").start()
    yield running
    running.stop()


def manifest(server: Server, video_id: str) -> Answer:
    return server.get(f"/vod/{video_id}/hls/manifest.m3u8")


def revision(server: Server, video_id: str) -> int:
    return int(re.search(r"^r(\d+)/", manifest(server, video_id).text, re.MULTILINE)[1])  # type: ignore[index]


def pictures(server: Server, video_id: str, at: int | None = None) -> list[str]:
    at = at or revision(server, video_id)
    return media.frame_hashes(f"{server.http}/vod/{video_id}/hls/r{at}/video/media.m3u8")


def uploaded(server: Server, path: Path, **fields: Any) -> str:
    video = ended(server, post_source(server, path, **fields)["videoId"])
    assert video["state"] == "done", video["error"]
    return str(video["videoId"])


def replace(server: Server, video_id: str, path: Path) -> None:
    sent = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-u", f"{OWNER_KEY}:", "-F", f"file=@{path}",
         f"{server.http}/videos/{video_id}/source?replace=true"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stdout + sent.stderr


def test_another_file_takes_the_place_of_a_video_s_own(server: Server) -> None:
    first, second = media.clip(4, size="320x180"), media.clip(6, size="426x240")
    id = uploaded(server, first)
    old = revision(server, id)
    replace(server, id, second)
    until(lambda: revision(server, id) > old)
    video = ended(server, id)
    assert (video["videoId"], video["state"], video["playable"]) == (id, "done", True)
    assert video["duration"] == pytest.approx(6, abs=0.1)
    assert pictures(server, id) == media.frame_hashes(second)
    assert pictures(server, id, old) == media.frame_hashes(first)  # who watches it goes on
    assert [each["videoId"] for each in server.api("GET", "/videos")["data"]].count(id) == 1
    assert server.get(f"/vod/{id}/mp4/source.mp4").body == second.read_bytes()


def test_a_file_that_is_refused_leaves_the_old_one(server: Server, tmp_path: Path) -> None:
    first = media.clip(4, size="320x180")
    id = uploaded(server, first)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"nothing that is known" * 100)
    before = revision(server, id)
    replace(server, id, bad)
    until(lambda: "video.version.error" in _log(server, id))
    assert revision(server, id) == before
    assert pictures(server, id) == media.frame_hashes(first)
    assert server.api("GET", f"/videos/{id}")["state"] == "done"
    refused = server.call("POST", f"/videos/{id}/source", b"", headers={"Content-Type": "multipart/form-data"})
    assert refused.status == 400


def _log(server: Server, video_id: str) -> list[str]:
    with sqlite3.connect(f"file:{server.data}/sluice.db?mode=ro", uri=True) as database:
        rows = database.execute("SELECT type FROM events WHERE object_id = ? ORDER BY sequence", (video_id,))
        return [row[0] for row in rows]


def test_a_trim_is_exact_to_the_picture_and_can_be_taken_back(server: Server) -> None:
    source = media.clip(10, size="320x180", b_frames=2)
    id = uploaded(server, source)
    shown = revision(server, id)
    server.api("PUT", f"/videos/{id}/trim", {"start": 2.5, "end": 6.1})
    until(lambda: revision(server, id) > shown)
    video = ended(server, id)
    assert (video["trim"], video["duration"]) == ({"start": 2.5, "end": 6.1}, pytest.approx(3.6, abs=0.05))
    found = pictures(server, id)
    whole = media.frame_hashes(source)
    begin = found.index(whole[75])  # before it those that are hidden, for a tick each
    assert found[begin : begin + 108] == whole[75:183]
    assert len(found) - begin <= 110  # two that others needed, at most
    assert media.duration_s(f"{server.http}/vod/{id}/hls/manifest.m3u8") == pytest.approx(3.6, abs=0.05)

    server.api("PUT", f"/videos/{id}/trim", {"start": 8})  # of the whole file
    until(lambda: revision(server, id) > shown + 1)
    assert ended(server, id)["duration"] == pytest.approx(2, abs=0.05)
    server.api("DELETE", f"/videos/{id}/trim")
    until(lambda: revision(server, id) > shown + 2)
    assert (ended(server, id)["trim"], pictures(server, id)) == (None, whole)
    assert server.call("PUT", f"/videos/{id}/trim", {"start": 12}).status == 400


def test_a_video_can_be_trimmed_as_it_comes(server: Server) -> None:
    source = media.clip(10, size="320x180")
    clip = {"startTimecode": "00:00:04", "endTimecode": "00:00:06.5"}
    video = ended(server, post_source(server, source, clip=clip)["videoId"])
    assert (video["state"], video["duration"]) == ("done", pytest.approx(2.5, abs=0.05))
    assert pictures(server, video["videoId"])[-75:] == media.frame_hashes(source)[120:195]
    wrong = {"title": "a", "clip": {"startTimecode": "00:00:04", "endTimecode": "00:00:03"}}
    assert server.call("POST", "/videos", wrong).status == 400


def test_a_clip_of_an_upload_needs_it_no_more(server: Server) -> None:
    source = media.clip(10, size="320x180", b_frames=2)
    id = uploaded(server, source)
    clip = server.api("POST", f"/videos/{id}/clips", {"start": 5, "end": -2, "title": "The goal"})
    server.call("DELETE", f"/videos/{id}")
    made = ended(server, clip["videoId"])
    assert (made["title"], made["state"], made["duration"]) == ("The goal", "done", pytest.approx(3, abs=0.05))
    assert pictures(server, made["videoId"])[-90:] == media.frame_hashes(source)[150:240]
    assert server.call("POST", f"/videos/{made['videoId']}/clips", {"start": 7}).status == 400


def test_videos_are_joined_by_copying(server: Server) -> None:
    first, second = media.clip(4, size="320x180", b_frames=2), media.clip(6, size="320x180", b_frames=2)
    ids = [uploaded(server, path) for path in (first, second)]
    made = ended(server, server.api("POST", "/videos/concat", {"videos": ids, "title": "Both"})["videoId"])
    assert (made["state"], made["title"], made["duration"]) == ("done", "Both", pytest.approx(10, abs=0.1))
    assert pictures(server, made["videoId"]) == media.frame_hashes(first) + media.frame_hashes(second)

    missing = server.call("POST", "/videos/concat", {"videos": [ids[0], "vi1111111111111111111111"]})
    assert (missing.status, missing.json()["name"]) == (404, "videos[1]")


def test_videos_of_all_kinds_are_joined(server: Server) -> None:
    """The first and the last stay as they are; between them another size, codec and rate without sound, and a clip
    whose file hides pictures."""
    first = media.clip(4, size="320x180", b_frames=2)
    other = media.clip(3, size="180x320", fps=25, audio=False, extension="webm", extra=VP9)
    ids = [uploaded(server, path) for path in (first, other)]
    clip = server.api("POST", f"/videos/{ids[0]}/clips", {"start": 1.5, "end": 3.5})
    ended(server, clip["videoId"])
    joined = server.api("POST", "/videos/concat", {"videos": [*ids, clip["videoId"], ids[0]]})
    made = ended(server, joined["videoId"])
    assert (made["state"], made["duration"]) == ("done", pytest.approx(13, abs=0.1)), made["error"]
    found, own = pictures(server, made["videoId"]), media.frame_hashes(first)
    assert (found[:120], found[-120:]) == (own, own)
    assert len(found) == 120 + 75 + 60 + 120
    sound = media.loudness(f"{server.http}/vod/{made['videoId']}/hls/manifest.m3u8")
    assert [round(second) > -60 for second in sound[:13]] == [True] * 4 + [False] * 3 + [True] * 6


CUT: dict[str, dict[str, Any]] = {
    "MP4": {"b_frames": 2, "extra": media.SECONDS},
    "VP9": {"extension": "webm", "extra": (*VP9, *media.SECONDS), "audio": False},
    "VP8": {"extension": "webm", "gop_s": 5, "extra": ("-c:v", "libvpx", "-c:a", "libvorbis", *media.SECONDS)},
}


@pytest.mark.parametrize("kind", CUT)
def test_stretches_are_cut_out_of_a_video(server: Server, kind: str) -> None:
    """In the order of the call, exact to the picture, with their captions; between key frames and on them, also where
    the files that they are made into can't hide what comes before."""
    source = media.clip(10, size="128x72", **CUT[kind])
    id = uploaded(server, source)
    said = b"WEBVTT\n\n00:01.500 --> 00:03.000\nOne\n\n00:06.500 --> 00:07.000\nTwo\n\n00:09.000 --> 00:09.500\nThree\n"
    caption(server, id, said)
    body = {"trim": [{"start": 6, "length": 2}, {"start": 1.5, "length": 2.5}]}
    made = server.api("POST", f"/v1/videos/{id}/cut", body)["data"]
    for wrong in ([{"start": 1, "length": 2}, {"start": 2.5, "length": 2}], [{"start": 1}, {"start": 9}],
                  [{"start": 1, "length": 2}, {"start": 11, "length": 2}]):  # fmt: skip
        assert server.call("POST", f"/v1/videos/{id}/cut", {"trim": wrong}).status == 400
    server.call("DELETE", f"/videos/{id}")

    video = ended(server, made["id"])
    assert (video["state"], video["error"]) == ("done", None)
    assert video["duration"] == pytest.approx(4.5, abs=0.05)
    shown = f"{server.http}/vod/{video['videoId']}/hls/r{revision(server, video['videoId'])}/video/media.m3u8"
    assert media.seconds_shown(shown) == [6] * 30 + [7] * 30 + [1] * 15 + [2] * 30 + [3] * 30
    if kind == "MP4":
        assert pictures(server, video["videoId"])[:60] == media.frame_hashes(source)[180:240]
    if kind == "VP8":
        assert media.duration_s(shown.replace("/video/", "/audio/")) == pytest.approx(4.5, abs=0.1)
    assert [cue[30:] for cue in captions(server, video["videoId"])] == ["Two", "One"]
    assert captions(server, video["videoId"])[0].startswith("00:00:00.5")


def test_a_recording_can_be_trimmed_and_joined_to_a_file(server: Server) -> None:
    source = media.clip(4, size="320x180", b_frames=2)
    live = server.live_stream()
    with publishing(source, server.ingest_url(live), loop=False) as publisher:
        assert publisher.wait(30)[0] == 0
    wanted = f"/videos?liveStreamId={live['liveStreamId']}"
    recording = until(lambda: server.api("GET", wanted)["data"])[0]
    id, hashes = recording["videoId"], media.frame_hashes(source)
    shown = revision(server, id)
    server.api("PUT", f"/videos/{id}/trim", {"start": 1, "end": 3})
    until(lambda: revision(server, id) > shown)
    assert ended(server, id)["duration"] == pytest.approx(2, abs=0.1)
    found = pictures(server, id)
    begin = found.index(hashes[30])
    assert (found[begin : begin + 60], len(found) - begin <= 62) == (hashes[30:90], True)
    assert pictures(server, id, shown) == hashes  # who watches it goes on
    server.api("DELETE", f"/videos/{id}/trim")
    assert revision(server, id) == shown + 2
    assert (pictures(server, id), ended(server, id)["duration"]) == (hashes, pytest.approx(4, abs=0.2))

    ids = [id, uploaded(server, source)]
    made = ended(server, server.api("POST", "/videos/concat", {"videos": ids})["videoId"])
    assert (made["state"], made["duration"]) == ("done", pytest.approx(8, abs=0.2)), made["error"]
    assert pictures(server, made["videoId"]) == hashes * 2

    lengthened(server, id, append=ids[1:])
    assert (pictures(server, id), ended(server, id)["duration"]) == (hashes * 2, pytest.approx(8, abs=0.2))
    assert pictures(server, id, shown) == hashes
    shown = revision(server, id)
    server.api("PUT", f"/videos/{id}/trim", {"start": 6})  # of all that is joined by now
    until(lambda: revision(server, id) > shown)
    server.api("DELETE", f"/videos/{id}/trim")
    until(lambda: revision(server, id) > shown + 1)
    assert pictures(server, id) == hashes * 2


def caption(server: Server, video_id: str, text: bytes) -> None:
    sent = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-u", f"{OWNER_KEY}:", "-F", "file=@-;filename=a.vtt",
         f"{server.http}/videos/{video_id}/captions/en"],
        input=text, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stdout + sent.stderr


def captions(server: Server, video_id: str) -> list[str]:
    """Times and text of each cue."""
    body = server.get(f"/vod/{video_id}/captions/en.vtt").text
    return [" ".join(block.splitlines()) for block in body.strip().split("\n\n")[1:]]


def test_captions_go_along_with_what_is_shown(server: Server, tmp_path: Path) -> None:
    """Those of the file itself; those of one that is trimmed as it comes too."""
    said = tmp_path / "said.srt"
    said.write_text("1\n00:00:01,000 --> 00:00:03,000\nOne\n\n2\n00:00:05,000 --> 00:00:07,000\nTwo\n")
    film = tmp_path / "film.mp4"
    inputs = ("-i", media.clip(10, size="320x180"), "-i", said, "-map", "0", "-map", "1")
    media.ffmpeg(*inputs, "-c", "copy", "-c:s", "mov_text", "-metadata:s:s:0", "language=eng", film)
    id = uploaded(server, film)
    until(lambda: server.get(f"/vod/{id}/captions/en.vtt").status == 200)
    clip = server.api("POST", f"/videos/{id}/clips", {"start": 2, "end": 6})
    ended(server, clip["videoId"])
    parts = ["00:00:00.000 --> 00:00:01.000 One", "00:00:03.000 --> 00:00:04.000 Two"]
    assert captions(server, clip["videoId"]) == parts
    shown = revision(server, id)
    server.api("PUT", f"/videos/{id}/trim", {"start": 2, "end": 6})
    until(lambda: revision(server, id) > shown)
    assert captions(server, id) == parts

    joined = server.api("POST", "/videos/concat", {"videos": [clip["videoId"], id]})
    assert ended(server, joined["videoId"])["state"] == "done"
    found = captions(server, joined["videoId"])
    assert found[:2] == parts
    assert [(cue[:8], cue[-3:]) for cue in found[2:]] == [("00:00:04", "One"), ("00:00:07", "Two")]  # sound ends later

    cut = post_source(server, film, clip={"startTimecode": "00:00:02", "endTimecode": "00:00:06"})["videoId"]
    ended(server, cut)
    until(lambda: server.get(f"/vod/{cut}/captions/en.vtt").status == 200)
    assert captions(server, cut) == parts


def test_what_is_archived_is_made_anew(server: Server) -> None:
    source = media.clip(4, size="320x180")
    id = uploaded(server, source)
    archived = server.api("POST", f"/videos/{id}/archive")
    assert (archived["state"], archived["playable"]) == ("done", False)
    assert archived["archivedAt"]
    answer = manifest(server, id)
    assert (answer.status, "archived" in answer.json()["detail"]) == (404, True)
    server.api("POST", f"/videos/{id}/remake")
    until(lambda: manifest(server, id).status == 200)
    video = ended(server, id)
    assert (video["archivedAt"], video["playable"], pictures(server, id)) == (None, True, media.frame_hashes(source))
    shown = revision(server, id)
    server.api("POST", f"/videos/{id}/remake")  # what there is is watched meanwhile
    until(lambda: revision(server, id) > shown)
    assert pictures(server, id, shown) == pictures(server, id) == media.frame_hashes(source)


def lengthened(server: Server, video_id: str, **parts: list[str]) -> None:
    """Joined with these, `prepend` and `append`, in its own place."""
    shown = revision(server, video_id)
    body = {name: [{"video_id": id} for id in ids] for name, ids in parts.items()}
    answer = server.api("POST", f"/v1/videos/{video_id}/concat", {**body, "replace": True})["data"]
    assert (same_id(answer["id"], video_id), answer["status"]) == (True, "done")
    until(lambda: revision(server, video_id) > shown)


def same_id(uuid: str, video_id: str) -> bool:
    return str(ids.to_uuid("vi", video_id)) == uuid


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """The server of this module; another one, on a database of its own."""
    if request.param == "sqlite":
        yield request.getfixturevalue("server")
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = cluster.create()
    running = Server(tmp_path / "data", {"SLUICE_DATABASE__URL": cluster.url(name)}).start()
    yield running
    running.stop()
    cluster.drop(name)


def test_a_video_is_joined_with_others_in_its_own_place(either: Server) -> None:
    """What hangs on its times moves with it, and who watches it goes on."""
    server = either
    own, first, last = (media.clip(seconds, size="320x180", b_frames=2) for seconds in (4, 6, 3))
    id, intro, outro = (uploaded(server, path) for path in (own, first, last))
    caption(server, id, b"WEBVTT\n\n00:01.000 --> 00:09.000\nOwn\n")
    caption(server, outro, b"WEBVTT\n\n00:01.000 --> 00:02.000\nLast\n")
    path = f"/v1/videos/{id}"
    note = {"title": "More", "link": "https://example.com", "start_time": 1000, "end_time": 2500}
    server.api("POST", f"{path}/annotations", note)
    server.api("POST", f"{path}/posters", {"from_time": 2.0})
    server.api("PUT", f"{path}/chapters", {"items": [{"time": 0, "title": "Own"}]})
    server.api("PUT", f"/v1/videos/{intro}/chapters", {"items": [{"time": 500, "title": "Intro"}]})
    old, poster = revision(server, id), server.get(f"/vod/{id}/thumbnail.jpg").body

    lengthened(server, id, prepend=[intro], append=[outro])

    video = ended(server, id)
    assert (video["state"], video["duration"]) == ("done", pytest.approx(13, abs=0.15))
    hashes = [media.frame_hashes(each) for each in (first, own, last)]
    assert pictures(server, id) == [each for part in hashes for each in part]
    assert pictures(server, id, old) == hashes[1]
    assert media.duration_s(f"{server.http}/vod/{id}/hls/manifest.m3u8") == pytest.approx(13, abs=0.15)
    (own_from, own_to, own_said), (last_from, _, last_said) = map(timed, captions(server, id))
    assert (own_from, own_to, own_said) == (pytest.approx(7, abs=0.1), pytest.approx(10, abs=0.1), "Own")
    assert (last_from, last_said) == (pytest.approx(11, abs=0.15), "Last")
    (annotation,) = server.api("GET", f"{path}/annotations")["data"]
    assert (annotation["start_time"], annotation["end_time"]) == (
        pytest.approx(7000, abs=100), pytest.approx(8500, abs=100),
    )  # fmt: skip
    assert server.get(f"/vod/{id}/thumbnail.jpg").body == poster
    told = server.api("GET", path)["data"]
    assert [each["title"] for each in told["chapters"]["items"]] == ["Intro", "Own"]
    assert [each["time"] for each in told["chapters"]["items"]] == [500, pytest.approx(6000, abs=100)]
    assert told["poster"]
    assert ended(server, intro)["duration"] == pytest.approx(6, abs=0.1)


def timed(cue: str) -> tuple[float, float, str]:
    """From, to and what is said."""
    start, _, end, text = cue.split(maxsplit=3)
    return _seconds(start), _seconds(end), text


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def test_one_that_can_not_be_joined_after_all_leaves_all_as_it_is(server: Server) -> None:
    source = media.clip(4, size="320x180", b_frames=2)
    id, broken = uploaded(server, source), uploaded(server, media.clip(3, size="320x180", b_frames=2))
    caption(server, id, b"WEBVTT\n\n00:01.000 --> 00:02.000\nOwn\n")
    before = revision(server, id), captions(server, id), server.api("GET", f"/v1/videos/{id}")
    (server.data / "videos" / broken / "source").write_bytes(b"nothing that is known" * 100)

    body = {"prepend": [{"video_id": broken}], "append": [], "replace": True}
    server.api("POST", f"/v1/videos/{id}/concat", body)

    until(lambda: "video.version.error" in _log(server, id))
    assert (revision(server, id), captions(server, id), server.api("GET", f"/v1/videos/{id}")) == before
    assert pictures(server, id) == media.frame_hashes(source)
