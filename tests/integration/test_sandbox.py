"""A sandbox project through a real server: its videos bear the mark, are short, and go; others do not notice."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import media
from tests.harness.server import Answer, Server, until
from tests.integration.test_watermarks import GREY, luma, picture, variants

pytestmark = pytest.mark.server

V = {"Tus-Resumable": "1.0.0"}
CHUNK = {**V, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {
        "SLUICE_VOD__RENDITIONS": "ladder", "SLUICE_VOD__LADDER": "[240]",
        "SLUICE_SANDBOX__MAX_LENGTH_S": "5", "SLUICE_SANDBOX__MAX_BYTES": "2000000",
    }  # fmt: skip
    running = Server(tmp_path_factory.mktemp("sandbox") / "data", environment).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    """Of a sandbox."""
    project = server.api("POST", "/projects", {"name": "Trying out", "sandbox": True})
    assert project["sandbox"] is True
    made = server.api("POST", "/api-keys", {"name": "mine", "scopes": ["*"], "projectId": project["projectId"]})
    return str(made["secret"])


def film(path: Path, seconds: float) -> bytes:
    media.ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=size=320x240:rate=25:duration={seconds}", *GREY, "-c:v", "libx264",
        "-preset", "ultrafast", "-movflags", "+faststart", path,
    )  # fmt: skip
    return path.read_bytes()


def send(server: Server, key: str | None, data: bytes) -> Answer:
    given = {} if key is None else {"key": key}
    return server.call("POST", "/tus", data, headers={**CHUNK, "Upload-Length": str(len(data))}, **given)


def state(server: Server, key: str, video_id: str) -> str:
    answer = server.call("GET", f"/videos/{video_id}", key=key)
    assert answer.status == 200, (answer.status, answer.text, server.log()[-3000:])
    return str(answer.json()["state"])


def test_a_video_bears_the_mark_and_goes(server: Server, key: str, tmp_path: Path) -> None:
    data = film(tmp_path / "a.mp4", 3)
    video_id = send(server, key, data).headers["Sluice-Video-Id"]
    ours = send(server, None, data).headers["Sluice-Video-Id"]
    until(lambda: state(server, key, video_id) == "done", 120)
    until(lambda: server.api("GET", f"/videos/{ours}")["state"] == "done", 120)
    for url in variants(server, video_id).values():
        seen = picture(url, 1)
        # on the mark's ground it is darker than the film, on the word brighter; elsewhere it is the film
        across = [luma(seen, at / 100, 0.5) for at in range(22, 78)]
        assert min(across) < 70
        assert max(across) > 120
        assert 70 <= luma(seen, 0.1, 0.1) <= 90
    server.stop()
    age(server)
    server.start()  # it looks around at once

    until(lambda: server.call("GET", f"/videos/{video_id}", key=key).status == 404, 120)
    assert server.api("GET", f"/videos/{ours}")["state"] == "done"


def test_what_is_too_long_or_too_large_is_refused(server: Server, key: str, tmp_path: Path) -> None:
    video_id = send(server, key, film(tmp_path / "long.mp4", 8)).headers["Sluice-Video-Id"]
    until(lambda: state(server, key, video_id) == "error", 120)
    error = server.call("GET", f"/videos/{video_id}", key=key).json()["error"]
    large = send(server, key, os.urandom(2_000_001))

    assert (error["code"], error["detail"]) == ("sandbox", "It has 8 seconds, 5 are taken.")
    assert (large.status, large.json()["detail"]) == (413, "At most 2000000 bytes are taken.")


def test_a_sandbox_is_one_from_the_beginning(server: Server) -> None:
    project = server.api("POST", "/projects", {"name": "In earnest"})
    changed = server.call(
        "PATCH", f"/projects/{project['projectId']}", b'{"sandbox":true}',
        headers={"Content-Type": "application/json"},
    )  # fmt: skip

    assert project["sandbox"] is False
    assert changed.status == 400


def age(server: Server) -> None:
    """As if years had passed for all videos."""
    with sqlite3.connect(server.data / "sluice.db", timeout=30) as database:
        database.execute("UPDATE videos SET created_at = '2020-01-01 00:00:00.000000'")
    database.close()
