"""nginx with its RTMP module as a peer: plain HLS from passthrough, by a server written in C."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.bench import free_port

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
PACKAGES = "nginx libnginx-mod-rtmp"
CONFIG = """
load_module {module};
daemon off; worker_processes 1; user root;
pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
rtmp {{ server {{ listen 127.0.0.1:{rtmp}; chunk_size 4096;
  application live {{ live on; hls on; hls_path {folder}/hls; hls_fragment 2s; hls_playlist_length 60s; }} }} }}
http {{ access_log off; server {{ listen 127.0.0.1:{http}; root {folder}/hls; }} }}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    pid: int
    rtmp: str  # of an application
    http: str


def installed() -> bool:
    return bool(shutil.which("nginx")) and MODULE.exists()


@contextmanager
def nginx(folder: Path) -> Iterator[Nginx]:
    rtmp, http = free_port(), free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(module=MODULE, folder=folder, rtmp=rtmp, http=http))
    process = subprocess.Popen(["nginx", "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        if process.poll() is not None:
            raise RuntimeError(f"nginx did not start: {(folder / 'error.log').read_text()[-500:]}")
        yield Nginx(process.pid, f"rtmp://127.0.0.1:{rtmp}/live", f"http://127.0.0.1:{http}")
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder / "hls", ignore_errors=True)
