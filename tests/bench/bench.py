"""What a case is given: how long to measure, servers of its own, and where its figures go."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from tests.bench.report import Figure, Log
from tests.harness.server import Server

WORK = Path(__file__).parents[1] / ".work" / "bench"
TOKEN_SECRET = "a secret of the benchmarks, which mint tokens themselves"


@dataclass(frozen=True, slots=True)
class Settings:
    """How long and how much; each can be set on the command line. Seconds, unless said otherwise."""

    streams: str = "1,5,20"  # counts
    warm_up: float = 10  # until a live server's memory is what it stays
    density: float = 40
    lag: float = 10  # of watching the event loop, after the CPU is measured: the asking costs, too
    latency: float = 600
    proxied: float = 60
    opens: int = 3  # of the page, for the time to its first picture
    tus_mib: int = 1024  # MiB a run
    tus_runs: int = 2
    wrk: float = 6
    viewers: str = "50,150,300"  # counts
    watching: float = 12
    starts: int = 3
    ladder: float = 60  # of film, made into renditions
    ladder_rounds: int = 3
    titles: str = "screencast,gradients,talk,sport,grain"
    title_s: float = 60  # of each
    deliveries: int = 10_000
    library: int = 100_000  # videos
    library_asks: int = 40  # of each kind of list
    api: float = 30  # of reads, of writes, and of both

    def quick(self) -> Self:
        return replace(
            self, warm_up=6, density=12, lag=5, latency=60, proxied=20, opens=2, tus_mib=256, tus_runs=1, wrk=3,
            viewers="100", watching=6, starts=2, ladder=10, ladder_rounds=1,
            title_s=12, deliveries=1500, library=20_000, library_asks=10, api=8,
        )  # fmt: skip

    def changed(self, assignments: list[str]) -> Self:
        """With each `name=value`. Raises ValueError."""
        types = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        values: dict[str, Any] = {}
        for assignment in assignments:
            name, _, text = assignment.partition("=")
            if name not in types:
                raise ValueError(f"{name}: there are {', '.join(types)}")
            values[name] = types[name](text)
        return replace(self, **values)


class Bench:
    """One case's surroundings."""

    def __init__(self, case: str, settings: Settings, log: Log) -> None:
        self.case, self.settings, self._log = case, settings, log
        self.figures: list[Figure] = []
        self.wrong: list[str] = []

    def say(self, text: str) -> None:
        self._log.say(f"{self.case}: {text}")

    def add(self, name: str, value: float | None, unit: str, **more: Any) -> None:
        """A figure; `more` as in `Figure`."""
        figure = Figure(name, value, unit, **more)
        self.figures.append(figure)
        self._log.keep(self.case, figure)

    def fault(self, text: str) -> None:
        """Answers were wrong: what was measured means little, and the run fails."""
        self.wrong.append(text)
        self.say(f"WRONG: {text}")

    def folder(self, name: str) -> Path:
        """An empty folder."""
        path = WORK / self.case / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    @contextmanager
    def server(self, name: str, module: str = "server", **environment: str) -> Iterator[Server]:
        """A fresh server with an empty data folder; its log, as in production, goes to a file."""
        environment = {"SLUICE_AUTH__TOKEN_SECRET": TOKEN_SECRET, **environment}
        server = Server(self.folder(name) / "data", environment, module=module)
        server.start()
        try:
            yield server
        finally:
            server.stop()
            shutil.rmtree(server.data, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
