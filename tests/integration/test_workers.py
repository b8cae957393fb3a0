"""Processes that share the jobs of one PostgreSQL, over kill -9; and `sluice worker` beside a server."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.catalog import jobs as rows
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.jobs.jobs import WAITING
from tests.harness.server import Server, until
from tests.postgres import Cluster

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
END_S = 150
JOBS = 60
PLACES = 2  # of each process


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    name = cluster.create()
    yield name
    cluster.drop(name)


class Group:
    """Programs on one folder and one database."""

    def __init__(self, folder: Path, cluster: Cluster, database: str) -> None:
        self.folder, self.cluster, self.database = folder, cluster, database
        self.programs: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [
            sys.executable, "-m", "tests.integration.jobs_program", str(self.folder), "--stay",
            f"--database={self.cluster.url(self.database)}", *arguments,
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as output:
            self.programs.append(subprocess.Popen(command, cwd=ROOT, stderr=output))
        return self.programs[-1]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def steps(self) -> Counter[str]:
        path = self.folder / "ledger"
        return Counter(path.read_text().splitlines() if path.exists() else [])

    def count(self, condition: str) -> int:
        (row,) = self.cluster.sql(f"select count(*) from jobs where {condition}", self.database)
        return int(str(row[0]))

    def until(self, condition: Callable[[], bool]) -> float:
        """How long it took."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() < began + END_S, self.log[-4000:]
            time.sleep(0.05)
        return time.monotonic() - began


@pytest.fixture
def group(tmp_path: Path, cluster: Cluster, database: str) -> Iterator[Group]:
    group = Group(tmp_path, cluster, database)
    yield group
    for program in group.programs:
        program.kill()
        program.wait()


async def order(url: str) -> None:
    async with Database.open(url) as database, database.write() as transaction:
        for number in range(JOBS):
            await rows.add(transaction, DEFAULT_PROJECT, "brief", f"brief{number}")
        transaction.announce(WAITING)


def test_what_a_killed_worker_left_the_others_do(group: Group, cluster: Cluster) -> None:
    _, victim, _ = [group.start() for _ in range(3)]
    group.until(lambda: len([*group.folder.glob("ready-*")]) == 3)
    asyncio.run(order(cluster.url(group.database)))
    group.until(lambda: len(group.cluster.sql(AT_WORK, group.database)) == 3)
    victim.kill()
    victim.wait()
    left = group.count("finished_at is null")
    took = group.until(lambda: group.count("finished_at is null") == 0)

    assert left > 0
    assert group.count("error is null") == JOBS
    steps = group.steps()
    assert set(steps) == {f"brief{number} {step}" for number in range(JOBS) for step in ("one", "two", "three")}
    again = {step: times for step, times in steps.items() if times > 1}
    assert len(again) <= PLACES, "only the steps that ran in the killed worker"
    assert set(again.values()) <= {2}
    assert group.count("attempts > 1") <= PLACES
    assert took < 30


def test_the_jobs_of_the_only_process_go_on_in_the_next(group: Group) -> None:
    first = group.start("--order=endless=1")
    group.until(lambda: group.steps()["endless0 endless"] == 1)
    first.kill()
    first.wait()
    group.start()

    took = group.until(lambda: group.count("finished_at is null") == 0)

    assert group.steps() == {"endless0 endless": 2}
    assert took < 20


def test_a_drained_worker_leaves_its_jobs_at_once(group: Group) -> None:
    first = group.start("--order=endless=1")
    group.until(lambda: group.steps()["endless0 endless"] == 1)
    group.start()
    group.until(lambda: len([*group.folder.glob("ready-*")]) == 2)

    first.terminate()
    assert first.wait(10) == 0
    group.until(lambda: group.count("finished_at is null") == 0)

    assert group.count("attempts = 1") == 1


AT_WORK = "select distinct worker from jobs where worker is not null and finished_at is null"
# the connections on which processes say that they live
CONNECTED = """
    select 1 from pg_locks join pg_database on pg_database.oid = pg_locks.database
    where datname = current_database() and locktype = 'advisory' and objsubid = 1 and granted
"""


def test_a_worker_beside_a_server(tmp_path: Path, cluster: Cluster, database: str) -> None:
    environment = {"SLUICE_DATABASE__URL": cluster.url(database), "SLUICE_JOBS__CONCURRENCY": "0"}
    data = tmp_path / "data"
    server = Server(data, environment).start()
    try:
        worker = subprocess.Popen(
            [sys.executable, "-m", "server", "worker"],
            cwd=ROOT,
            env={**os.environ, **environment, "SLUICE_STORAGE__PATH": str(data)},
            stdout=subprocess.PIPE,
        )
        try:
            assert worker.stdout is not None
            assert json.loads(worker.stdout.readline())["event"] == "ready"
            # one more for a moment, where a process asks whether another lives
            until(lambda: len(cluster.sql(CONNECTED, database)) == 2)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(20) == 0
        finally:
            worker.kill()
            worker.wait()
            worker.stdout.close()
    finally:
        assert server.stop() == 0
