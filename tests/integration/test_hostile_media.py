"""Files made to do harm, given to a real server: each ends soon, in words, and harms nothing else."""

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness import hostile
from tests.harness.media import clip
from tests.harness.server import Server
from tests.harness.uploads import ENDED

pytestmark = pytest.mark.server

# What uploads may be called; none of it is a place on our disk.
NAMES = (
    "../../../../etc/passwd", "/etc/passwd", "..\\..\\windows\\win.ini", "a/../../b.mp4", "CON", ".", "..", "~root",
    "$(reboot).mp4", "`id`.mkv", "-i", "concat:a|b", "file:///etc/passwd", "\u202egpj.mp4", "a" * 300, "%2e%2e%2fb",
)  # fmt: skip
DEADLINE_S = 300.0  # of all together, on a machine that does much else
MAX_RSS, MAX_GROWTH = 300 << 20, 80 << 20
OURS = {"failed", "internal-error", "crashing"}  # codes that would say that we, not the file, went wrong
SENTENCE = 400  # characters at most


@dataclass
class Outcome:
    """What became of all files, by their names, and of the server."""

    server: Server
    videos: dict[str, dict[str, Any]]
    rss_before: int
    rss_after: int


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    server = Server(tmp_path_factory.mktemp("hostile") / "data").start()
    try:
        posted = {"first": post(server, clip(2).read_bytes(), "first.mp4")}
        rss = resident(server.pid)
        names = itertools.cycle(NAMES)
        for name, data in hostile.all_files():
            posted[name] = post(server, data, next(names))
        posted["last"] = post(server, clip(2).read_bytes(), "last.mp4")
        yield Outcome(server, ended(server, posted), rss, resident(server.pid))
    finally:
        assert server.stop() == 0


def post(server: Server, data: bytes, filename: str) -> str:
    """A new video with the file; its id."""
    made = server.api("POST", "/videos", {"title": "hostile"})
    boundary = "a-boundary"
    quoted = filename.replace("\\", "\\\\").replace('"', "%22")
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = server.call("POST", f"/videos/{made['videoId']}/source", body, headers=kind)
    assert answer.status == 201, (filename, answer.body)
    video_id: str = made["videoId"]
    return video_id


def ended(server: Server, posted: dict[str, str]) -> dict[str, dict[str, Any]]:
    """All videos once none goes on, or time is over."""
    deadline = time.monotonic() + DEADLINE_S
    found: dict[str, dict[str, Any]] = {}
    while len(found) < len(posted) and time.monotonic() < deadline:
        for name in posted.keys() - found.keys():
            video = server.api("GET", f"/videos/{posted[name]}")
            if video["state"] in ENDED:
                found[name] = video
        time.sleep(0.2)
    return found


def resident(pid: int) -> int:
    """Bytes."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * 4096


READY = "server.media.images"  # some wait for their order


def children(pid: int) -> list[str]:
    """Command lines of its living child processes, but for those that are kept ready."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == pid and fields[0] != "Z":
                    found.append((folder / "cmdline").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue
    return [command for command in found if READY not in command]


EXTENSIONS = hostile.CONTAINERS
FILES = [
    *hostile.BUILT,
    *(f"half a {extension}" for extension in EXTENSIONS),
    *(f"fuzzed {extension} {seed}" for extension in EXTENSIONS for seed in hostile.SEEDS),
]


@pytest.mark.parametrize("name", FILES)
def test_it_ends_in_words(outcome: Outcome, name: str) -> None:
    assert name in outcome.videos, "it has not ended"
    video = outcome.videos[name]
    if video["state"] == "done":
        assert (video["playable"], video["error"]) == (True, None)
        return
    error = video["error"]
    assert error["code"] not in OURS, error
    assert error["title"].endswith(".")
    assert 10 < len(error["detail"]) < SENTENCE
    assert not any(word in json.dumps(error) for word in ("Traceback", "root:", "/work", "site-packages", "Error("))


@pytest.mark.parametrize("name", [name for name in hostile.BUILT if name not in {
    "matroska with attachments", "flac with a huge cover", "mp3 behind a long tag", "matroska of unknown sizes",
}])  # fmt: skip
def test_what_is_no_video_is_none(outcome: Outcome, name: str) -> None:
    assert outcome.videos[name]["state"] == "error"


@pytest.mark.parametrize("name", ["first", "last"])
def test_others_are_unharmed(outcome: Outcome, name: str) -> None:
    video = outcome.videos[name]
    assert (video["state"], video["error"]) == ("done", None)
    assert outcome.server.get(f"/vod/{video['videoId']}/hls/manifest.m3u8").status == 200


def test_nothing_is_left_of_them(outcome: Outcome) -> None:
    deadline = time.monotonic() + 20
    while children(outcome.server.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert children(outcome.server.pid) == []
    assert not any((outcome.server.data / "uploads").iterdir())
    assert not [path for path in outcome.server.data.rglob("*") if path.is_symlink()]


def test_the_servers_memory_stays(outcome: Outcome) -> None:
    assert outcome.rss_after < MAX_RSS
    assert outcome.rss_after - outcome.rss_before < MAX_GROWTH
    assert outcome.server.get("/healthz").status == 200


def test_no_file_makes_the_server_itself_fail(outcome: Outcome) -> None:
    lines = [json.loads(line) for line in outcome.server.log().splitlines() if line.startswith("{")]
    assert [line for line in lines if line.get("level") in ("error", "critical")] == []
