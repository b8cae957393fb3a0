"""Ends what a killed run of tests leaves behind: servers, publishers, browsers, databases.

What a process starts inherits its environment, through any number of children and sessions. So `watch` puts a mark of
this process into it, and a watcher, whose standard input ends when this process does, however it ends, then kills
whatever bears the mark. Neither a launcher before each program nor PR_SET_PDEATHSIG would do: the kernel sends that
signal at the end of the starting *thread*, and it is lost where a program starts another.
"""

import os
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

NAME = "RUN_OF_TESTS"  # no SLUICE_…: tests take those out of an environment
PROCESSES = Path("/proc")
PASSES = 50  # what is killed may just have started something
PASS_S = 0.1


@cache
def watch() -> None:
    """From here on, what this process starts dies with it at the latest. Linux only."""
    if not (PROCESSES / "self/environ").exists():
        return
    unmarked = {name: value for name, value in os.environ.items() if name != NAME}
    os.environ[NAME] = mark = uuid.uuid4().hex
    reading, _kept_open = os.pipe()
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", __file__, mark],
        unmarked,
        file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)],
        setsid=True,  # Ctrl-C in a terminal is not for it
    )
    os.close(reading)


def _marked(mark: str) -> Iterator[int]:
    for entry in PROCESSES.iterdir():
        if entry.name.isdigit() and _bears(int(entry.name), mark):
            yield int(entry.name)


def _bears(pid: int, mark: str) -> bool:
    try:
        return f"{NAME}={mark}".encode() in (PROCESSES / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it ended, or is another user's
        return False


def _kill(pid: int, mark: str) -> bool:
    """Whether it was there to be killed; by its descriptor, since a number may be another's by now."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if _bears(pid, mark):
            signal.pidfd_send_signal(process, signal.SIGKILL)
            return True
    except OSError:
        pass
    finally:
        os.close(process)
    return False


def _end_all(mark: str) -> None:
    for _ in range(PASSES):
        if not sum(_kill(pid, mark) for pid in _marked(mark)):
            return
        time.sleep(PASS_S)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    _end_all(sys.argv[1])
