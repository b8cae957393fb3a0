"""Uploads that come slowly: all is ready when the last byte comes, and nothing is shown before, nor left after."""

import base64
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.harness.media import clip, ffmpeg, frame_hashes
from tests.harness.server import Server, until

V = {"Tus-Resumable": "1.0.0"}
CHUNK = {**V, "Content-Type": "application/offset+octet-stream"}
KINDS = {"fast-start.mp4": ("-movflags", "+faststart"), "tail.mp4": (), "film.mkv": (), "film.ts": ()}

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of some ten megabytes."""
    folder = tmp_path_factory.mktemp("films")
    rate = ("-b:v", "3M", "-minrate", "3M", "-maxrate", "3M", "-bufsize", "1M", "-x264-params", "nal-hrd=cbr")
    source = clip(30, extra=rate)
    for name, arguments in KINDS.items():
        ffmpeg("-i", source, "-c", "copy", *arguments, folder / name)
    return {name: folder / name for name in KINDS}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("early") / "data").start()
    yield running
    running.stop()


class Slow:
    """A tus upload in pieces."""

    def __init__(self, server: Server, path: Path) -> None:
        self.server, self.data, self.at = server, path.read_bytes(), 0
        answer = server.call("POST", "/tus", b"", headers={**V, "Upload-Length": str(len(self.data))})
        self.url, self.video_id = answer.headers["Location"], answer.headers["Sluice-Video-Id"]
        self.folder = server.data / "uploads" / self.url.split("/")[2]

    def send(self, until_: int) -> None:
        piece = self.data[self.at : until_]
        answer = self.server.call(
            "PATCH", self.url, piece, key=None, headers={**CHUNK, "Upload-Offset": str(self.at)}
        )
        assert answer.status == 204, answer.body
        self.at += len(piece)

    def most(self) -> None:
        """All but the last twentieth, in pieces."""
        for twentieth in range(1, 20):
            self.send(len(self.data) * twentieth // 20)

    def made(self) -> list[str]:
        """What was made while it comes."""
        return sorted(path.name for path in (self.folder / "early").glob("*") if path.name != "index")

    def playable_s(self) -> float:
        """The last piece; from its answer until somebody can watch."""
        self.send(len(self.data))
        began = time.monotonic()
        until(lambda: self.watch().status == 200, 20, 0.005)
        return time.monotonic() - began

    def watch(self) -> Any:
        return self.server.get(f"/vod/{self.video_id}/hls/manifest.m3u8")


def children(server: Server) -> list[int]:
    """Processes that the server started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == server.pid and fields[0] != "Z":
                found.append(int(path.parent.name))
    return found


READY = {"fast-start.mp4": ["facts"], "tail.mp4": [], "film.mkv": ["audio", "facts", "video"],
         "film.ts": ["audio", "facts", "video"]}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_made_while_it_comes(server: Server, films: dict[str, Path], kind: str) -> None:
    upload = Slow(server, films[kind])
    upload.most()
    if READY[kind]:
        until(lambda: upload.made() == READY[kind])
    if "video" in READY[kind]:
        journal = upload.folder / "early" / "video" / "0.journal"
        until(lambda: len(journal.read_text().splitlines()) >= 5)
    assert upload.watch().status == 202
    assert not server.api("GET", f"/videos/{upload.video_id}")["playable"]

    assert upload.playable_s() < 3  # on a busy machine; the bench measures it
    video = until(lambda: (found := server.api("GET", f"/videos/{upload.video_id}"))["state"] == "done" and found)
    assert video["duration"] == pytest.approx(30, abs=0.2)
    assert frame_hashes(f"{server.http}/vod/{upload.video_id}/hls/manifest.m3u8") == frame_hashes(films[kind])
    folder = server.data / "videos" / upload.video_id
    assert not (folder / "early").exists()
    assert not upload.folder.exists()


@pytest.mark.parametrize("kind", ["fast-start.mp4", "film.ts"])
def test_a_kill_in_the_middle_loses_nothing(
    make_server: Callable[..., Server], films: dict[str, Path], kind: str
) -> None:
    server = make_server()
    upload = Slow(server, films[kind])
    upload.send(len(upload.data) * 2 // 3)
    until(lambda: upload.made() == READY[kind])
    server.kill()
    server.start()
    assert upload.watch().status == 202
    upload.send(len(upload.data) * 3 // 4)
    upload.send(len(upload.data))
    until(lambda: server.api("GET", f"/videos/{upload.video_id}")["state"] == "done")
    assert frame_hashes(f"{server.http}/vod/{upload.video_id}/hls/manifest.m3u8") == frame_hashes(films[kind])


@pytest.mark.parametrize("how", ["terminated", "deleted", "superseded"])
def test_nothing_is_left_of_what_is_given_up(
    make_server: Callable[..., Server], films: dict[str, Path], how: str
) -> None:
    server = make_server()
    upload = Slow(server, films["film.mkv"])
    upload.send(len(upload.data) // 2)
    until(lambda: upload.made() == READY["film.mkv"])
    until(lambda: len(children(server)) == 1)
    match how:
        case "terminated":
            assert server.call("DELETE", upload.url, key=None, headers=V).status == 204
        case "deleted":
            server.api("DELETE", f"/videos/{upload.video_id}")
        case _:
            again = {**V, "Upload-Length": "1000", "Upload-Metadata": f"videoId {_base64(upload.video_id)}"}
            assert server.call("POST", "/tus", b"", headers=again).status == 201
    until(lambda: not upload.folder.exists() and not children(server))
    folder = server.data / "videos" / upload.video_id
    assert not folder.exists() or os.listdir(folder) == []


def test_a_configured_none_makes_nothing(make_server: Callable[..., Server], films: dict[str, Path]) -> None:
    server = make_server(SLUICE_VOD__EARLY_UPLOADS="0")
    upload = Slow(server, films["film.mkv"])
    upload.most()
    assert upload.made() == []
    upload.playable_s()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
