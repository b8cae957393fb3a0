"""What N publishers over SRT cost the server, and what loss on the way costs its viewers. ffmpeg's libsrt sends."""

import asyncio
import contextlib
import json
import re
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench import clips
from tests.bench.bench import Bench
from tests.bench.density import Watch
from tests.bench.processes import Meter, ProcessTree
from tests.harness.lossy import Lossy
from tests.harness.server import Server, until

CPU_TARGET_S = 0.6  # a stream-minute, with 20 streams
FIRST_PART_TARGET_S = 1.5
LOSS, DELAY_S, LATENCY_MS = 0.02, 0.02, 200  # each way
CLOSED = re.compile(r'"event":"closed"')


async def run(bench: Bench) -> None:
    source = clips.live()
    for n in map(int, bench.settings.streams.split(",")):
        with bench.server(f"n{n}") as server:
            await _density(bench, server, source, n)
    with bench.server("loss") as server:
        await _loss(bench, server, source)


@contextlib.asynccontextmanager
async def _publishing(urls: Sequence[str], source: Path) -> AsyncIterator[None]:
    """An ffmpeg to each URL; their starts are spread over one GOP."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        for url in urls:
            running.append(
                subprocess.Popen(
                    ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", str(source),
                     "-c", "copy", "-f", "mpegts", url],
                )
            )  # fmt: skip
            await asyncio.sleep(2 / len(urls))
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            await asyncio.to_thread(process.wait, 10)


async def _density(bench: Bench, server: Server, source: Path, n: int) -> None:
    settings = bench.settings
    bench.say(f"{n} stream(s) over SRT, {settings.warm_up:g} + {settings.density:g} s")
    lives = [server.live_stream(name=f"bench {number}") for number in range(n)]
    idle = ProcessTree(server.pid).usage()
    watches = [Watch(f"{server.http}/live/{live['liveStreamId']}.m3u8") for live in lives]
    tasks = [asyncio.create_task(watch.run()) for watch in watches]
    async with _publishing([live["srt"] for live in lives], source):
        await asyncio.sleep(settings.warm_up)
        meter, since = Meter(server.pid), time.monotonic()
        await asyncio.sleep(settings.density)
        used, now = meter.read(), time.monotonic()
        memory = ProcessTree(server.pid).usage().rss_mib - idle.rss_mib
        packets = _packets(server)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for text in [watch.problem for watch in watches if watch.problem][:3]:
        bench.fault(text)
    more: dict[str, Any] = {"other_cores": used.other_cores, "details": {"n": n, "packets": packets}}
    most = n == max(map(int, settings.streams.split(",")))
    bench.add(f"N={n} CPU a stream-minute", used.server_cpu_s * 60 / used.span_s / n, "s",
              target=CPU_TARGET_S if most else None, **more)  # fmt: skip
    bench.add(f"N={n} … without child processes", used.server_own_cpu_s * 60 / used.span_s / n, "s",
              note="which make the pictures", **more)  # fmt: skip
    bench.add(f"N={n} memory a stream", memory / n, "MiB", **more)
    bench.add(f"N={n} longest playlist gap", max(watch.gap_s(since, now) for watch in watches), "s", **more)
    bench.add(f"N={n} packets lost", packets["lost"], "", note=f"of {packets['received']:.0f}", **more)
    bench.add(f"N={n} packets dropped", packets["dropped"], "", target=0, **more)
    bench.add(f"N={n} first multivariant playlist", _first_s(server, lives, watches), "s", target=FIRST_PART_TARGET_S,
              note="after the first key frame was taken", **more)  # fmt: skip


async def _loss(bench: Bench, server: Server, source: Path) -> None:
    seconds = bench.settings.density
    bench.say(f"{LOSS:.0%} lost each way, {2000 * DELAY_S:g} ms of round trip, {seconds:g} s")
    live = server.live_stream()
    port = urlsplit(server.ready["srt"]).port
    assert port
    with Lossy(port, loss=LOSS, delay_s=DELAY_S) as proxy:
        url = f"srt://127.0.0.1:{proxy.port}?streamid={live['streamKey']}&latency={LATENCY_MS * 1000}"
        async with _publishing([url], source):
            await asyncio.sleep(seconds)
            packets = _packets(server)
            media = f"{server.http}/live/{live['liveStreamId']}.m3u8"
            faults = await asyncio.to_thread(_decoding_faults, media, seconds / 2)
    line = await asyncio.to_thread(until, lambda: _closing_line(server))
    bench.add("2 % loss: packets lost", packets["lost"], "", note=f"of {packets['received']:.0f}")
    bench.add("2 % loss: packets dropped", packets["dropped"], "", target=0)
    bench.add("2 % loss: holes in the stream", float(line.get("ts_gaps", 0)), "", target=0,
              note="with what was on its way at the end")  # fmt: skip
    bench.add("2 % loss: faults in decoding", faults, "", target=0, note="lines that ffmpeg says")


def _packets(server: Server) -> dict[str, float]:
    text = server.get("/metrics").text
    return {name: float(value) for name, value in re.findall(r'sluice_srt_packets_total{fate="(\w+)"} (\S+)', text)}


def _decoding_faults(url: str, seconds: float) -> int:
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", url, "-t", str(seconds), "-f", "null", "-"],
        capture_output=True, text=True, timeout=seconds * 4 + 60, check=False,
    )  # fmt: skip
    return len(done.stderr.splitlines())


def _closing_line(server: Server) -> dict[str, Any]:
    for line in server.log().splitlines():
        if CLOSED.search(line):
            found: dict[str, Any] = json.loads(line)
            return found
    return {}


def _first_s(server: Server, lives: Sequence[dict[str, Any]], watches: Sequence[Watch]) -> float | None:
    """The longest wait of a playlist since its stream went live, by the log."""
    offset = time.time() - time.monotonic()
    live_at = {}
    for line in server.log().splitlines():
        if '"event":"live"' in line:
            found = json.loads(line)
            live_at[found["live_stream"]] = datetime.fromisoformat(found["timestamp"]).timestamp()
    waits = [
        watch.first_at + offset - live_at[live["liveStreamId"]]
        for live, watch in zip(lives, watches, strict=True)
        if watch.first_at and live["liveStreamId"] in live_at
    ]
    return max(waits) if len(waits) == len(lives) else None
