"""What N live streams cost the server: CPU, memory, and how steadily their playlists grow, one poller for each."""

import asyncio
import itertools
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import clips, nginx, playlists
from tests.bench.bench import Bench
from tests.bench.client import Http
from tests.bench.flv import Flv
from tests.bench.processes import Meter, ProcessTree, Usage, Used
from tests.bench.publish import Stream, publishing

CPU_TARGET_S = 0.20  # a stream-minute, with 20 streams
MEMORY_TARGET_MIB = 8.0
FIRST_PLAYLIST_TARGET_S = 1.5
LAG_TARGET_MS = 20.0
FIRST_STEP_S = 0.1  # how finely the first playlist is looked for
POLL_S = (0.5, 1.0)  # least and most between two looks at a playlist
MEMORY_EVERY_S = 5.0
STILL_TARGETS = 3  # target durations without anything new: the stream stands still


class Watch:
    """Polls one stream's playlist as a plain player does, and notes when it grew."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.grew: list[float] = []
        self.first_at: float | None = None  # of the playlist at the URL
        self.media_at: float | None = None  # of a playlist that lists media
        self.target_s = 0.0
        self.problem: str | None = None
        self._newest: str | None = None

    async def run(self) -> None:
        http = Http()
        try:
            await self._follow(http)
        except asyncio.CancelledError:
            await self._look_inside(http)
        except Exception as error:
            self.problem = f"{self.url}: {error!r}"
        finally:
            http.close()

    async def _follow(self, http: Http) -> None:
        playlist = await playlists.first(http, self.url, step_s=FIRST_STEP_S)
        self.first_at = time.monotonic()
        if playlist.variants:
            playlist = await playlists.first(http, playlist.variants[0], step_s=FIRST_STEP_S)
        self.media_at = time.monotonic()
        edge = None
        while True:
            self.target_s = playlist.target_s
            if playlist.edge != edge:
                edge = playlist.edge
                self.grew.append(time.monotonic())
                self._newest = playlist.segments[-1] if playlist.segments else None
            await asyncio.sleep(min(max(playlist.part_target_s, POLL_S[0]), POLL_S[1]))
            playlist = await playlists.fetch(http, playlist.url)

    async def _look_inside(self, http: Http) -> None:
        if self._newest and not playlists.looks_like_media((await http.get(self._newest)).body):
            self.problem = f"{self._newest} is no media segment"

    def gap_s(self, since: float, until: float) -> float:
        """The longest time without anything new."""
        at = [since, *(at for at in self.grew if since <= at <= until), until]
        return max(after - before for before, after in itertools.pairwise(at))


@dataclass(frozen=True, slots=True)
class Target:
    """A server to publish to, as found."""

    pid: int
    pairs: Sequence[tuple[str, str]]  # ingest and playlist URLs
    health: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What the streams cost."""

    n: int
    used: Used
    memory_mib: float  # a stream
    first_s: float | None  # from the first key frame to the playlist, and to one that lists media
    media_s: float | None
    gap_s: float
    late_ms: float  # of the sender
    lag: dict[str, float] | None
    faults: list[str]

    @property
    def cpu_s(self) -> float:
        """A stream-minute."""
        return self.used.server_cpu_s * 60 / self.used.span_s / self.n


async def run(bench: Bench) -> None:
    flv = Flv(clips.live())
    for n in map(int, bench.settings.streams.split(",")):
        bench.say(f"{n} stream(s) to Sluice, {bench.settings.warm_up:g} + {bench.settings.density:g} s")
        with bench.server(f"n{n}") as server:
            lives = [server.live_stream(name=f"bench {number}") for number in range(n)]
            pairs = [(server.ingest_url(live), f"{server.http}/live/{live['liveStreamId']}.m3u8") for live in lives]
            ours = await _hold(bench, Target(server.pid, pairs, f"{server.http}/healthz"), flv)
        peer = await _peer(bench, n, flv)
        _report(bench, ours, peer)


async def _peer(bench: Bench, n: int, flv: Flv) -> Held | None:
    if not nginx.installed():
        bench.say(f"nginx with RTMP is not installed, so there is no peer (apt-get install {nginx.PACKAGES})")
        return None
    bench.say(f"{n} stream(s) to nginx-rtmp")
    with nginx.nginx(bench.folder(f"nginx{n}")) as peer:
        pairs = [(f"{peer.rtmp}/s{number}", f"{peer.http}/s{number}.m3u8") for number in range(n)]
        return await _hold(bench, Target(peer.pid, pairs), flv)


