"""Packaging of films in other containers: the child's CPU beside `ffmpeg -c copy -f hls` of the same file."""

import asyncio
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

from server.media.calls import examine
from server.media.child import Children
from server.media.facts import SourceFacts
from server.media.packaging import copies_of, package
from tests.bench import clips
from tests.bench.bench import Bench
from tests.bench.processes import Meter

TARGET = 1.0  # of ffmpeg's CPU
ROUNDS = 3
# ffmpeg can't copy the AAC of a transport stream without it.
PEER_ARGUMENTS = {"mkv": (), "ts": ("-bsf:a", "aac_adtstoasc")}


async def run(bench: Bench) -> None:
    for extension, arguments in PEER_ARGUMENTS.items():
        path = clips.film_in(extension)
        bench.say(f"packaging of {path.name}, {ROUNDS} rounds in turn with ffmpeg")
        meter = Meter()
        facts, examined_s = await _examined(path)
        ours, first, theirs = [], [], []
        for _ in range(ROUNDS):
            cpu_s, first_s = await _packaged(bench.folder("copies"), path, facts)
            ours.append(cpu_s)
            first.append(first_s)
            theirs.append(await asyncio.to_thread(_ffmpeg, bench.folder("ffmpeg"), path, arguments))
        noise = meter.read().other_cores
        note = f"least of {ROUNDS}; the look at it before takes {examined_s:.2f} s"
        bench.add(f"packaging of {extension}, CPU", min(ours), "s", target=min(theirs) * TARGET, peer=min(theirs),
                  other_cores=noise, note=note)  # fmt: skip
        bench.add(f"first segment of {extension}", min(first), "s", other_cores=noise, note="after the child's start")


async def _examined(path: Path) -> tuple[SourceFacts, float]:
    before = _children_cpu_s()
    async with Children(1) as children:
        with path.open("rb") as source, open(os.memfd_create("index"), "wb") as index:
            found = await examine(children, source.fileno(), index.fileno())
    if found.facts is None:
        raise ValueError(f"{path} can't be read")
    return found.facts, _children_cpu_s() - before


async def _packaged(folder: Path, path: Path, facts: SourceFacts) -> tuple[float, float]:
    """Seconds of CPU, and by the clock until the first segment was said."""
    copies = copies_of(facts)
    outputs = {copy.name: os.open(folder / copy.name, os.O_RDWR | os.O_CREAT) for copy in copies}
    said: list[float] = []
    before, began = _children_cpu_s(), time.monotonic()
    try:
        async with Children(1) as children:
            with path.open("rb") as source:
                problem = await package(
                    children, source.fileno(), path.stat().st_size, facts, copies, outputs,
                    lambda described: None, lambda segment: said.append(time.monotonic() - began),
                )  # fmt: skip
    finally:
        for fd in outputs.values():
            os.close(fd)
    if problem is not None:
        raise ValueError(problem.detail)
    return _children_cpu_s() - before, said[0]


def _ffmpeg(folder: Path, path: Path, arguments: tuple[str, ...]) -> float:
    """Seconds of CPU."""
    before = _children_cpu_s()
    subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(path), "-c", "copy", *arguments, "-f", "hls",
         "-hls_segment_type", "fmp4", "-hls_time", "4", "-hls_playlist_type", "vod", str(folder / "a.m3u8")],
        check=True,
    )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
    return _children_cpu_s() - before


def _children_cpu_s() -> float:
    """Of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
