"""Long runs, by hand.

    make soak                                   all of them, an hour
    make soak ARGS="live --minutes 5"           publishers come and go, players poll, and nothing may grow
    make soak ARGS="crashes --rounds 50"        servers are killed while they make videos, and nobody may notice
    make soak ARGS="crashes --rounds 1 --seed 7"
    make soak ARGS="contract --examples 200"    every operation of the dialect is called with what schemathesis makes up

`live` prints every ten seconds the server's memory, open files, threads and how late parts came out. At the end it
judges the run without its first part, in which caches fill: flat means no more than the limits below. `crashes` prints
the seed of each round, with which it can be run again. Exit status 1 if anything is wrong.
"""

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from tests.harness import crashes, media
from tests.harness.publisher import Publisher
from tests.harness.server import Server, until

SAMPLE_S = 10.0
WARM_UP = 0.2  # of the run
MAX_GROWTH_MIB = 16.0  # of resident memory, from the first tenth after the warm-up to the last
MAX_MORE_FILES = 8
MAX_LATE_P99_S = 0.2
UP_S = (40.0, 90.0)  # how long a restless publisher stays
AWAY_S = (1.0, 5.0)  # within the reconnect window
DVR_WINDOW_S = 60  # short, so that a full one is part of the warm-up

STREAMS: Sequence[dict[str, Any]] = (
    {"name": "steady", "latencyMode": "low"},
    {"name": "restless", "latencyMode": "low"},
    {"name": "restless", "latencyMode": "standard", "record": False},
    {"name": "steady", "latencyMode": "ultra-low", "record": False},
)


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at one moment."""

    at_s: float
    memory_mib: float
    files: int
    threads: int
    late_p99_s: float  # of the parts since the sample before

    def line(self) -> str:
        return (
            f"{self.at_s:7.0f} s  {self.memory_mib:7.1f} MiB  {self.files:4d} files  {self.threads:3d} threads  "
            f"parts late p99 <= {self.late_p99_s * 1000:.0f} ms"
        )


class Lateness:
    """Percentiles of /metrics' histogram between two looks."""

    BUCKET = re.compile(r'^sluice_part_lateness_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.M)

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before: dict[float, float] = {}

    def p99_s(self) -> float:
        found = self.BUCKET.findall(self._server.call("GET", "/metrics").text)
        now = {float(bound): float(count) for bound, count in found}
        grown = {bound: count - self._before.get(bound, 0.0) for bound, count in sorted(now.items())}
        self._before = now
        wanted = 0.99 * max(grown.values(), default=0.0)
        return next((bound for bound, count in grown.items() if count >= wanted), 0.0)


def look(server: Server, at_s: float, lateness: Lateness) -> Sample:
    process = Path("/proc") / str(server.pid)
    pages = int((process / "statm").read_text().split()[1])
    return Sample(
        at_s=at_s,
        memory_mib=pages * os.sysconf("SC_PAGESIZE") / 2**20,
        files=len(os.listdir(process / "fd")),
        threads=len(os.listdir(process / "task")),
        late_p99_s=lateness.p99_s(),
    )


def publish(source: Path, url: str, restless: bool, stop: threading.Event, chance: random.Random) -> None:
    """Publishes until told to stop; a restless publisher breaks off now and then, and comes back."""
    while not stop.is_set():
        publisher = Publisher(source, url)
        stop.wait(chance.uniform(*UP_S) if restless else None)
        publisher.kill() if restless else publisher.stop()
        stop.wait(chance.uniform(*AWAY_S))


def watch(server: Server, path: str, stop: threading.Event) -> None:
    """Polls the first media playlist as a player does, and takes the newest segment."""
    while not stop.is_set():
        master = server.get(path)
        listed = [line for line in master.text.splitlines() if line and not line.startswith("#")]
        if master.status == 200 and listed:
            url = urljoin(path, listed[0])
            newest = [line for line in server.get(url).text.splitlines() if line.endswith(".m4s")]
            if newest:
                server.get(urljoin(url, newest[-1]))
        stop.wait(0.5)


@contextmanager
def threads(*works: Callable[[], None]) -> Iterator[None]:
    running = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        for thread in running:
            thread.join(30)


def run(minutes: float, folder: Path) -> list[Sample]:
    settings = {"SLUICE_LIVE__DVR_WINDOW_S": str(DVR_WINDOW_S)}
    server = Server(folder / "data", settings).start()
    stop, chance = threading.Event(), random.Random(1)
    works: list[Callable[[], None]] = []
    for fields in STREAMS:
        live = server.live_stream(**fields)
        url, path = server.ingest_url(live), f"/live/{live['liveStreamId']}.m3u8"
        restless = fields["name"] == "restless"
        works.append(partial(publish, media.clip(10), url, restless, stop, chance))
        works += [partial(watch, server, path, stop)] * 2
    with ExitStack() as stack:
        stack.callback(lambda: server.stop(20))
        stack.enter_context(threads(*works))
        stack.callback(stop.set)
        return sample(server, minutes)


def sample(server: Server, minutes: float) -> list[Sample]:
    until(lambda: server.call("GET", "/metrics").status == 200)
    samples, lateness, start = [], Lateness(server), time.monotonic()
    lateness.p99_s()
    while (at_s := time.monotonic() - start) < minutes * 60:
        time.sleep(min(SAMPLE_S, max(0.1, minutes * 60 - at_s)))
        samples.append(look(server, time.monotonic() - start, lateness))
        say(samples[-1].line())
    return samples


def faults(samples: Sequence[Sample]) -> list[str]:
    """What grew; a sentence each."""
    kept = samples[int(len(samples) * WARM_UP) :]
    tenth = max(1, len(kept) // 10)
    first, last = kept[:tenth], kept[-tenth:]

    def grown(read: Callable[[Sample], float]) -> float:
        return statistics.median(map(read, last)) - statistics.median(map(read, first))

    found = []
    if (more := grown(lambda each: each.memory_mib)) > MAX_GROWTH_MIB:
        found.append(f"memory grew by {more:.1f} MiB")
    if (more := grown(lambda each: each.files)) > MAX_MORE_FILES:
        found.append(f"{more:.0f} more files are open")
    if (late := statistics.median(each.late_p99_s for each in kept)) > MAX_LATE_P99_S:
        found.append(f"parts came up to {late:.2f} s late")
    return found


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def crash(rounds: int, seed: int, folder: Path) -> list[str]:
    """Kills in the middle of making videos; what could be noticed, a sentence each."""
    server, found = Server(folder / "data", crashes.SETTINGS).start(), []
    try:
        makers = {**crashes.uploads(server, crashes.sources()), **crashes.edits(server)}
        made = crashes.Crashes(server, makers)
        say(f"an undisturbed run takes {made.lasts_s:.1f} s")
        for number in range(seed, seed + rounds):
            chance = random.Random(number)
            faulty = made.run(chance, chance.randint(1, 3))
            say("\n  ".join([f"seed {number}: {'WRONG' if faulty else 'the same'}, {made.kills} kills", *faulty]))
            found += faulty
    finally:
        server.stop(20)
    return found


def keep_to_the_contract(examples: int) -> list[str]:
    """What is wrong; pytest has printed why."""
    environment = {**os.environ, "CONTRACT_EXAMPLES": str(examples)}
    tests = [f"tests/contract/test_{name}.py" for name in ("dialect", "own_calls")]
    command = [sys.executable, "-m", "pytest", "-q", "--timeout", "0", *tests]
    done = subprocess.run(command, env=environment, cwd=Path(__file__).parents[1], check=False)
    return ["an answer was not as a document says"] if done.returncode else []


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs for long what has to hold for long.")
    parser.add_argument("soaks", nargs="*", metavar="live|crashes|contract", help="all by default")
    parser.add_argument("--minutes", type=float, default=30.0, help="of `live`")
    parser.add_argument("--rounds", type=int, default=50, help="of `crashes`")
    parser.add_argument("--seed", type=int, default=0, help="of the first round of `crashes`")
    parser.add_argument("--examples", type=int, default=100, help="of `contract`, for each operation")
    told = parser.parse_args()
    soaks: dict[str, Callable[[Path], list[str]]] = {
        "live": lambda folder: faults(run(told.minutes, folder)),
        "crashes": lambda folder: crash(told.rounds, told.seed, folder),
        "contract": lambda _: keep_to_the_contract(told.examples),
    }
    if unknown := [name for name in told.soaks if name not in soaks]:
        parser.error(f"no such soak: {', '.join(unknown)}; there are {', '.join(soaks)}")
    wrong = False
    for name in told.soaks or soaks:
        with tempfile.TemporaryDirectory(prefix="sluice-soak-") as folder:
            found = soaks[name](Path(folder))
        say(f"{name}: " + ("\n".join(found) or "as it should be"))
        wrong |= bool(found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
