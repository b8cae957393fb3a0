"""wrk against a list of URLs in turn."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.processes import Meter, Used

CONNECTIONS = 32
SCRIPT = """
local requests = {}
function init(args)
  for line in io.lines(args[1]) do requests[#requests + 1] = wrk.format("GET", line) end
end
local at = 0
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency, requests)
  local e = summary.errors
  io.stderr:write(string.format(
    '{"requests":%d,"bytes":%d,"us":%d,"p50_ms":%.3f,"p99_ms":%.3f,"bad_status":%d,"failed":%d}',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, e.status, e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a server answered."""

    requests: int
    bytes: int
    us: int
    p50_ms: float
    p99_ms: float
    bad_status: int
    failed: int
    used: Used

    @property
    def per_cpu_s(self) -> float:
        """Requests a second of the server's CPU."""
        return self.requests / self.used.server_cpu_s if self.used.server_cpu_s else 0.0

    @property
    def per_s(self) -> float:
        return self.requests / (self.us / 1e6)


def installed() -> bool:
    return bool(shutil.which("wrk"))


async def load(pid: int, urls: Sequence[str], seconds: float, headers: Mapping[str, str]) -> Load:
    """One thread, CONNECTIONS connections; all URLs are of one server, whose process is `pid`."""
    with tempfile.TemporaryDirectory() as folder:
        script, paths = Path(folder) / "run.lua", Path(folder) / "paths"
        script.write_text(SCRIPT)
        paths.write_text("".join(_target(url) + "\n" for url in urls))
        given = [item for name, value in headers.items() for item in ("-H", f"{name}: {value}")]
        meter = Meter(pid)
        process = await asyncio.create_subprocess_exec(
            "wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds:g}s", *given, "-s", str(script),
            f"http://{urlsplit(urls[0]).netloc}", "--", str(paths),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await process.communicate()
        used = meter.read()
    text = said.decode()
    return Load(**json.loads(text[text.index("{") :]), used=used)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
