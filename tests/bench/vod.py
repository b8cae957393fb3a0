"""An uploaded film: how soon it plays, what a segment costs, and packaging against ffmpeg's own."""

import asyncio
import base64
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import clips, copying, playlists, vod_index
from tests.bench.bench import Bench
from tests.bench.client import Http
from tests.bench.processes import Meter, ProcessTree
from tests.bench.report import quantile
from tests.bench.tus_client import Upload
from tests.harness.server import OWNER_KEY, Server

PLAYABLE_TARGET_S = 0.3
PIECES = 40  # of an upload that comes slowly
PIECE_EVERY_S = 0.2
SEGMENT_TARGET_MS = 4.0
ASK_EVERY_S = 0.01
PATIENCE_S = 60.0
SEGMENT_S = 4


@dataclass(slots=True)
class Playable:
    """Moments after the last byte was sent."""

    acknowledged_s: float
    manifest_s: float
    segment_s: float
    media: list[playlists.Playlist]


@dataclass(slots=True)
class Cost:
    """Of getting every segment of a rendition, one after the other."""

    wall_s: float = 0.0
    cpu_ms: list[float] = field(default_factory=list)
    bytes: int = 0


async def run(bench: Bench) -> None:
    with bench.server("server") as server:
        for path in (clips.film(), clips.film_tail()):
            place = "moov first" if path == clips.film() else "moov last"
            bench.say(f"{path.stat().st_size >> 20} MiB, {place}")
            meter = Meter(server.pid)
            playable = await _upload(server, path)
            _report_playable(bench, place, playable, meter.read().other_cores)
            await asyncio.sleep(1)  # the poster's child is done
        await _slowly(bench, server)
        await _segments(bench, server, playable.media)
    await vod_index.run(bench)
    await copying.run(bench)


async def _slowly(bench: Bench, server: Server) -> None:
    """What has come is worked on meanwhile: what is left is the time from the last byte on."""
    for path in (clips.film(), clips.film_tail(), clips.film_in("mkv"), clips.film_in("ts")):
        bench.say(f"{path.name}, in {PIECES} pieces")
        meter = Meter(server.pid)
        playable = await _upload(server, path, PIECES)
        used = meter.read()
        bench.add(f"{path.name}, slowly: manifest", playable.manifest_s, "s", target=PLAYABLE_TARGET_S,
                  other_cores=used.other_cores,
                  note=f"after the last byte; {used.server_cpu_s:.2f} s of CPU in all")  # fmt: skip
        await asyncio.sleep(1)  # the poster's child is done


