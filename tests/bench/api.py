"""How long REST calls take at a fixed pace, on SQLite, while a live stream runs: reads, writes, and both at once."""

import asyncio
import json
import os
import sys
from typing import Any

from tests.bench.bench import Bench
from tests.bench.processes import Meter, Used
from tests.harness.media import clip
from tests.harness.publisher import publishing
from tests.harness.server import OWNER_KEY, Server, until

READS_PER_S, WRITES_PER_S = 200, 50
TARGETS_MS = {"reads": 25.0, "writes": 60.0}  # p99
VIDEOS = 500  # that there are
SETTLE_S = 3.0  # before the first call


async def run(bench: Bench) -> None:
    limits = {f"SLUICE_HTTP__{kind}_PER_MINUTE": "10000000" for kind in ("READS", "WRITES", "UPLOADS")}
    with bench.server("api", **limits) as server:
        videos = [server.api("POST", "/videos", {"title": f"A {number}"})["videoId"] for number in range(VIDEOS)]
        live = server.live_stream()
        with publishing(clip(10), server.ingest_url(live)):
            until(lambda: server.api("GET", f"/live-streams/{live['liveStreamId']}")["broadcasting"])
            await asyncio.sleep(SETTLE_S)
            await measure(bench, server, videos[0], "reads", READS_PER_S, 0)
            await measure(bench, server, videos[0], "writes", 0, WRITES_PER_S)
            await measure(bench, server, videos[0], "both", READS_PER_S, WRITES_PER_S)


async def measure(bench: Bench, server: Server, video: str, what: str, reads: int, writes: int) -> None:
    seconds = bench.settings.api
    meter = Meter(server.pid)
    lag = asyncio.create_task(_told("tests.bench.lag", f"{server.http}/healthz", str(seconds)))
    load = await _told("tests.bench.api_load", server.http, OWNER_KEY, video, str(reads), str(writes), str(seconds))
    used, lagged = meter.read(), await lag
    for kind, found in load.items():
        _add(bench, what, kind, found, used)
    cpu_ms = 1000 * used.server_own_cpu_s / sum(found["n"] for found in load.values())
    bench.add(f"{what}: CPU of a call, live stream and all", cpu_ms, "ms", other_cores=used.other_cores)
    note = f"p50 {lagged['p50_ms']}, max {lagged['max_ms']} ms"
    bench.add(f"{what}: event loop lag, p99", lagged["p99_ms"], "ms", other_cores=used.other_cores, note=note)


def _add(bench: Bench, what: str, kind: str, found: dict[str, Any], used: Used) -> None:
    per_s = READS_PER_S if kind == "reads" else WRITES_PER_S
    one_minute, *_ = os.getloadavg()
    for name in ("p50", "p95", "p99"):
        note = f"{per_s} a second, {found['n']} calls, at most {found['max_ms']} ms, load average {one_minute:.1f}"
        bench.add(
            f"{what}: {kind}, {name}", found[f"{name}_ms"], "ms", other_cores=used.other_cores,
            target=TARGETS_MS[kind] if name == "p99" else None, note=note if name == "p99" else "",
        )  # fmt: skip
    if found["failed"]:
        bench.fault(f"{found['failed']} of {found['n']} {kind} failed")


async def _told(module: str, *arguments: str) -> dict[str, Any]:
    """What a program of the benchmarks printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    found: dict[str, Any] = json.loads(said)
    return found
