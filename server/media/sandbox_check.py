"""The child that tells what keeps children of this machine in.

    arguments  {"port": where something listens on loopback}
    events     {"event": "isolation", "refused": [what it tried in vain], "allowed": [what it should not have been]}
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from server.media import guard


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    tries: dict[str, Callable[[], object]] = {
        "network": lambda: socket.create_connection(("127.0.0.1", arguments["port"]), 1).close(),
        "programs": lambda: subprocess.run([sys.executable, "-S", "-c", ""], check=True),
        "processes": _fork,
        "signals": lambda: os.kill(os.getppid(), 0),
        "writing": lambda: os.close(os.open("/tmp", os.O_RDWR | os.O_TMPFILE)),
        "files": lambda: os.close(os.open("/etc/passwd", os.O_RDONLY)),
    }
    refused = [name for name, attempt in tries.items() if _is_refused(attempt)]
    say({"event": "isolation", "refused": refused, "allowed": [name for name in tries if name not in refused]})


def _is_refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return True
    return False


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)
    os.wait()


if __name__ == "__main__":
    guard.run(work)
