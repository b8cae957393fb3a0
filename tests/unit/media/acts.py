"""What the children of test_child do; run as `python -m tests.unit.media.acts`."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

from server.media import guard


def tell(arguments: dict[str, Any], say: guard.Say) -> None:
    say({"event": "environment", "names": sorted(os.environ)})
    say({"event": "content", "text": os.pread(arguments["fd"], 100, 0).decode()})
    os.write(2, b"a word for the log")


def count(arguments: dict[str, Any], say: guard.Say) -> None:
    with open("/proc/self/cmdline") as file:
        say({"event": "counted", "numbers": len(arguments["numbers"]), "told": len(file.read())})


def place(arguments: dict[str, Any], say: guard.Say) -> None:
    place = {"group": os.getpgrp(), "session": os.getsid(0), "niceness": os.nice(0)}
    say({"event": "placed", "pid": os.getpid(), **place})


def print_nonsense(arguments: dict[str, Any], say: guard.Say) -> None:
    print("this goes to standard error", flush=True)  # noqa: T201
    os.system("echo and so does this")


def crash(arguments: dict[str, Any], say: guard.Say) -> None:
    say({"event": "alive"})
    os.kill(os.getpid(), signal.SIGSEGV)


def fail(arguments: dict[str, Any], say: guard.Say) -> None:
    raise RuntimeError("no good")


def sleep(arguments: dict[str, Any], say: guard.Say) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    say({"event": "started", "pids": [os.getpid(), other.pid]})
    time.sleep(60)


def spin(arguments: dict[str, Any], say: guard.Say) -> None:
    while True:
        pass


def fill_memory(arguments: dict[str, Any], say: guard.Say) -> None:
    bytearray(4 << 30)


def fill_file(arguments: dict[str, Any], say: guard.Say) -> None:
    os.write(arguments["fd"], bytes(4096))
    os.write(arguments["fd"], bytes(4096))


def long_line(arguments: dict[str, Any], say: guard.Say) -> None:
    say({"event": "x" * (1 << 20)})
    time.sleep(60)


def many_lines(arguments: dict[str, Any], say: guard.Say) -> None:
    for number in range(20_000):
        say({"event": "line", "number": number})


def leave_early(arguments: dict[str, Any], say: guard.Say) -> None:
    os._exit(0)


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    globals()[arguments["act"]](arguments, say)


if __name__ == "__main__":
    guard.run(work, None)  # some start programs, as only a child that nothing holds can
