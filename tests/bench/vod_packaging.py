#!/usr/bin/env python3
"""What it costs to serve an uploaded MP4 by its own index, without a server around it.

  python -m tests.bench.vod_packaging                  ten minutes of 1080p at 5 Mbit/s, made with ffmpeg
  python -m tests.bench.vod_packaging --file film.mp4  a file of your own

Prints CPU for the index, the child that examines the file, a presentation and each segment; the time from the file's
last byte to its first segment; and how many seconds of video a CPU-second packages.
"""

import argparse
import asyncio
import functools
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

from server.formats.fmp4.foreign import read_moov
from server.formats.fmp4.index import MovieIndex
from server.formats.fmp4.movie import movie_index
from server.media.calls import examine
from server.media.child import Children
from server.packager.vod import IndexedVideo
from tests.harness.media import clip, ffmpeg

ROUNDS = 5


def long_film() -> pathlib.Path:
    """Ten minutes of 1080p, kept between runs."""
    path = pathlib.Path(tempfile.gettempdir()) / "sluice-bench-ten-minutes.mp4"
    if not path.exists():
        noise = ("-vf", "noise=alls=12:allf=t", "-b:v", "5M", "-maxrate", "5M", "-bufsize", "10M")
        source = clip(20, size="1920x1080", b_frames=2, extra=noise)
        ffmpeg("-stream_loop", "29", "-i", source, "-c", "copy", "-movflags", "+faststart", path)
    return path


def cpu_ms(work: Callable[[], object]) -> float:
    """The least of several rounds: what the work costs, rather than what else went on."""
    spent = []
    for _ in range(ROUNDS):
        before = time.process_time()
        work()
        spent.append((time.process_time() - before) * 1000)
    return min(spent)


async def first_segment_ms(path: pathlib.Path) -> tuple[float, float, float]:
    """Milliseconds from the last byte to (playable, the first segment built, the child's end)."""
    with path.open("rb") as source, tempfile.TemporaryFile() as index:
        playable = 0.0

        def on_indexed() -> None:
            nonlocal playable, built
            playable = time.perf_counter()
            saved = os.pread(index.fileno(), os.fstat(index.fileno()).st_size, 0)
            presentation = IndexedVideo(MovieIndex.from_bytes(saved))
            presentation.segment("video", 0).fill(functools.partial(os.preadv, source.fileno()))
            built = time.perf_counter()

        built = 0.0
        async with Children(1) as children:
            started = time.perf_counter()
            found = await examine(children, source.fileno(), index.fileno(), on_indexed)
            ended = time.perf_counter()
        if found.problem is not None:
            raise SystemExit(found.problem.detail)
    return (playable - started) * 1000, (built - started) * 1000, (ended - started) * 1000


def segments_ms(presentation: IndexedVideo, descriptor: int, rendition: str) -> list[float]:
    """CPU of each segment, planned and read."""
    spent = []
    for number in range(presentation.media(rendition).count("#EXTINF")):
        before = time.process_time()
        presentation.segment(rendition, number).fill(functools.partial(os.preadv, descriptor))
        spent.append((time.process_time() - before) * 1000)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=pathlib.Path)
    path = parser.parse_args().file or long_film()
    size = path.stat().st_size
    descriptor = os.open(path, os.O_RDONLY)
    moov = read_moov(lambda offset, length: os.pread(descriptor, length, offset), size)
    index = movie_index(moov, size)
    saved = index.to_bytes()
    presentation = IndexedVideo(index)
    latencies = [asyncio.run(first_segment_ms(path)) for _ in range(ROUNDS)]
    playable, built, ended = (min(column) for column in zip(*latencies, strict=True))
    segments_ms(presentation, descriptor, "video")  # into the page cache
    video = segments_ms(presentation, descriptor, "video")
    rows = [
        ("file", f"{size / 1e6:.0f} MB, {presentation.duration_s:.0f} s"),
        ("index, CPU", f"{cpu_ms(lambda: movie_index(moov, size)):.1f} ms"),
        ("saved index", f"{len(saved) / 1e3:.0f} kB"),
        ("load it, CPU", f"{cpu_ms(lambda: MovieIndex.from_bytes(saved)):.1f} ms"),
        ("presentation, CPU", f"{cpu_ms(lambda: IndexedVideo(index)):.1f} ms"),
        ("last byte to playable", f"{playable:.0f} ms"),
        ("last byte to first segment", f"{built:.0f} ms"),
        ("last byte to examined", f"{ended:.0f} ms"),
        ("video segment, CPU", f"median {statistics.median(video):.2f} ms, worst {max(video):.2f} ms"),
        ("packaging", f"{presentation.duration_s / (sum(video) / 1000):,.0f} x real time of one core"),
        ("machine", f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"),
    ]
    for name, value in rows:
        print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
