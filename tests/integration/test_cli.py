"""The `sluice` command as an operator types it: what it prints, what it refuses in which words, how it stops."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Server, until

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def environment(data: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    return {
        **kept, "SLUICE_STORAGE__PATH": str(data), "SLUICE_STORAGE__RESERVE_BYTES": "0", "SLUICE_HTTP__PORT": "0",
        "SLUICE_RTMP__PORT": "0", "SLUICE_RTMP__HOST": "127.0.0.1",
        "SLUICE_SRT__PORT": "0", "SLUICE_SRT__HOST": "127.0.0.1", **more,
    }  # fmt: skip


def sluice(data: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments], env=environment(data, **more), cwd=ROOT, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip


def events(text: str) -> list[dict[str, str]]:
    """The lines of a JSON log."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


# --- serve


def test_a_first_start_makes_a_key_says_where_it_is_and_stops_on_sigterm(data: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "server", "serve"], env=environment(data), cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    line = process.stdout.readline()
    ready = json.loads(line)
    assert set(ready) == {"event", "http", "rtmp", "srt"}
    assert ready["event"] == "ready"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", ready["http"])
    assert re.fullmatch(r"rtmp://127\.0\.0\.1:\d+/live", ready["rtmp"])
    assert re.fullmatch(r"srt://127\.0\.0\.1:\d+", ready["srt"])

    key = data / "owner.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = key.read_text().strip()
    server = Server(data, ready=ready)
    assert server.call("GET", "/videos", key=secret).status == 200
    assert server.call("GET", "/videos", key="wrong").status == 401
    assert server.get("/healthz").status == 200

    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == ""  # the ready line was the only one
    told = [event["event"] for event in events(err)]
    assert told[-1] == "stopped"
    assert "made the owner's API key" in told
    assert secret not in err


def test_a_second_server_on_the_same_folder_refuses(data: Path) -> None:
    server = Server(data).start()
    try:
        second = sluice(data, "serve")
        assert second.returncode == 1
        assert second.stdout == ""
        (event,) = [event for event in events(second.stderr) if event["level"] == "error"]
        assert event["event"] == f"{data} is in use by another server (process {server.pid})"
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("name", ["HTTP", "RTMP"])
def test_a_port_in_use_is_said_in_a_sentence(data: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = sluice(data, "serve", **{f"SLUICE_{name}__PORT": str(port)})

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (event,) = [event for event in events(done.stderr) if event["level"] == "error"]
    assert event["event"] == "can't serve"
    assert event["reason"] == f"{name} can't listen on 127.0.0.1:{port}: Address already in use"


def test_a_udp_port_in_use_is_said_in_a_sentence(data: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = sluice(data, "serve", SLUICE_SRT__PORT=str(port))

    assert done.returncode == 1
    (event,) = [event for event in events(done.stderr) if event["level"] == "error"]
    assert event["reason"] == f"SRT can't listen on UDP 127.0.0.1:{port}: Address already in use"


@pytest.mark.parametrize(
    ("command", "setting", "value", "sentence"),
    [
        ("serve", "SLUICE_HTTP__PRT", "1", "SLUICE_HTTP__PRT: no such setting"),
        ("serve", "SLUICE_HTTP__PORT", "x", "http.port"),
        ("check", "SLUICE_HTTP__TRUSTED_PROXIES", '["nonsense"]', "http.trusted_proxies.0"),
        ("serve", "SLUICE_VOD__LADDER", "[7]", "vod.ladder: one to eight even numbers of lines from 64 to 4320"),
        ("serve", "SLUICE_STORAGE__PATH", "/proc/none", "storage.path: /proc/none can't be used: No such file"),
        ("serve", "SLUICE_STORAGE__PATH", __file__, f"storage.path: {__file__} can't be used: File exists"),
        ("serve", "SLUICE_AUTH__TOKEN_SECRET", "short", "auth.token_secret: shorter than 32 bytes"),
        ("serve", "SLUICE_RTMP__CERTIFICATE", "/nothing.pem", "rtmp.certificate: /nothing.pem can't be used"),
        ("check", "SLUICE_RTMP__CERTIFICATE", "/nothing.pem", "rtmp.certificate: /nothing.pem can't be used"),
        ("serve", "SLUICE_DATABASE__URL", "mysql://x/y", "database.url: Sluice runs on SQLite and on PostgreSQL"),
        ("serve", "SLUICE_DATABASE__URL", "postgresql://127.0.0.1:1/y", "database.url: "),
    ],
)
def test_settings_that_can_not_be_are_named(
    data: Path, command: str, setting: str, value: str, sentence: str
) -> None:
    done = sluice(data, command, **{setting: value})

    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_of_settings_is_read_and_its_faults_named(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "sluice.toml"
    config.write_text(f'[storage]\npath = "{data}"\nprat = 1\n[hppt]\n')
    done = sluice(data, "check", "--config", str(config))
    assert done.returncode == 1
    assert "storage.prat: no such setting" in done.stderr
    assert "hppt: no such setting" in done.stderr

    assert "absent.toml" in sluice(data, "check", "--config", str(tmp_path / "absent.toml")).stderr


def test_a_database_that_is_none_is_said(data: Path) -> None:
    data.mkdir()
    (data / "sluice.db").write_bytes(b"no database, but as long as one would have to be" * 100)

    for command in ("serve", "check"):
        done = sluice(data, command)
        assert done.returncode == 1
        assert "file is not a database" in done.stderr
        assert "Traceback" not in done.stderr


# --- the other commands


def test_check_finds_nothing_wrong_beside_a_server(data: Path) -> None:
    server = Server(data).start()
    try:
        done = sluice(data, "check")
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "all is well")
        assert done.stdout.count("isolation: kept from") >= 5
    finally:
        assert server.stop() == 0


def test_check_says_a_sentence_for_each_fault(data: Path) -> None:
    data.write_text("a file is in the way")

    done = sluice(data, "check", SLUICE_AUTH__TOKEN_SECRET="short", SLUICE_LIVE__ENCODER="h264_videotoolbox")

    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["storage", "database", "auth.token_secret", "live.encoder"]
    assert f"{data} can't be written" in lines[0]
    assert lines[3].endswith("libav was built without it; libx264 takes its place")


def test_check_sees_that_the_disk_is_full(data: Path) -> None:
    done = sluice(data, "check", SLUICE_STORAGE__RESERVE_BYTES=str(1 << 60))

    assert done.returncode == 1
    assert "less than storage.reserve_bytes are free" in done.stderr


def test_keys_and_tokens_are_made_beside_a_server(data: Path) -> None:
    server = Server(data).start()
    try:
        key = sluice(data, "keys", "create", "--name", "reader", "--scope", "videos:read").stdout.strip()
        assert server.call("GET", "/videos", key=key).status == 200
        assert server.call("POST", "/videos", {"title": "x"}, key=key).status == 403

        video = server.api("POST", "/videos", {"title": "private", "public": False})["videoId"]
        done = sluice(data, "token", video, "--ttl", "60", "--viewer", "me", "--origin", "HTTPS://Example.com")
        token = done.stdout.strip()
        path = f"/vod/{video}/token/{token}/hls/manifest.m3u8"
        assert server.get(path).status == 403  # not from that page
        assert server.get(path, headers={"Origin": "https://example.com"}).status == 302
        bare = sluice(data, "token", video.removeprefix("vi")).stdout.strip()
        assert server.get(f"/vod/{video}/token/{bare}/hls/manifest.m3u8").status == 302
    finally:
        assert server.stop() == 0

    cases = {
        ("token", "nothing"): "there is no video or live stream nothing",
        ("token", video, "--ttl", "0"): "ttl: Give 1 to 604800 seconds.",
        ("token", video, "--origin", "a b"): "origins: Give up to 50 of",
        ("token", video, "--ip", "here"): "ip: Give an IP address or a network",
        ("keys", "create", "--scope", "video:read"): "no such scope: video:read; there are *, ",
    }
    for arguments, sentence in cases.items():
        done = sluice(data, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("keys", "create"), ("token", "viX")])
def test_a_command_in_the_wrong_folder_makes_no_database(data: Path, command: tuple[str, ...]) -> None:
    done = sluice(data, *command)

    assert done.returncode == 1
    assert f"no database in {data}" in done.stderr
    assert not data.exists()


def test_a_worker_needs_another_database(data: Path) -> None:
    done = sluice(data, "worker")
    assert done.returncode == 1
    assert "PostgreSQL" in done.stderr


def test_a_worker_needs_the_servers_folder(data: Path) -> None:
    done = sluice(data, "worker", SLUICE_DATABASE__URL="postgresql://x/y")
    assert done.returncode == 1
    assert "no server's data folder" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("--help",), ("serve", "-h"), ("keys", "--help")])
