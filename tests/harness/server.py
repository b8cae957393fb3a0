"""A real `sluice serve` in its own process, on ports of its own, that can be killed and started again."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

OWNER_KEY = "test-owner-key"
# Of an environment, where a test calls more often than people do.
UNLIMITED = {f"SLUICE_HTTP__{kind}_PER_MINUTE": "1000000" for kind in ("READS", "WRITES", "UPLOADS")}


@dataclass(slots=True)
class Answer:
    """An HTTP answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(slots=True)
class Server:
    """`start()` waits for the ready line; `environment` holds settings as SLUICE_… variables."""

    data: Path
    environment: dict[str, str] = field(default_factory=dict)
    module: str = "server"  # that is run
    process: subprocess.Popen[str] | None = None
    ready: dict[str, Any] = field(default_factory=dict)
    _ports: dict[str, str] = field(default_factory=dict)

    @property
    def log_path(self) -> Path:
        return self.data.with_name(self.data.name + ".log")

    def start(self) -> Self:
        """Starts; after the first start on the same ports again, as a restarted server would."""
        environment = {
            **os.environ,
            "PYTHONFAULTHANDLER": "1",
            "SLUICE_HTTP__PORT": "0",
            "SLUICE_RTMP__PORT": "0",
            "SLUICE_SRT__PORT": "0",
            "SLUICE_SRT__HOST": "127.0.0.1",
            "SLUICE_RTMP__HOST": "127.0.0.1",
            "SLUICE_STORAGE__PATH": str(self.data),
            "SLUICE_STORAGE__RESERVE_BYTES": "0",
            "SLUICE_AUTH__OWNER_KEY": OWNER_KEY,
            "SLUICE_AUTH__FAILURES_PER_MINUTE": "100000",  # every operation is tried with wrong keys
            "SLUICE_VOD__RENDITIONS": "source",  # encoding is for the tests that are about it
            **self.environment,
            **self._ports,
        }
        with self.log_path.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "serve"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=Path(__file__).parents[2],
            )
        self.ready = self._wait_ready()
        self._ports = {
            "SLUICE_HTTP__PORT": str(urlsplit(self.ready["http"]).port),
            "SLUICE_RTMP__PORT": str(urlsplit(self.ready["rtmp"]).port),
        }
        if self.ready["srt"]:
            self._ports["SLUICE_SRT__PORT"] = str(urlsplit(self.ready["srt"]).port)
        return self

    def _wait_ready(self) -> dict[str, Any]:
        assert self.process
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        raise AssertionError(f"the server did not start:\n{self.log()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL: what a crash or a power cut leaves."""
        assert self.process
        self.process.kill()
        self._reap(10)

    def stop(self, timeout_s: float = 30) -> int:
        """SIGTERM; the exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self._reap(timeout_s)

    def _reap(self, timeout_s: float) -> int:
        assert self.process
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # where its threads are goes to the log
            self.process.wait(30)
            raise AssertionError(f"the server did not end within {timeout_s} s:\n{self.log()[-6000:]}") from None
        finally:
            if self.process.stdout:
                self.process.stdout.close()
            self.process = None

    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    @property
    def http(self) -> str:
        return str(self.ready["http"])

    @property
    def rtmp(self) -> str:
        return str(self.ready["rtmp"])

    # --- talking to it

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = OWNER_KEY,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60,
    ) -> Answer:
        """A request with the owner's key; `body` is JSON unless it is bytes. Redirects are not followed."""
        url = path if path.startswith("http") else self.http + path
        sent = dict(headers or {})
        if key is not None:
            sent.setdefault("Authorization", "Basic " + base64.b64encode(f"{key}:".encode()).decode())
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None and not isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(url, data, sent, method=method)
        try:
            with urllib.request.build_opener(NoRedirect).open(request, timeout=timeout_s) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def get(self, path: str, **more: Any) -> Answer:
        """As a viewer does: without a key."""
        return self.call("GET", path, key=None, **more)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """A REST call that must succeed; its JSON."""
        answer = self.call(method, path, body)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body[:500]!r}"
        return answer.json() if answer.body else None

    def live_stream(self, **fields: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.api("POST", "/live-streams", {"name": "test", **fields})
        return made

    def ingest_url(self, live: Mapping[str, Any]) -> str:
        return f"{self.rtmp}/{live['streamKey']}"


def until(what: Any, timeout_s: float = 40, step_s: float = 0.05) -> Any:
    """Calls `what` until it gives something true; that."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < deadline, f"did not come true within {timeout_s} s"
        time.sleep(step_s)
