"""How many LL-HLS viewers one core of one process carries, and how late their parts come.

A private stream of 640x360 with parts of half a second; each viewer follows pictures and sound over two connections
with a session token of its own: a blocking delta playlist, gzip, then the part that it names. Logs go to a file,
metrics are counted. The floor is aiohttp with constant answers of the same sizes, waiting for the same beat.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from server.playback.tokens import PLAYBACK, Grant, Tokens
from tests.bench import clips, playlists
from tests.bench.bench import TOKEN_SECRET, Bench
from tests.bench.client import Http
from tests.bench.flv import VIDEO, Flv
from tests.bench.processes import Meter, Used
from tests.bench.publish import publishing
from tests.bench.report import quantile

ROOT = Path(__file__).parents[2]
PROCESSES = 2  # that ask
PART_S = 0.5
LEAST_VIEWERS = 700.0  # of a core
MOST_LATE_MS = 150.0  # p99
JOINING_S = 4.0  # until all have joined and follow the live edge
YOUNG_S = 14.0  # until the playlist lists what it lists from then on
PLAYLIST_BYTES, PART_BYTES = 900, 35_000  # the floor's: a delta playlist, gzip; half a second of the clip, on average


@dataclass(frozen=True, slots=True)
class Load:
    """What the viewers got, and what it cost."""

    viewers: int
    answers: int
    bytes: int
    late_ms: Sequence[float]
    used: Used
    faults: Sequence[str]

    @property
    def us(self) -> float:
        """CPU of an answer."""
        return self.used.server_own_cpu_s / max(1, self.answers) * 1e6

    @property
    def per_core(self) -> float:
        return self.viewers / (self.used.server_own_cpu_s / self.used.span_s)


async def run(bench: Bench) -> None:
    counts = [int(text) for text in bench.settings.viewers.split(",")]
    flv = Flv(clips.latency())
    with bench.server("server", module="tests.bench.half_second_parts") as server:
        live = server.live_stream(name="viewers", public=False)
        async with publishing([server.ingest_url(live)], flv) as [stream]:
            await asyncio.sleep(YOUNG_S)
            began_s = (stream.began_at or 0.0) + _first_picture_s(flv)
            tracks = await _tracks(server.http, live["liveStreamId"], max(counts), began_s)
            for count in counts:
                bench.say(f"{count} viewers, {JOINING_S:g} + {bench.settings.watching:g} s")
                load = await _watch(server.pid, server.http, tracks[: 2 * count], bench.settings.watching)
                floor = await _floor(count, bench.settings.watching)
                _report(bench, load, floor, count == max(counts))
            if stream.failed:
                bench.fault(stream.failed)


def _first_picture_s(flv: Flv) -> float:
    """When the clip's first picture, at which the output clock begins, is sent after the clip has begun."""
    return next(stamp for kind, stamp, _ in flv.media if kind == VIDEO) / 1000


async def _tracks(root: str, live_id: str, viewers: int, began_s: float) -> list[dict[str, Any]]:
    """Orders for two tracks of each viewer."""
    http, tokens, now_s = Http(), Tokens(TOKEN_SECRET), time.time()
    grants = (Grant(live_id, PLAYBACK, now_s + 3600, now_s, 0, f"viewer{number}") for number in range(viewers))
    minted = [tokens.mint_session(grant).token for grant in grants]
    base = f"{root}/live/{live_id}/token/"
    master = await playlists.first(http, f"{base}{minted[0]}/{live_id}.m3u8")
    found = []
    for url in (master.variants[0], master.renditions[0]):
        media = await playlists.first(http, url)
        init = (await http.get(media.init or "")).body
        path = urlsplit(url).path.partition(f"{minted[0]}/")[2]
        found.append((path, _timescale(init)))
    http.close()
    return [
        {"path": f"{urlsplit(base).path}{token}/{path}", "timescale": timescale, "began_s": began_s}
        for token in minted
        for path, timescale in found
    ]


def _timescale(init: bytes) -> int:
    at = init.index(b"mdhd")
    wide = init[at + 4] == 1
    at += 8 + (16 if wide else 8)
    return int.from_bytes(init[at : at + 4], "big")


async def _watch(pid: int, root: str, tracks: Sequence[dict[str, Any]], seconds: float) -> Load:
    from_s = time.monotonic() + JOINING_S
    parts = urlsplit(root)
    order = {"host": parts.hostname, "port": parts.port, "from_s": from_s, "until_s": from_s + seconds}
    askers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.viewer_load",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    orders = [{**order, "tracks": tracks[number::PROCESSES]} for number in range(PROCESSES)]
    answers = asyncio.gather(
        *(asker.communicate(json.dumps(each).encode()) for asker, each in zip(askers, orders, strict=True))
    )
    await asyncio.sleep(from_s - time.monotonic())
    meter = Meter(pid)
    await asyncio.sleep(from_s + seconds - time.monotonic())
    used = meter.read()
    found = [json.loads(out) for out, _ in await answers]
    faults = [fault for one in found for fault in one["faults"]]
    faults += ["a connection was lost"] * sum(one["lost"] for one in found)
    return Load(
        viewers=len(tracks) // 2,
        answers=sum(one["answers"] for one in found),
        bytes=sum(one["bytes"] for one in found),
        late_ms=[late for one in found for late in one["late_ms"]],
        used=used,
        faults=faults,
    )


async def _floor(viewers: int, seconds: float) -> Load:
    with _constant_peer() as (pid, root):
        track = {"path": "/media.m3u8", "timescale": 1, "began_s": None}
        return await _watch(pid, root, [track] * (2 * viewers), seconds)


@contextmanager
def _constant_peer() -> Iterator[tuple[int, str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.constant_peer", str(PLAYLIST_BYTES), str(PART_BYTES), str(PART_S)],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        assert process.stdout
        yield process.pid, f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(10)


def _report(bench: Bench, load: Load, floor: Load, most: bool) -> None:
    for fault in [*load.faults, *floor.faults][:3]:
        bench.fault(fault)
    seconds, noise = load.used.span_s, load.used.other_cores
    details = {"answers": load.answers, "bytes": load.bytes, "floor_us": floor.us}
    name = f"{load.viewers} viewers:"
    bench.add(
        f"{name} viewers of a core", load.per_core, "", target=LEAST_VIEWERS if most else None, least=True,
        peer=floor.per_core, other_cores=noise, details=details,
        note=f"{load.answers / seconds:,.0f} answers a second of {load.bytes / load.answers / 1024:.1f} KiB",
    )  # fmt: skip
    bench.add(f"{name} CPU of an answer", load.us, "µs", peer=floor.us, other_cores=noise)
    bench.add(
        f"{name} lateness of a part, p99", quantile(load.late_ms, 0.99), "ms", target=MOST_LATE_MS,
        other_cores=noise, note=f"p50 {quantile(load.late_ms, 0.5):.0f}, max {max(load.late_ms, default=0):.0f}",
    )  # fmt: skip
