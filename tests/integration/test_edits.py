"""What becomes of videos after their upload, through a real server: another file, and what is watched meanwhile."""

import re
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import media
from tests.harness.server import OWNER_KEY, Answer, Server, until
from tests.harness.uploads import ended, post_source

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]


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
