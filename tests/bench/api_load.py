"""Calls at a fixed pace, whatever the server does: a process of its own, so that only the server's loop is measured.

Each call is due at a moment of its own, and its time counts from that moment: a server that stands still for a second
is late for every call of that second, not for one (coordinated omission).

    python -m tests.bench.api_load http://127.0.0.1:8080 KEY VIDEO READS_PER_S WRITES_PER_S SECONDS
"""

import asyncio
import itertools
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.bench.report import quantile

CONNECTIONS = 64  # more wait for a connection, which counts too
QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}


@dataclass
class Kind:
    """Calls of one kind, in turn."""

    per_s: float
    calls: list[tuple[str, str, Any]]  # method, path, JSON body
    took_ms: list[float] = field(default_factory=list)
    failed: int = 0

    async def run(self, session: aiohttp.ClientSession, seconds: float) -> None:
        began, running = time.perf_counter(), set()
        turns = itertools.cycle(self.calls)
        for number in range(int(self.per_s * seconds)):
            due = began + number / self.per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(self._call(session, due, *next(turns)))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)

    async def _call(self, session: aiohttp.ClientSession, due: float, method: str, path: str, body: Any) -> None:
        try:
            async with session.request(method, path, json=body) as response:
                await response.read()
                self.failed += response.status >= 300
        except (aiohttp.ClientError, TimeoutError):
            self.failed += 1
        self.took_ms.append((time.perf_counter() - due) * 1000)

    def told(self) -> dict[str, Any]:
        found = {name: round(quantile(self.took_ms, q), 2) for name, q in QUANTILES.items()}
        return {"n": len(self.took_ms), "failed": self.failed, **found}


def kinds(video: str, reads_per_s: float, writes_per_s: float) -> dict[str, Kind]:
    reads = [f"/videos/{video}", "/videos?pageSize=25", f"/videos/{video}/status", "/live-streams", "/events?limit=25"]
    writes: list[tuple[str, str, Any]] = [
        ("PATCH", f"/videos/{video}", {"description": "changed"}),
        ("POST", "/videos", {"title": "made", "tags": ["bench"]}),
        ("POST", "/upload-tokens", {"ttl": 60}),
        ("POST", "/players", {"name": "made"}),
    ]
    return {"reads": Kind(reads_per_s, [("GET", path, None) for path in reads]), "writes": Kind(writes_per_s, writes)}


async def main(base: str, key: str, video: str, reads_per_s: float, writes_per_s: float, seconds: float) -> None:
    found = kinds(video, reads_per_s, writes_per_s)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(
        base, auth=aiohttp.BasicAuth(key), connector=connector, timeout=aiohttp.ClientTimeout(30)
    ) as session:
        await asyncio.gather(*(each.run(session, seconds) for each in found.values() if each.per_s))
    sys.stdout.write(json.dumps({name: each.told() for name, each in found.items() if each.per_s}) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], *map(float, sys.argv[4:7])))
