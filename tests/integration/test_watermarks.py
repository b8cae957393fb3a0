"""Watermarks and crops through a real server: seen in the pixels of all that viewers can load, and the file in none."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import media
from tests.harness.server import OWNER_KEY, Server, until
from tests.harness.uploads import ended, post_source

pytestmark = pytest.mark.server

GREY = ("-vf", "geq=lum=80:cb=128:cr=128")
WHITE = 200  # at least, of the mark; the film is 80, or 74 where it is decoded as of full range


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("marks") / "data", {"SLUICE_VOD__RENDITIONS": "ladder"}).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def mark(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """White, 40 by 20 pixels; its right half can be seen through."""
    path = tmp_path_factory.mktemp("image") / "mark.png"
    media.ffmpeg(
        "-f", "lavfi", "-i", "color=white:size=40x20,format=rgba,geq=r=255:g=255:b=255:a='255*lt(X,20)'",
        "-frames:v", "1", path,
    )  # fmt: skip
    return upload(server, path)


def upload(server: Server, path: Path) -> str:
    sent = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-u", f"{OWNER_KEY}:", "-F", f"file=@{path}", f"{server.http}/watermarks"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stdout + sent.stderr
    found = re.search(r'"watermarkId":"(\w+)"', sent.stdout)
    assert found
    return found[1]


def picture(source: str, at_s: float = 0) -> tuple[int, int, bytes]:
    """Width, height and luma of a picture of a file or playlist."""
    probed = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of", "csv=p=0",
         source],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    width, height = map(int, probed.stdout.split()[0].rstrip(",").split(","))
    made = subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", source, "-ss", str(at_s), "-map", "0:v:0", "-frames:v", "1",
         "-f", "rawvideo", "-pix_fmt", "gray", "-"],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert len(made.stdout) == width * height
    return width, height, made.stdout


def luma(found: tuple[int, int, bytes], across: float, down: float) -> int:
    """At shares of the sides."""
    width, height, data = found
    return data[int(down * height) * width + int(across * width)]


def variants(server: Server, video_id: str) -> dict[str, str]:
    root = f"{server.http}/vod/{video_id}/hls/"
    lines = server.get(f"/vod/{video_id}/hls/manifest.m3u8").text.splitlines()
    return {line.split("/")[1]: root + line for line in lines if line and not line.startswith("#")}


def test_a_mark_is_on_all_that_can_be_loaded(server: Server, mark: str, tmp_path: Path) -> None:
    """And the file itself is not among it, while the renditions are made and after."""
    wanted = {"id": mark, "right": "5%", "bottom": "10%", "width": "40%"}
    source = media.clip(3, size="640x360", extra=GREY)
    made = post_source(server, source, watermark=wanted)
    assert server.call("DELETE", f"/watermarks/{mark}", key=OWNER_KEY).status == 204  # takes it from nobody
    id = made["videoId"]
    video = ended(server, id)
    assert video["state"] == "done", video["error"]

    found = variants(server, id)
    assert list(found) == ["360p", "240p"]
    shown = {name: picture(path, 2.5) for name, path in found.items()}
    assert [each[:2] for each in shown.values()] == [(640, 360), (426, 240)]
    stills = {"poster.jpg": f"/vod/{id}/thumbnail.jpg", "at.jpg": f"/vod/{id}/thumbnail.jpg?time=1.5&exact=1",
              "small.webp": f"/vod/{id}/poster/sm.webp"}  # fmt: skip
    for name, path in stills.items():
        until(lambda: server.get(path).status == 200)  # a video may be done before its poster  # noqa: B023
        (tmp_path / name).write_bytes(server.get(path).body)
        shown[name] = picture(str(tmp_path / name))
    # 40 % across, as high as wide is half of it: from 55 to 95 % and, of 16:9, from 54.4 to 90 %
    for name, each in shown.items():
        assert luma(each, 0.58, 0.60) > WHITE, name
        assert luma(each, 0.70, 0.85) > WHITE, name
        for across, down in ((0.5, 0.7), (0.85, 0.7), (0.65, 0.5), (0.65, 0.95)):  # beside it, and where it is clear
            assert 60 < luma(each, across, down) < 100, (name, across, down)
    sheet = server.get(f"/vod/{id}/storyboard.jpg")
    (tmp_path / "sheet.jpg").write_bytes(sheet.body)
    assert luma(picture(str(tmp_path / "sheet.jpg")), 0.65 / 3, 0.7) > WHITE
    (tmp_path / "moving.mp4").write_bytes(server.get(f"/vod/{id}/animated.mp4?start=0&end=1").body)
    assert luma(picture(str(tmp_path / "moving.mp4")), 0.65, 0.7) > WHITE


def test_the_file_of_what_is_marked_is_not_given_out(server: Server, mark_again: str, tmp_path: Path) -> None:
    id = post_source(server, media.clip(3, size="640x360", extra=GREY), watermark={"id": mark_again})["videoId"]
    assert ended(server, id)["state"] == "done"
    hidden = [f"/vod/{id}/hls/r1/video/media.m3u8", f"/vod/{id}/hls/r1/video/init.mp4",
              f"/vod/{id}/hls/r1/video/0.m4s", f"/vod/{id}/mp4/video.mp4"]  # fmt: skip
    assert [server.get(path).status for path in hidden] == [404] * len(hidden)
    assert server.get(f"/vod/{id}/hls/r1/audio/media.m3u8").status == 200  # sound is not altered
    for name in ("source.mp4", "source.mp4?dl=1", "360p.mp4"):  # all are the best that was made of it
        (tmp_path / "source.mp4").write_bytes(server.get(f"/vod/{id}/mp4/{name}").body)
        assert luma(picture(str(tmp_path / "source.mp4"), 1), 0.03, 0.03) > WHITE
    mpd = server.get(f"/vod/{id}/dash/manifest.mpd").text
    assert "r1/video" not in mpd
    status = server.api("GET", f"/videos/{id}/status")["encoding"]
    assert {each["quality"] for each in status["qualities"]} == {"360p", "240p"}


@pytest.fixture(scope="module")
def mark_again(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("image") / "mark.jpg"
    media.ffmpeg("-f", "lavfi", "-i", "color=white:size=40x20", "-frames:v", "1", path)
    return upload(server, path)


def test_upright_pictures_and_other_containers(server: Server, mark_again: str) -> None:
    """A mark in pixels of the source, half seen through; nothing of what could be copied is."""
    wanted = {"id": mark_again, "left": "36px", "top": "64px", "width": "90px", "height": "32px", "opacity": "50%"}
    source = media.clip(2, size="360x640", extension="mkv", extra=GREY)
    id = post_source(server, source, watermark=wanted)["videoId"]
    video = ended(server, id)
    assert video["state"] == "done", video["error"]
    found = variants(server, id)
    assert list(found) == ["360p", "240p"]
    for name, path in found.items():
        shown = picture(path)
        assert 140 < luma(shown, 0.2, 0.125) < 190, name  # (80 + 235) / 2, or so
        assert [luma(shown, *at) for at in ((0.05, 0.125), (0.4, 0.125), (0.2, 0.08), (0.2, 0.17))] == pytest.approx(
            [80] * 4, abs=20
        ), name


def test_a_crop_is_what_is_seen(server: Server, tmp_path: Path) -> None:
    """The right half of a picture that is dark at its left."""
    halves = ("-vf", "geq=lum='if(lt(X,320),40,160)':cb=128:cr=128")
    source = media.clip(3, size="640x480", extra=halves)
    id = post_source(server, source, crop={"left": "50%", "width": "50%", "height": "240px"})["videoId"]
    video = ended(server, id)
    assert video["state"] == "done", video["error"]
    found = variants(server, id)
    assert list(found) == ["240p"]
    shown = picture(found["240p"])
    assert shown[:2] == (320, 240)
    assert min(shown[2]) > 120
    (tmp_path / "poster.jpg").write_bytes(server.get(f"/vod/{id}/thumbnail.jpg?time=1").body)
    still = picture(str(tmp_path / "poster.jpg"))
    assert still[:2] == (320, 240)
    assert min(still[2]) > 120


def test_a_crop_that_does_not_fit_is_said(server: Server) -> None:
    crop = {"left": "10px", "top": "0px", "width": "320px", "height": "100px"}
    video = ended(server, post_source(server, media.clip(1), crop=crop)["videoId"])
    assert video["state"] == "error"
    error: Any = video["error"]
    assert error["code"] == "crop"
    assert error["detail"] == "crop.left 10px and crop.width 320px are more than the picture's 320 pixels"


def test_sound_alone_is_heard_whatever_is_wanted_of_its_pictures(server: Server, mark_again: str) -> None:
    source = media.clip(2, video=False, extension="m4a")
    video = ended(server, post_source(server, source, watermark={"id": mark_again})["videoId"])
    assert video["state"] == "done", video["error"]
    assert list(variants(server, video["videoId"])) == ["audio"]


def test_a_video_is_made_anew_with_other_looks(server: Server, tmp_path: Path) -> None:
    """Marked and cropped, then as it was: what was shown before is watched until the new is there."""
    image = tmp_path / "mark.png"
    media.ffmpeg("-f", "lavfi", "-i", "color=white:size=40x40", "-frames:v", "1", image)
    looks = {
        "watermark": {"id": upload(server, image), "left": "0px", "top": "0px", "width": "50%", "height": "50%"},
        "crop": {"left": "0px", "top": "0px", "width": "320px", "height": "100%"},
    }
    id = post_source(server, media.clip(3, size="640x360", extra=GREY))["videoId"]
    assert ended(server, id)["state"] == "done"

    ordered = server.api("POST", f"/videos/{id}/remake", looks)
    assert (ordered["crop"], ordered["watermark"]) == (None, None)
    video = until(lambda: (found := server.api("GET", f"/videos/{id}"))["crop"] and found, 120)
    assert (video["state"], video["watermark"]["id"]) == ("done", looks["watermark"]["id"])
    found = picture(next(iter(variants(server, id).values())))
    assert found[:2] == (320, 360)
    assert (luma(found, 0.25, 0.25) > WHITE, luma(found, 0.75, 0.75) < 100) == (True, True)
    assert picture(f"{server.http}/vod/{id}/mp4/source.mp4")[:2] == (320, 360)

    server.api("POST", f"/videos/{id}/remake", {"watermark": None, "crop": None})
    until(lambda: server.api("GET", f"/videos/{id}")["crop"] is None, 120)
    found = picture(variants(server, id)["video"])
    assert (found[:2], luma(found, 0.25, 0.25) < 100) == ((640, 360), True)
    unknown = server.call("POST", f"/videos/{id}/remake", {"watermark": {**looks["watermark"], "id": "watermark_1"}})
    assert unknown.status == 400
