"""What encoding does to the server beside it, and what a second worker is good for.

The server's own process must stay small and answer at once while two videos are encoded by its children. Workers have
a core each, so that both encode with one thread however they are made: two of them against one.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests import postgres
from tests.bench import clips
from tests.bench.bench import Bench
from tests.bench.processes import PAGE, Meter
from tests.harness.server import Server
from tests.harness.uploads import ended, post_source

ROOT = Path(__file__).parents[2]
RSS_TARGET_MIB, LAG_TARGET_MS, WORKERS_TARGET = 250.0, 50.0, 1.8
TRANSCODES = 2
SETTLE_S = 3.0  # until both are encoded
EVERY_S = 0.1
END_S = 1200.0
LADDER = {"SLUICE_VOD__RENDITIONS": "ladder", "SLUICE_VOD__PER_TITLE": "false"}  # encoding alone
LINES = "[480]"  # of the shared film: its decoding is most of the work then, as it is with one thread
CHUNK_S = 10


async def run(bench: Bench) -> None:
    film = await asyncio.to_thread(clips.film_of, int(bench.settings.ladder))
    await _beside(bench, film)
    await asyncio.to_thread(_shared, bench, film)


async def _beside(bench: Bench, film: Path) -> None:
    bench.say(f"the server while {TRANSCODES} videos are encoded")
    environment = {**LADDER, "SLUICE_JOBS__CONCURRENCY": str(TRANSCODES)}
    with bench.server("beside", **environment) as server:
        for _ in range(TRANSCODES):
            await asyncio.to_thread(post_source, server, film)
        await asyncio.sleep(SETTLE_S)
        meter = Meter(server.pid)
        seconds = bench.settings.lag
        watching = asyncio.create_task(_lag(f"{server.http}/healthz", seconds))
        most = 0.0
        while not watching.done():
            most = max(most, _resident_mib(server.pid))
            await asyncio.sleep(EVERY_S)
        lag, used = await watching, meter.read()
        note = f"{used.server_cores:.2f} cores with its children, {used.server_own_cpu_s / used.span_s:.3f} by itself"
        bench.add("memory of the server's process, most", most, "MiB", target=RSS_TARGET_MIB, note=note)
        note = f"latency of /healthz: p50 {lag['p50_ms']:g}, max {lag['max_ms']:g}"
        bench.add(
            "event loop lag p99, at most", lag["p99_ms"], "ms", target=LAG_TARGET_MS, other_cores=used.other_cores,
            note=note,
        )  # fmt: skip


async def _lag(url: str, seconds: float) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.lag", url, str(seconds), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    found: dict[str, float] = json.loads(output)
    return found


def _resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20


def _shared(bench: Bench, film: Path) -> None:
    """Seconds that the film takes one worker, and two; a server beside them encodes nothing."""
    binaries, cores = postgres.folder_of_binaries(), sorted(os.sched_getaffinity(0))
    if binaries is None or len(cores) < 2:
        bench.say("PostgreSQL or a second core is missing: workers are left out")
        return
    with postgres.cluster(binaries) as cluster:
        took = {}
        for count in (1, 2):
            bench.say(f"workers with a core each: {count}")
            meter = Meter()
            took[count] = _took(bench, cluster, film, cores[:count])
            bench.add(f"encoding with {count} workers", took[count], "s", other_cores=meter.read().other_cores)
    bench.add("two workers against one", took[1] / took[2], "×", target=WORKERS_TARGET, least=True)


def _took(bench: Bench, cluster: postgres.Cluster, film: Path, cores: list[int]) -> float:
    database = cluster.create()
    environment = {
        "SLUICE_DATABASE__URL": cluster.url(database), **LADDER,
        "SLUICE_LOG__LEVEL": "warning", "SLUICE_VOD__LADDER": LINES,
        "SLUICE_VOD__CHUNK_S": str(CHUNK_S), "SLUICE_JOBS__SHORT_CONCURRENCY": "1",
    }  # fmt: skip
    with ExitStack() as stack:
        server = stack.enter_context(bench.server("shared", **environment, SLUICE_JOBS__CONCURRENCY="0"))
        for core in cores:
            stack.enter_context(_worker(server, environment, core))
        video = post_source(server, film)["videoId"]
        began = time.monotonic()
        if ended(server, video, END_S)["state"] != "done":
            bench.fault("the film did not become a video")
        return time.monotonic() - began


@contextmanager
def _worker(server: Server, environment: dict[str, str], core: int) -> Iterator[None]:
    process = subprocess.Popen(
        ["taskset", "-c", str(core), sys.executable, "-m", "server", "worker"],
        cwd=ROOT,
        env={**os.environ, **environment, "SLUICE_JOBS__CONCURRENCY": "1", "SLUICE_STORAGE__PATH": str(server.data)},
        stdout=subprocess.PIPE,
    )
    try:
        if not process.stdout or not process.stdout.readline():
            raise RuntimeError("the worker did not start")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)