async def _upload(server: Server, path: Path, pieces: int = 1) -> Playable:
    credentials = base64.b64encode(f"{OWNER_KEY}:".encode()).decode()
    with path.open("rb") as file:
        size = path.stat().st_size
        upload = Upload(f"{server.http}/tus", file, size, {"Authorization": f"Basic {credentials}"})
        await upload.create()
        last = size * (pieces - 1) // pieces
        for piece in range(1, pieces):
            await upload.send_to(size * piece // pieces)
            await asyncio.sleep(PIECE_EVERY_S)
        upload.connection.body_sent_at = None
        patch = asyncio.create_task(upload.send(last))
        while not upload.connection.body_sent_at and not patch.done():
            await asyncio.sleep(0.001)
        try:
            return await _watch(f"{server.http}/vod/{upload.video_id}/hls/manifest.m3u8", patch, _sent_at(upload))
        finally:
            await patch
            upload.connection.close()


def _sent_at(upload: Upload) -> float:
    """When the kernel had taken the last byte."""
    return upload.connection.body_sent_at or time.monotonic()


async def _watch(url: str, patch: asyncio.Task[None], sent_at: float) -> Playable:
    http, acknowledged_s = Http(), 0.0
    try:
        while (response := await http.request("GET", url)).status != 200:
            if patch.done() and not acknowledged_s:
                patch.result()
                acknowledged_s = time.monotonic() - sent_at
            if time.monotonic() - sent_at > PATIENCE_S:
                raise TimeoutError(f"{url} answers {response.status}")
            await asyncio.sleep(ASK_EVERY_S)
        manifest_s = time.monotonic() - sent_at
        master = playlists.parse(response.body.decode(), url)
        video = await playlists.fetch(http, master.variants[0])
        await http.get(video.init or "")
        await http.get(video.segments[0])
        segment_s = time.monotonic() - sent_at
        audio = [await playlists.fetch(http, each) for each in master.renditions]
    finally:
        http.close()
    return Playable(acknowledged_s or manifest_s, manifest_s, segment_s, [video, *audio])


def _report_playable(bench: Bench, place: str, playable: Playable, noise: float) -> None:
    note = f"after the last byte was sent; acknowledged after {playable.acknowledged_s:.2f} s"
    bench.add(f"{place}: manifest", playable.manifest_s, "s", target=PLAYABLE_TARGET_S, other_cores=noise, note=note)
    bench.add(f"{place}: first segment", playable.segment_s, "s", target=PLAYABLE_TARGET_S, other_cores=noise,
              note="with its playlist and init segment")  # fmt: skip


async def _segments(bench: Bench, server: Server, media: list[playlists.Playlist]) -> None:
    bench.say("every segment, one after the other")
    tree, meter = ProcessTree(server.pid), Meter(server.pid)
    costs = {name: await _fetch_all(tree, playlist) for name, playlist in zip(("video", "audio"), media, strict=False)}
    noise = meter.read().other_cores
    for name, cost in costs.items():
        note = f"{len(cost.cpu_ms)} segments of {cost.bytes / len(cost.cpu_ms) / 2**20:.2f} MiB"
        dearest = f"p99 {quantile(cost.cpu_ms, 0.99):.1f}, most {max(cost.cpu_ms):.1f}"
        bench.add(f"CPU a {name} segment, mean", statistics.mean(cost.cpu_ms), "ms", target=SEGMENT_TARGET_MS,
                  other_cores=noise, note=f"{note}; {dearest}")  # fmt: skip
    wall_s = sum(cost.wall_s for cost in costs.values())
    cpu_s = sum(sum(cost.cpu_ms) for cost in costs.values()) / 1000
    bench.say("ffmpeg -c copy -f hls")
    peer_wall_s, peer_cpu_s = await asyncio.to_thread(_ffmpeg, bench.folder("ffmpeg"))
    bench.add("packaging, × real time by the clock", clips.FILM_S / wall_s, "×", peer=clips.FILM_S / peer_wall_s,
              other_cores=noise, note="over HTTP; the peer is ffmpeg to files")  # fmt: skip
    bench.add("packaging, × real time of CPU", clips.FILM_S / cpu_s, "×", peer=clips.FILM_S / peer_cpu_s,
              other_cores=noise)  # fmt: skip


async def _fetch_all(tree: ProcessTree, playlist: playlists.Playlist) -> Cost:
    http, cost = Http(), Cost()
    for url in playlist.segments:
        before, began = tree.exact_cpu_s(), time.monotonic()
        response = await http.get(url)
        cost.wall_s += time.monotonic() - began
        cost.cpu_ms.append((tree.exact_cpu_s() - before) * 1000)
        cost.bytes += len(response.body)
        if not playlists.looks_like_media(response.body):
            raise ValueError(f"{url} is no segment")
    http.close()
    return cost


def _ffmpeg(folder: Path) -> tuple[float, float]:
    """Seconds by the clock, and of CPU."""
    command = [
        "ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(clips.film()), "-c", "copy", "-f", "hls",
        "-hls_segment_type", "fmp4", "-hls_time", str(SEGMENT_S), "-hls_playlist_type", "vod", str(folder / "a.m3u8"),
    ]  # fmt: skip
    meter, began = Meter(), time.monotonic()
    subprocess.run(command, check=True)
    wall_s, cpu_s = time.monotonic() - began, meter.read().bench_cpu_s
    shutil.rmtree(folder, ignore_errors=True)
    return wall_s, cpu_s
