"""The CPU from an uploaded film to what is watched of it by its own index: its child, and what the server does."""

import asyncio
import os
import resource
import shutil
import subprocess
import time

from server.formats.fmp4.index import MovieIndex
from server.media.calls import examine
from server.media.child import Children
from server.packager.vod import IndexedVideo
from tests.bench import clips
from tests.bench.bench import Bench
from tests.bench.processes import Meter

TARGET_S = 0.35
ROUNDS = 5


async def run(bench: Bench) -> None:
    bench.say(f"{clips.film().name} by its index, {ROUNDS} rounds in turn with ffmpeg")
    meter = Meter()
    ours, indexed, theirs = [], [], []
    for _ in range(ROUNDS):
        cpu_s, indexed_s = await _presented()
        ours.append(cpu_s)
        indexed.append(indexed_s)
        theirs.append(await asyncio.to_thread(_ffmpeg, bench))
    noise = meter.read().other_cores
    bench.add("from its index, CPU in all", min(ours), "s", target=TARGET_S, peer=min(theirs), other_cores=noise,
              note=f"least of {ROUNDS}: the child, the index read, all playlists; the peer packages")  # fmt: skip
    bench.add("its index is there", min(indexed), "s", other_cores=noise, note="after the child's start")


async def _presented() -> tuple[float, float]:
    """Seconds of CPU, and by the clock until the index was whole."""
    said: list[float] = []
    async with Children(1) as children:
        with clips.film().open("rb") as source:
            index = os.memfd_create("index")
            before, began = _cpu_s(), time.monotonic()
            found = await examine(
                children, source.fileno(), index, lambda: said.append(time.monotonic() - began)
            )
            video = IndexedVideo(MovieIndex.from_bytes(os.pread(index, os.fstat(index).st_size, 0)))
            for rendition in video.renditions:
                video.media(rendition)
            video.master()
            spent = _cpu_s() - before
            os.close(index)
    if found.problem is not None:
        raise ValueError(found.problem.detail)
    return spent, said[0]


def _cpu_s() -> float:
    """Of this process, and of its children that have ended."""
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _ffmpeg(bench: Bench) -> float:
    """Seconds of CPU of packaging it."""
    folder, before = bench.folder("ffmpeg"), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(clips.film()), "-c", "copy", "-f", "hls",
         "-hls_segment_type", "fmp4", "-hls_time", "4", "-hls_playlist_type", "vod", str(folder / "a.m3u8")],
        check=True,
    )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
