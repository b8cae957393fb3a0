"""What the server hands out for a second of its CPU: segments and playlists of private assets, by wrk.

Every request carries one of a thousand session tokens. Logs go to a file, metrics are counted. The floor is aiohttp's
own static file server with the same bytes, in the same run, on the loop that suits it better.
"""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.playback.tokens import PLAYBACK, Grant, Tokens
from server.storage.layout import Layout
from tests.bench import clips, playlists, wrk
from tests.bench.bench import TOKEN_SECRET, Bench
from tests.bench.client import Http
from tests.bench.flv import Flv
from tests.bench.long_broadcast import lengthen
from tests.bench.publish import publishing
from tests.harness import uploads
from tests.harness.server import Server, until

TOKENS = 1000
FULL_TARGET, DELTA_TARGET = 1000.0, 5000.0  # playlists of 30 minutes
MIB = 1 << 20
LONG_SEGMENTS = 900  # half an hour
PIECE_S = 9.0  # of a broadcast that is to become long, or a recording
YOUNG_S = 12.0  # until a young broadcast lists what playlists of young broadcasts list
IN_MEMORY_S = 3.0  # the newest whole segment stays there a little longer
GZIP = {"Accept-Encoding": "gzip"}
RECONNECT_S = 600


@dataclass(frozen=True, slots=True)
class Asset:
    """A private video or live stream; `manifest` is relative to what a token opens."""

    id: str
    root: str  # up to the token
    manifest: str

    def base(self, token: str) -> str:
        return f"{self.root}/{token}/"


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    asset: Asset
    path: str  # relative to what a token opens
    headers: Mapping[str, str]
    seconds: float
    segment: bool
    least: float | None = None  # wanted of a CPU-second


async def run(bench: Bench) -> None:
    if not wrk.installed():
        bench.say("wrk is not installed, so nothing is measured (apt-get install wrk)")
        return
    flv = Flv(clips.live())
    with bench.server("server") as server:
        long, young, recorded = (_live(server, name) for name in ("long", "young", "recorded"))
        film = _film(server)
        bench.say(f"a broadcast of {LONG_SEGMENTS} segments, and a recording")
        async with publishing([server.ingest_url(recorded)], flv):
            await asyncio.sleep(PIECE_S)
        await _make_long(server, long, flv)
        recording = await asyncio.to_thread(_recording, server, recorded)
        async with publishing([server.ingest_url(long), server.ingest_url(young)], flv) as streams:
            await asyncio.sleep(YOUNG_S)
            await _measure(bench, server, [_asset(server, live) for live in (long, young)], recording, film)
            for stream in streams:
                if stream.failed:
                    bench.fault(stream.failed)


# --- what is to be delivered


def _live(server: Server, name: str) -> dict[str, Any]:
    return server.live_stream(name=name, public=False, reconnectWindow=RECONNECT_S)


def _asset(server: Server, live: Mapping[str, Any]) -> Asset:
    live_id = live["liveStreamId"]
    return Asset(live_id, f"{server.http}/live/{live_id}/token", f"{live_id}.m3u8")


def _video(server: Server, video_id: str) -> Asset:
    return Asset(video_id, f"{server.http}/vod/{video_id}/token", "hls/manifest.m3u8")


def _film(server: Server) -> Asset:
    made = uploads.post_source(server, clips.film(), public=False)
    ended = uploads.ended(server, made["videoId"], 60)
    if ended["state"] != "done":
        raise RuntimeError(f"the film: {ended['error']}")
    return _video(server, made["videoId"])


async def _make_long(server: Server, live: Mapping[str, Any], flv: Flv) -> None:
    async with publishing([server.ingest_url(live)], flv, politely=False):
        await asyncio.sleep(PIECE_S)
        server.kill()
    layout = Layout(server.data)
    [broadcast] = [path.name for path in layout.broadcasts.iterdir() if not _recorded(path)]
    await asyncio.to_thread(lengthen, layout, broadcast, LONG_SEGMENTS)
    await asyncio.to_thread(server.start)


def _recorded(folder: Path) -> bool:
    """Whether all segments of a broadcast are closed, as an ended one's are."""
    return not list(folder.glob("*/*.open"))


def _recording(server: Server, live: Mapping[str, Any]) -> Asset:
    path = f"/videos?liveStreamId={live['liveStreamId']}"
    found = until(lambda: server.api("GET", path)["data"])
    return _video(server, found[0]["videoId"])


# --- measuring


