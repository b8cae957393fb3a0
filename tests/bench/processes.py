"""What processes and the machine use, from Linux's /proc."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGESIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process tree has used since it started, and holds now."""

    cpu_s: float  # of the tree, children already reaped too
    own_cpu_s: float  # of its root alone
    rss_mib: float  # pages that several of the tree map count for each


class ProcessTree:
    """A process and its descendants."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def usage(self) -> Usage:
        stats = _stats()
        tree: set[int] = set()
        frontier = [self.pid]
        while frontier:
            pid = frontier.pop()
            if pid in stats and pid not in tree:
                tree.add(pid)
                frontier += [child for child, fields in stats.items() if fields[1] == pid]
        root = stats.get(self.pid, [0] * 40)
        return Usage(
            cpu_s=sum(sum(stats[pid][11:15]) for pid in tree) / TICKS,
            own_cpu_s=sum(root[11:13]) / TICKS,
            rss_mib=sum(stats[pid][21] for pid in tree) * PAGE / 2**20,
        )

    def exact_cpu_s(self) -> float:
        """CPU time of the root's threads by the scheduler's clock, which knows nanoseconds."""
        total_ns = 0
        for entry in os.scandir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(OSError):
                total_ns += int(Path(entry.path, "schedstat").read_text().split()[0])
        return total_ns / 1e9


def _stats() -> dict[int, list[int]]:
    """Every process's /proc/PID/stat from the state on, which is set to 0; index 1 is the parent."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                text = Path(entry.path, "stat").read_text()
                fields = text[text.rindex(")") + 2 :].split()
                found[int(entry.name)] = [0, *map(int, fields[1:])]
    return found


def _machine_cpu_s() -> float:
    """Spent by everything on this machine since it booted."""
    fields = [int(number) for number in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, waiting = fields[3], fields[4]
    return (sum(fields) - idle - waiting) / TICKS


@dataclass(frozen=True, slots=True)
class Used:
    """CPU over a span; `server_cpu_s` is the whole tree's."""

    span_s: float
    server_cpu_s: float
    server_own_cpu_s: float
    bench_cpu_s: float
    other_cores: float  # kept busy by all else: noise

    @property
    def server_cores(self) -> float:
        return self.server_cpu_s / self.span_s


class Meter:
    """Counts from its making on. A server that the bench started is no part of the bench."""

    def __init__(self, server: int | None = None) -> None:
        self._server = ProcessTree(server) if server else None
        self._bench = ProcessTree(os.getpid())
        self._at, self._machine = time.monotonic(), _machine_cpu_s()
        self._before = self._usage()

    def _usage(self) -> tuple[float, float, float]:
        server = self._server.usage() if self._server else None
        cpu_s, own_cpu_s = (server.cpu_s, server.own_cpu_s) if server else (0.0, 0.0)
        return cpu_s, own_cpu_s, self._bench.usage().cpu_s - cpu_s

    def read(self) -> Used:
        span_s = time.monotonic() - self._at
        server, own, bench = (now - before for now, before in zip(self._usage(), self._before, strict=True))
        other = _machine_cpu_s() - self._machine - server - bench
        return Used(span_s, server, own, bench, max(other, 0.0) / span_s)