async def _hold(bench: Bench, target: Target, flv: Flv) -> Held:
    tree, settings = ProcessTree(target.pid), bench.settings
    idle = tree.usage()
    watches = [Watch(playlist) for _, playlist in target.pairs]
    tasks = [asyncio.create_task(watch.run()) for watch in watches]  # they see the first stream while others begin
    async with publishing([ingest for ingest, _ in target.pairs], flv) as streams:
        await asyncio.sleep(settings.warm_up)
        for stream in streams:
            stream.late_s = 0.0
        meter, since = Meter(target.pid), time.monotonic()
        memory = await _watch_memory(tree, settings.density)
        used, until = meter.read(), time.monotonic()
        lag = await _lag(target.health, settings.lag) if target.health else None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    held = Held(
        n=len(streams),
        used=used,
        memory_mib=(statistics.median(usage.rss_mib for usage in memory) - idle.rss_mib) / len(streams),
        first_s=_slowest_s(streams, [watch.first_at for watch in watches]),
        media_s=_slowest_s(streams, [watch.media_at for watch in watches]),
        gap_s=max(watch.gap_s(since, until) for watch in watches),
        late_ms=max(stream.late_s for stream in streams) * 1000,
        lag=lag,
        faults=_faults(watches, streams, since, until),
    )
    for fault in held.faults[:3]:
        bench.fault(fault)
    return held


async def _watch_memory(tree: ProcessTree, seconds: float) -> list[Usage]:
    end, found = time.monotonic() + seconds, []
    while (left := end - time.monotonic()) > 0:
        found.append(tree.usage())
        await asyncio.sleep(min(left, MEMORY_EVERY_S))
    return found


async def _lag(url: str, seconds: float) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.lag", url, str(seconds),
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    out, _ = await process.communicate()
    found: dict[str, float] = json.loads(out)
    return found


def _slowest_s(streams: Sequence[Stream], at: Sequence[float | None]) -> float | None:
    """The longest wait since a stream's first key frame; None when one was in vain."""
    waits = [then - stream.first_at for stream, then in zip(streams, at, strict=True) if then and stream.first_at]
    return max(waits) if len(waits) == len(streams) else None


def _faults(watches: Sequence[Watch], streams: Sequence[Stream], since: float, until: float) -> list[str]:
    found = [text for text in [watch.problem for watch in watches] + [stream.failed for stream in streams] if text]
    for watch in watches:
        gap_s = watch.gap_s(since, until)
        if gap_s > STILL_TARGETS * max(watch.target_s, 1.0):
            found.append(f"{watch.url}: nothing new for {gap_s:.1f} s")
    return found


def _report(bench: Bench, ours: Held, peer: Held | None) -> None:
    n, noise = ours.n, ours.used.other_cores
    most = n == max(map(int, bench.settings.streams.split(",")))
    details = {"used": _plain(ours.used), "peer_used": _plain(peer.used) if peer else None, "n": n}

    def add(name: str, value: float | None, unit: str, peer_value: float | None, **more: object) -> None:
        bench.add(f"N={n} {name}", value, unit, peer=peer_value, other_cores=noise, details=details, **more)

    late = f"sender ≤ {ours.late_ms:.0f} ms late"
    if peer:
        late += f"; other cores with nginx {peer.used.other_cores:.2f}"
    add("CPU a stream-minute", ours.cpu_s, "s", peer.cpu_s if peer else None,
        target=CPU_TARGET_S if most else None, note=late)  # fmt: skip
    add("memory a stream", ours.memory_mib, "MiB", peer.memory_mib if peer else None, target=MEMORY_TARGET_MIB,
        note="resident, more than the idle server's")  # fmt: skip
    add("longest playlist gap", ours.gap_s, "s", peer.gap_s if peer else None, note="polled every 0.5 s")
    add("first multivariant playlist", ours.first_s, "s", None, target=FIRST_PLAYLIST_TARGET_S,
        note="after the first key frame; looked for every 0.1 s")  # fmt: skip
    add("first media playlist", ours.media_s, "s", peer.media_s if peer else None, target=FIRST_PLAYLIST_TARGET_S,
        note="the same; asked for without _HLS_msn")  # fmt: skip
    if ours.lag:
        note = f"latency of /healthz: p50 {ours.lag['p50_ms']:g}, max {ours.lag['max_ms']:g}"
        add("event loop lag p99, at most", ours.lag["p99_ms"], "ms", None, target=LAG_TARGET_MS, note=note)


def _plain(used: Used) -> dict[str, float]:
    return {"span_s": used.span_s, "server_cpu_s": used.server_cpu_s, "bench_cpu_s": used.bench_cpu_s}
