"""Jobs over kill -9 and SIGTERM: nothing is lost, nothing that was finished is done again."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from server.jobs.errors import CRASHING
from server.jobs.jobs import MAX_ATTEMPTS

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
END_S = 150


class Folder:
    """The folder of a program, looked at from outside."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.path / "log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.integration.jobs_program", str(self.path), *arguments],
                cwd=ROOT,
                stderr=output,
            )

    def run(self, *arguments: str) -> int:
        """Until it ends by itself; its status."""
        program = self.start(*arguments)
        try:
            return program.wait(END_S)
        finally:
            program.kill()
            program.wait()

    def order(self, *orders: str, die: str = "after") -> None:
        arguments = [f"--order={order}" for order in orders]
        assert self.run(*arguments, f"--die-{die}-commit") == -signal.SIGKILL

    @property
    def ledger(self) -> list[str]:
        path = self.path / "ledger"
        return path.read_text().splitlines() if path.exists() else []

    def rows(self, query: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.path / "sluice.db")
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def until(self, line: str, times: int = 1) -> None:
        end = time.monotonic() + END_S
        while sum(1 for each in self.ledger if line in each) < times:
            assert time.monotonic() < end, (self.path / "log").read_text()[-4000:]
            time.sleep(0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_an_order_that_the_crash_beat_to_the_commit_is_not_there(folder: Folder) -> None:
    folder.order("pair=1", die="before")

    assert folder.run() == 0
    assert folder.rows("select * from jobs") == []
    assert folder.ledger == []


def test_an_order_that_was_committed_and_not_begun_is_begun_once(folder: Folder) -> None:
    folder.order("pair=1", die="after")
    assert folder.rows("select attempts, finished_at from jobs") == [(0, None)]
    assert folder.ledger == []

    assert folder.run() == 0
    assert folder.run() == 0

    assert folder.ledger == ["pair0 one", "pair0 two"]
    assert folder.rows("select attempts, error from jobs") == [(1, None)]


def test_a_crash_in_the_middle_of_a_step_repeats_that_step_alone(folder: Folder) -> None:
    assert folder.run("--order=three=1") == -signal.SIGKILL
    assert folder.ledger == ["three0 one", "three0 two"]

    assert folder.run() == 0

    assert folder.ledger == ["three0 one", "three0 two", "three0 two", "three0 three"]
    assert folder.rows("select attempts, error from jobs") == [(2, None)]


def test_of_200_jobs_a_crash_loses_none(folder: Folder) -> None:
    program = folder.start("--order=pair=200")
    folder.until("two", times=100)
    program.kill()
    program.wait()
    left = folder.rows("select count(*) from jobs where finished_at is null")[0][0]
    assert isinstance(left, int)
    assert left > 0

    assert folder.run() == 0

    assert folder.rows("select count(*), count(finished_at), count(error) from jobs") == [(200, 200, 0)]
    times = Counter(folder.ledger)
    assert set(times) == {f"pair{number} {step}" for number in range(200) for step in ("one", "two")}
    assert sum(times.values()) <= 400 + 2, "only the steps that ran at the crash ran twice"


def test_a_job_that_kills_the_server_fails_and_takes_no_other_with_it(folder: Folder) -> None:
    statuses = [folder.run("--order=poison=1", "--order=slow=2")]
    while statuses[-1] == -signal.SIGKILL and len(statuses) < 10:
        statuses.append(folder.run())

    assert statuses == [-signal.SIGKILL] * MAX_ATTEMPTS + [0]
    assert folder.rows("select object_id, error is null from jobs order by object_id") == [
        ("poison0", 0),
        ("slow0", 1),
        ("slow1", 1),
    ]
    assert f"poison0 failed {CRASHING}" in folder.ledger
    assert Counter(folder.ledger)["poison0 poison"] == MAX_ATTEMPTS


def test_sigterm_cuts_a_job_off_for_the_next_start(folder: Folder) -> None:
    program = folder.start("--order=endless=1")
    folder.until("endless")
    told = time.monotonic()
    program.terminate()
    assert program.wait(10) == 0
    assert time.monotonic() - told < 5
    assert folder.rows("select attempts, finished_at from jobs") == [(0, None)]

    assert folder.run() == 0

    assert folder.ledger == ["endless0 endless"] * 2
    assert folder.rows("select attempts, error from jobs") == [(1, None)]