def test_help_is_there(data: Path, arguments: tuple[str, ...]) -> None:
    done = sluice(data, *arguments)

    assert "Usage:" in done.stdout + done.stderr
    assert not data.exists()


# --- stopping


def test_a_stop_does_not_wait_for_those_who_wait_for_parts(make_server: Callable[..., Server]) -> None:
    """A hundred blocked playlist requests on an interrupted broadcast, and one viewer who reads nothing."""
    server = make_server()
    live = server.live_stream()
    with publishing(media.clip(10), server.ingest_url(live)) as publisher:
        master = until(lambda: _ready(server, f"/live/{live['liveStreamId']}.m3u8"))
        playlist = "/live/" + re.findall(r"^(?!#)(\S+)$", master, re.M)[0]
        publisher.kill()
    until(lambda: "interrupted" in server.log())
    text = server.get(playlist).text
    hint = re.search(r'PRELOAD-HINT:TYPE=PART,URI="(\d+)\.(\d+)\.m4s"', text)
    assert hint
    statuses: list[int] = []

    def wait() -> None:
        statuses.append(server.get(f"{playlist}?_HLS_msn={hint[1]}&_HLS_part={hint[2]}").status)

    viewers = [threading.Thread(target=wait) for _ in range(100)]
    for viewer in viewers:
        viewer.start()
    until(lambda: _waiting(server) >= 100)
    idle = socket.create_connection(("127.0.0.1", urlsplit(server.http).port or 0))

    began = time.monotonic()
    assert server.stop(10) == 0
    took_s = time.monotonic() - began

    for viewer in viewers:
        viewer.join(30)
    idle.close()
    assert statuses == [503] * 100
    assert took_s < 6
    assert "Traceback" not in server.log()


def _ready(server: Server, path: str) -> str | None:
    answer = server.get(path)
    return answer.text if answer.status == 200 else None


def _waiting(server: Server) -> float:
    found = re.search(r"^sluice_playlist_waiters (\S+)$", server.get("/metrics").text, re.M)
    assert found
    return float(found[1])
