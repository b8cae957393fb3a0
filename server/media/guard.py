"""The inside of a child process: its guard, put up before anything is opened, and its voice.

    def work(arguments, say): ...
    if __name__ == "__main__":
        guard.run(work)

It imports as little as it can: a child's first 50 ms are its start.
"""

import ctypes
import errno
import fcntl
import json
import os
import resource
import select
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from server.media import sandbox

# <linux/prctl.h>
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38

# Of a child that was started in advance: descriptors below this number are its order's, unless there are too many.
OWN_FROM = 512
MAX_ORDER_FDS = 250  # SCM_MAX_FD is 253
MAX_ORDER_BYTES = 128 << 10

EXIT_LIMIT = 75  # ran into a limit and could say so

Say = Callable[[dict[str, Any]], None]  # one event to the parent


def run(work: Callable[[dict[str, Any], Say], None], box: sandbox.Box | None = "sealed") -> NoReturn:
    """Guard this process, do `work` with the arguments of the request that the command line names, and end it.

    `box` is what the kernel keeps it in; None, which no child of the server's is, nothing.
    """
    with open(int(sys.argv[1]), "rb") as told:
        told.seek(0)
        request = json.load(told)
    order = request.get("order")
    say = _voice(3 if order is None else OWN_FROM)
    follow_parent(request["parent"])
    if order is not None:
        request |= _ordered(order)
    limit(request["limits"])
    if box is not None:
        sandbox.enter(box)
    status = 1  # however it ends: native threads that hang must not keep the process from ending
    try:
        _do(work, request["arguments"], say)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(status)


def _do(work: Callable[[dict[str, Any], Say], None], arguments: dict[str, Any], say: Say) -> None:
    try:
        work(arguments, say)
    except MemoryError:
        _give_up("memory")
    except OSError as error:
        if error.errno in (errno.EFBIG, errno.ENOMEM):
            _give_up(os.strerror(error.errno))
        raise
    say({"event": "done"})


def _ordered(channel: int) -> dict[str, Any]:
    """Arguments and limits of a child that was started in advance, once they come, with the descriptors they name.

    Those are put where the arguments say. Until then nothing of a stranger's is open.
    """
    import socket  # 10 ms, which other children save

    with socket.socket(fileno=channel) as receiver:
        data, received, _, _ = socket.recv_fds(receiver, MAX_ORDER_BYTES, MAX_ORDER_FDS)
    if not data:
        os._exit(0)  # no longer wanted
    order: dict[str, Any] = json.loads(data)
    aside = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, OWN_FROM) for fd in received]
    for fd in received:
        os.close(fd)
    for fd, wanted in zip(aside, order["fds"], strict=True):
        os.dup2(fd, wanted, inheritable=False)
        os.close(fd)
    return order


def _voice(least: int) -> Say:
    """Events go to what was standard output; whatever else prints there goes to standard error.

    What they go to has a number of `least` or more.
    """
    out = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, least)
    os.dup2(2, 1)

    def say(event: dict[str, Any]) -> None:
        line = memoryview(json.dumps(event).encode() + b"\n")
        while line:
            line = line[os.write(out, line) :]

    return say


def follow_parent(parent: int) -> None:
    """End with the parent, however that ends: by the kernel's word, and when standard input closes."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) or libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    # The other end of standard input is held by the parent alone. Its end raises SIGIO, whose default is to end us:
    # no thread is needed, and native code that hangs with the interpreter's lock cannot stop it.
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | fcntl.FASYNC)
    if os.getppid() != parent or select.select([0], [], [], 0)[0]:
        os._exit(1)  # it ended before the guard was up


def limit(limits: dict[str, int]) -> None:
    """Set the limits of child.Limits on this process.

    RLIMIT_NPROC is left alone: it counts every process and thread of the user, the server's own included.
    """
    cpu = limits["cpu_s"]
    for kind, value in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))  # SIGXCPU at the first, SIGKILL at the second
    os.nice(limits["nice"])


def _give_up(what: str) -> NoReturn:
    os.write(2, f"limit: {what}\n".encode())
    os._exit(EXIT_LIMIT)
