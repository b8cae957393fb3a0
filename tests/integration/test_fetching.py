"""Videos by URL on a real server, which is killed while it fetches."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.media import clip
from tests.harness.origin import Origin, serving
from tests.harness.server import OWNER_KEY, Server, until
from tests.harness.uploads import ended

pytestmark = pytest.mark.server
HERE = {"SLUICE_FETCH__ALLOW": '["127.0.0.1"]'}


@pytest.fixture
def origin() -> Iterator[Origin]:
    film = clip(10).read_bytes() + (8 << 20).to_bytes(4, "big") + b"free" + bytes((8 << 20) - 8)
    with serving(Origin(film, chunk_bytes=1 << 17)) as origin:
        yield origin


def test_a_killed_server_goes_on_where_it_was(make_server: Callable[..., Server], origin: Origin) -> None:
    server = make_server(**HERE)
    half, going_on = len(origin.data) // 2, threading.Event()

    def paced(sent: int) -> None:
        going_on.wait(0.05 if sent < half else 20)

    origin.on_chunk = paced
    made = server.api("POST", "/videos", {"title": "by URL", "source": origin.url})
    assert made["state"] == "pending"

    def halfway() -> bool:
        status = server.api("GET", f"/videos/{made['videoId']}/status")["ingest"]
        (received,) = status["receivedBytes"] or [{"to": 0, "total": None}]
        return bool(received["to"] > 2 << 20 and received["total"] == len(origin.data))

    until(halfway)
    server.kill()
    going_on.set()
    server.start()
    video = ended(server, made["videoId"])

    assert (video["state"], video["error"]) == ("done", None)
    assert int(origin.requests[-1]["Range"][6:-1]) >= 1 << 20
    assert (server.data / "videos" / video["videoId"] / "source").read_bytes() == origin.data
    assert not any((server.data / "uploads").iterdir())
    assert server.get(f"/vod/{video['videoId']}/hls/manifest.m3u8").status == 200


def test_a_deleted_video_is_fetched_no_further(make_server: Callable[..., Server], origin: Origin) -> None:
    server = make_server(**HERE)
    going_on = threading.Event()
    origin.on_chunk = lambda sent: None if sent < 1 << 17 else going_on.wait(20) and None
    made = server.api("POST", "/videos", {"title": "by URL", "source": origin.url})
    until(lambda: any((server.data / "uploads").glob("*/data")))
    server.api("DELETE", f"/videos/{made['videoId']}")

    until(lambda: not any((server.data / "uploads").iterdir()))
    until(lambda: b"sluice_fetches 0.0" in server.get("/metrics").body)
    going_on.set()
    assert not (server.data / "videos" / made["videoId"]).exists()


def test_an_address_within_is_refused_whoever_names_it(server: Server, origin: Origin) -> None:
    answer = server.call("POST", "/videos", {"title": "T", "source": origin.url})
    assert (answer.status, answer.json()["name"]) == (400, "source")

    made = server.api("POST", "/videos", {"title": "T", "source": f"http://localhost:{origin.port}/film.mp4"})
    video = ended(server, made["videoId"])
    assert video["error"]["code"] == "source-forbidden-address"
    assert origin.requests == []


def test_a_table_is_imported_from_the_command_line(
    make_server: Callable[..., Server], origin: Origin, tmp_path: Path
) -> None:
    server = make_server(**HERE)
    table = tmp_path / "videos.csv"
    table.write_text(f"url,title\n{origin.url},One\n{origin.url}?2,Two\n")

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "server", "import", str(table), "--url", server.http, "--key", OWNER_KEY]
        return subprocess.run([*command, *more], capture_output=True, text=True, timeout=60, check=False)

    first, again = run("--json"), run()
    found = json.loads(first.stdout)
    assert [video["state"] for video in found["videos"]] == ["done", "done"]
    assert (first.returncode, again.returncode) == (0, 0)
    assert [line.split()[0] for line in again.stdout.splitlines()] == [video["videoId"] for video in found["videos"]]

    table.write_text("url,title\nnowhere,One\n")
    refused = run()
    assert refused.returncode == 1
    assert "line 2, url: A URL begins with http:// or https://." in refused.stderr