async def _measure(bench: Bench, server: Server, lives: list[Asset], recording: Asset, film: Asset) -> None:
    long, young = lives
    seconds, http = bench.settings.wrk, Http()
    token = _tokens(long.id)[0]
    playlist = await _media(http, long, token)
    if len(playlist.segments) < LONG_SEGMENTS:
        bench.fault(f"the long playlist lists {len(playlist.segments)} segments")
    full = playlist.url.removeprefix(long.base(token))
    delta = f"{full}?_HLS_skip=YES"
    small = await _path(http, young, lambda found: found.url)
    cases = [
        Case("recorded segment", recording, await _path(http, recording, _middle), {}, seconds, True),
        Case("VOD segment, cut on request", film, await _path(http, film, _middle), {}, seconds, True),
        Case("playlist, young broadcast", young, small, {}, seconds, False),
        Case("playlist, young broadcast, gzip", young, small, GZIP, seconds, False),
        Case("playlist, 30 minutes, full", long, full, {}, seconds, False, FULL_TARGET),
        Case("playlist, 30 minutes, full, gzip", long, full, GZIP, seconds, False, FULL_TARGET),
        Case("playlist, 30 minutes, delta", long, delta, {}, seconds, False, DELTA_TARGET),
        Case("playlist, 30 minutes, delta, gzip", long, delta, GZIP, seconds, False, DELTA_TARGET),
    ]
    static = bench.folder("static")
    with _static_peer(static, "asyncio") as files, _static_peer(static, "uvloop") as texts:
        newest = await _path(http, young, lambda found: found.segments[-1])
        cases.insert(0, Case("live segment, in memory", young, newest, {}, IN_MEMORY_S, True))
        for case in cases:
            await _compare(bench, server, files if case.segment else texts, case)
    shutil.rmtree(static, ignore_errors=True)
    await _check_refusal(bench, http, long, full)
    http.close()


async def _media(http: Http, asset: Asset, token: str) -> playlists.Playlist:
    return await playlists.first_media(http, asset.base(token) + asset.manifest)


async def _path(http: Http, asset: Asset, choose: Callable[[playlists.Playlist], str]) -> str:
    """A URL of the media playlist, as it is behind any token."""
    token = _tokens(asset.id)[0]
    return choose(await _media(http, asset, token)).removeprefix(asset.base(token))


def _middle(playlist: playlists.Playlist) -> str:
    return playlist.segments[len(playlist.segments) // 2]


def _tokens(subject: str) -> list[str]:
    """Session tokens of as many viewers."""
    tokens, now_s = Tokens(TOKEN_SECRET), time.time()
    grants = (Grant(subject, PLAYBACK, now_s + 3600, now_s, 0, f"viewer{number}") for number in range(TOKENS))
    return [tokens.mint_session(grant).token for grant in grants]


async def _compare(bench: Bench, server: Server, peer: "StaticPeer", case: Case) -> None:
    bench.say(f"{case.name}, {case.seconds:g} s")
    urls = [case.asset.base(token) + case.path for token in _tokens(case.asset.id)]
    ours = await wrk.load(server.pid, urls, case.seconds, case.headers)
    http = Http()
    body = (await http.get(urls[0], case.headers)).body
    http.close()
    url = peer.url(f"{case.name.replace(' ', '-').replace(',', '')}{'.m4s' if case.segment else '.m3u8'}", body)
    floor = await wrk.load(peer.pid, [url], case.seconds, {})
    _report(bench, case, len(body), ours, floor)


def _report(bench: Bench, case: Case, size: int, ours: wrk.Load, floor: wrk.Load) -> None:
    for name, load in ("Sluice", ours), ("the floor", floor):
        if load.bad_status or load.failed or not load.requests:
            bench.fault(f"{case.name}: {name} gave {load.bad_status} bad answers, {load.failed} failed")
    scale = size / MIB if case.segment else 1.0
    shown = f"{size / MIB:.2f} MiB" if case.segment else f"{size / 1024:.1f} KiB"
    bench.add(
        f"{case.name}, a CPU-second",
        ours.per_cpu_s * scale,
        "MiB" if case.segment else "requests",
        peer=floor.per_cpu_s * scale,
        target=case.least,
        least=True,
        other_cores=max(ours.used.other_cores, floor.used.other_cores),
        note=f"{shown}; {ours.per_s:,.0f} a second, p99 {ours.p99_ms:.1f} ms; floor p99 {floor.p99_ms:.1f} ms",
        details={"ours": _plain(ours), "floor": _plain(floor), "size": size},
    )


def _plain(load: wrk.Load) -> dict[str, float]:
    return {
        "per_s": load.per_s, "per_cpu_s": load.per_cpu_s, "p50_ms": load.p50_ms, "p99_ms": load.p99_ms,
        "server_cores": load.used.server_cores, "bench_cores": load.used.bench_cpu_s / load.used.span_s,
    }  # fmt: skip


async def _check_refusal(bench: Bench, http: Http, asset: Asset, path: str) -> None:
    """Numbers of a server that lets everybody in would mean nothing."""
    stranger = _tokens("liSomebodyElses")[0]
    bare = asset.root.removesuffix("/token") + "/" + path.partition("/")[2]
    for url in (asset.base(stranger) + path, bare):
        status = (await http.request("GET", url)).status
        if status != 403:
            bench.fault(f"{url[:80]} is answered with {status}, not 403")


# --- the floor


@dataclass(frozen=True, slots=True)
class StaticPeer:
    pid: int
    root: str
    folder: Path

    def url(self, name: str, body: bytes) -> str:
        """Serves these bytes under a name."""
        (self.folder / name).write_bytes(body)
        return f"{self.root}/{name}"


@contextmanager
def _static_peer(folder: Path, loop: str) -> Iterator[StaticPeer]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.static_peer", str(folder), loop],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        assert process.stdout
        yield StaticPeer(process.pid, f"http://127.0.0.1:{int(process.stdout.readline())}", folder)
    finally:
        process.terminate()
        process.wait(10)
