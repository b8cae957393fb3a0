"""A run of tests that is killed leaves no process behind."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.server import until

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]

# What tests start: a server, a program in a session of its own whose starting thread has ended, a database's many
RUN = """
import json, os, subprocess, threading, time
from pathlib import Path
from tests import postgres
from tests.harness.server import Server

def test_that_lasts(tmp_path, request):
    started = []
    server = Server(tmp_path / "data").start()
    def start():
        started.append(subprocess.Popen(["sh", "-c", "sleep 600 & wait"], start_new_session=True))
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    pids = {"tests": os.getpid(), "server": server.pid, "shell": started[0].pid}
    if postgres.folder_of_binaries():
        cluster = request.getfixturevalue("cluster")
        cluster.sql("SELECT 1")
        pids["postgres"] = int((cluster.folder / "data/postmaster.pid").read_text().split()[0])
    told = Path(__file__).with_name("pids.json")
    told.with_suffix(".new").write_text(json.dumps(pids))
    told.with_suffix(".new").rename(told)
    time.sleep(600)
"""


def lives(pid: int) -> bool:
    """Whether it runs; one that nobody has asked about its end does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    """Of all its threads, and theirs."""
    lists = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    found = [int(child) for each in lists for child in each]
    return [*found, *(further for child in found for further in children(child))]


@pytest.mark.parametrize("workers", ["0", "1"])
def test_what_a_killed_run_started_ends_with_it(tmp_path: Path, workers: str) -> None:
    (tmp_path / "test_run.py").write_text(RUN)
    told = tmp_path / "pids.json"
    command = [
        sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-o", "timeout=600", "-p", "tests.conftest",
        "-p", "no:cacheprovider", "-n", workers, str(tmp_path / "test_run.py"),
    ]  # fmt: skip
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    try:
        until(lambda: told.exists() or run.poll() is not None, 240)
        assert told.exists(), (tmp_path / "log").read_text()
        pids = {name: pid for name, pid in json.loads(told.read_text()).items() if name != "tests"}
        everything = [*pids.values(), *children(pids["server"]), *children(pids["shell"])]
        everything += children(pids["postgres"]) if "postgres" in pids else []
        assert all(map(lives, pids.values()))
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait(20)

    until(lambda: not any(map(lives, everything)), 60)
