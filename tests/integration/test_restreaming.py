"""Restreaming to real targets: a second server over RTMP and SRT, nginx, one that does not read."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Server, until

pytestmark = pytest.mark.server

NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
NGINX = """
load_module {module};
daemon off; worker_processes 1; user root;
pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; record all; record_path {folder}; }} }} }}
"""


def target(url: str, key: str, name: str = "elsewhere") -> dict[str, str]:
    return {"name": name, "serverUrl": url, "streamKey": key}


def restreams(server: Server, live: Any) -> dict[str, Any]:
    """By name."""
    path = f"/live-streams/{live['liveStreamId']}/restreams"
    return {each["name"]: each for each in server.api("GET", path)["data"]}


def on_air(server: Server, live: Any) -> str:
    return str(server.api("GET", f"/live-streams/{live['liveStreamId']}/health")["state"])


def frames(server: Server, live: Any) -> int:
    counts = server.api("GET", f"/live-streams/{live['liveStreamId']}/health")["counts"]
    return int(counts["videoFrames"]) if counts else 0


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """Its RTMP port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(module=NGINX_MODULE, folder=folder, port=port))
    process = subprocess.Popen(["nginx", "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(port))
        yield port
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def deaf() -> Iterator[int]:
    """A target that does not read: connections are taken by the kernel alone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_targets_of_every_kind_at_run_time(server: Server, make_server: Any, tmp_path: Path) -> None:
    there = make_server(SLUICE_LIVE__RECONNECT_WINDOW_S="1")
    by_rtmp, by_srt = there.live_stream(name="by RTMP"), there.live_stream(name="by SRT")
    srt = f"srt://127.0.0.1:{urlsplit(there.ready['srt']).port}"
    with deaf() as port:
        live = server.live_stream(
            restreams=[
                target(there.rtmp, by_rtmp["streamKey"], "rtmp"),
                target(there.rtmp, "a-wrong-key", "wrong"),
                target(f"rtmp://127.0.0.1:{port}/live", "a-deaf-key", "deaf"),
            ]
        )
        path = f"/live-streams/{live['liveStreamId']}"
        assert restreams(server, live)["rtmp"]["status"] == "idle"
        with publishing(media.clip(10, gop_s=1), server.ingest_url(live)):
            added = server.api("POST", f"{path}/restreams", target(srt, by_srt["streamKey"], "srt"))
            until(lambda: restreams(server, live)["rtmp"]["status"] == "broadcasting")
            until(lambda: restreams(server, live)["srt"]["status"] == "broadcasting")
            wrong = until(lambda: (at := restreams(server, live)["wrong"])["status"] == "errored" and at)
            assert "unknown stream key" in wrong["reason"]
            assert "a-wrong-key" not in wrong["reason"]
            until(lambda: frames(there, by_rtmp) > 30 and frames(there, by_srt) > 30)

            assert server.api("PUT", f"{path}/restreams/{added['restreamId']}/stop")["enabled"] is False
            until(lambda: on_air(there, by_srt) != "live")
            assert restreams(server, live)["srt"]["status"] == "idle"
            server.api("PUT", f"{path}/restreams/{added['restreamId']}/start")
            until(lambda: restreams(server, live)["srt"]["status"] == "broadcasting")
            until(lambda: on_air(there, by_srt) == "live")

            until(lambda: restreams(server, live)["deaf"]["status"] == "errored")
            assert on_air(server, live) == "live"
            assert restreams(server, live)["rtmp"]["reconnects"] == 0
        until(lambda: restreams(server, live)["rtmp"]["status"] == "idle")
    said = server.log()
    for secret in (by_rtmp["streamKey"], by_srt["streamKey"], "a-wrong-key", "a-deaf-key"):
        assert secret not in said


@pytest.mark.skipif(not (shutil.which("nginx") and NGINX_MODULE.exists()), reason="nginx with RTMP is not installed")
def test_nginx_takes_it(server: Server, tmp_path: Path) -> None:
    with nginx(tmp_path) as port:
        live = server.live_stream(restreams=[target(f"rtmp://127.0.0.1:{port}/live", "key")])
        with publishing(media.clip(10, gop_s=1), server.ingest_url(live)):
            until(lambda: restreams(server, live)["elsewhere"]["bytes"] > 150_000)
        (recorded,) = until(lambda: list(tmp_path.glob("*.flv")))
        until(lambda: restreams(server, live)["elsewhere"]["status"] == "idle")
    assert media.duration_s(recorded) > 1
    assert len(media.frame_hashes(recorded)) > 30


def test_ffmpeg_takes_it(server: Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    written = tmp_path / "taken.flv"
    listener = subprocess.Popen(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-listen", "1", "-i", f"rtmp://127.0.0.1:{port}/live/key",
         "-c", "copy", str(written)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        live = server.live_stream(restreams=[target(f"rtmp://127.0.0.1:{port}/live", "key")])
        with publishing(media.clip(10, gop_s=1), server.ingest_url(live)):
            until(lambda: restreams(server, live)["elsewhere"]["bytes"] > 150_000)
        _, said = listener.communicate(timeout=60)  # our goodbye ends it
    finally:
        if listener.poll() is None:
            listener.kill()
            listener.communicate()
    assert len(media.frame_hashes(written)) > 30, said
