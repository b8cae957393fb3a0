"""One child process that opens media: started, told what to do, watched and reaped.

`subprocess.Popen` in threads of our own, never asyncio's: uvloop forks, which costs 36 ms on the loop in a large
process, and vfork needs `preexec_fn` unset. A thread starts one child and stays with it until it has ended, because
the kernel kills a child whose starting thread ends (PR_SET_PDEATHSIG).

    server -- argv: a descriptor with one JSON request; standard input: open as long as the server lives; others
    child  -- standard output: JSON lines, the last is {"event": "done"}; standard error: for the log
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from server import clock
from server.media.guard import EXIT_LIMIT, MAX_ORDER_BYTES, MAX_ORDER_FDS, OWN_FROM

# An event is a few hundred bytes, a probe of sixty streams some tens of thousands.
MAX_LINE_BYTES = 256 * 1024
MAX_LINES = 10_000  # unless the caller expects more
# The end of standard error that is kept for the log.
MAX_STDERR_BYTES = 8 * 1024
READ_BYTES = 64 * 1024
MAX_WAIT_S = 86400.0  # at once: epoll counts milliseconds in 31 bits

LIMIT_STATUSES = {EXIT_LIMIT, -signal.SIGXCPU, -signal.SIGXFSZ}

Reason = Literal["crashed", "timeout", "limit", "protocol"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take (getrlimit(2)); the kernel refuses or kills beyond."""

    memory_bytes: int = 2 << 30  # address space: libav alone maps 0.4 GiB
    cpu_s: int = 30
    file_bytes: int = 256 << 20  # of each file written
    files: int = 64  # open descriptors
    nice: int = 0  # added to the server's own niceness


@dataclass(frozen=True, slots=True)
class Result:
    """What a child that ended well used."""

    wall_s: float
    cpu_s: float
    peak_bytes: int  # resident
    stderr: str


class ChildFailed(Exception):
    """A child that did not end well.

    crashed: a signal or an exit status; timeout: the wall clock; limit: memory, CPU time or file size; protocol: it
    said something else than events. `detail` and `stderr` are for the log, not for users.
    """

    def __init__(self, reason: Reason, detail: str, stderr: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.stderr = stderr


@dataclass(eq=False, slots=True)
class Child:
    """One child; `run` and what it calls is the business of one thread, `kill` of any."""

    module: str
    arguments: Mapping[str, Any]
    fds: Sequence[int]
    limits: Limits
    timeout_s: float
    max_lines: int = MAX_LINES
    idle_s: float | None = None
    on_line: Callable[[dict[str, Any]], object] = lambda event: None
    lines: int = 0
    done: bool = False
    failure: tuple[Reason, str] | None = None
    pending: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    lock: threading.Lock = field(default_factory=threading.Lock)
    killed: bool = False
    process: "subprocess.Popen[bytes] | None" = None
    order: threading.Event | None = None  # of one started in advance: set when it may begin, or is to end

    def run(self) -> Result:
        started = clock.monotonic()
        with self.lock:
            if self.killed:
                raise ChildFailed("crashed", "killed before it was started")
            process, channel = self._spawn()
            self.process = process
        try:
            if self.order is not None and channel is not None:
                self.order.wait()
                started = clock.monotonic()
                self._send(channel)
            self._watch(process, started + self.timeout_s)
        finally:
            cpu_s, peak_bytes = self._reap(process)
        self._judge(process.returncode, cpu_s)
        text = self.stderr.decode(errors="replace")
        return Result(clock.monotonic() - started, cpu_s, peak_bytes, text)

    def takes(self, wanted: "Child") -> bool:
        """Whether a child started in advance can do what another was to do; then it will."""
        self.arguments, self.fds = wanted.arguments, wanted.fds
        self.limits, self.timeout_s, self.max_lines = wanted.limits, wanted.timeout_s, wanted.max_lines
        self.idle_s = wanted.idle_s
        few = len(self.fds) <= MAX_ORDER_FDS and max(self.fds, default=0) < OWN_FROM
        return few and len(self._ordered()) <= MAX_ORDER_BYTES

    def go(self) -> None:
        """What is wanted of it is known."""
        if self.order is not None:
            self.order.set()

    def _ordered(self) -> bytes:
        order = {"limits": asdict(self.limits), "arguments": dict(self.arguments), "fds": list(self.fds)}
        return json.dumps(order).encode()

    def _send(self, channel: socket.socket) -> None:
        """Give it the order, and the descriptors; the kernel kept it until now, if it was not killed."""
        with channel, contextlib.suppress(OSError):  # one that has died is told by its status
            if not self.killed:
                socket.send_fds(channel, [self._ordered()], list(self.fds))

    def kill(self) -> None:
        """End the child and all it started, now."""
        with self.lock:
            self.killed = True
            self.go()
            if self.process is not None and self.process.returncode is None:
                _kill_group(self.process.pid)

    def _spawn(self) -> "tuple[subprocess.Popen[bytes], socket.socket | None]":
        """The process, and where the order of one that is started in advance is to go."""
        if self.order is None:
            work = {"limits": asdict(self.limits), "arguments": dict(self.arguments)}
            return self._started(work, tuple(self.fds)), None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                return self._started({"order": theirs.fileno()}, (theirs.fileno(),)), ours
        except BaseException:
            ours.close()
            raise

    def _started(self, work: Mapping[str, Any], fds: tuple[int, ...]) -> "subprocess.Popen[bytes]":
        request = _request({"parent": os.getpid(), **work})
        try:
            return subprocess.Popen(
                # Without `site` (-S): 25 ms of start. Without the current folder on the path (-P).
                [sys.executable, "-S", "-P", "-m", self.module, str(request)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(request, *fds),
                # Killed as a whole. No session of its own: where the kernel shares the processor out by sessions
                # (sched(7), autogroup) `nice` means nothing between two of them, and the server is one as well.
                process_group=0,
                env=_environment(),
                cwd="/",
            )
        finally:
            os.close(request)

    def _watch(self, process: "subprocess.Popen[bytes]", deadline: float) -> None:
        """Read what the child says until it ends, fails or is out of time."""
        assert process.stdout is not None
        assert process.stderr is not None
        takers = {process.stdout.fileno(): self._take_output, process.stderr.fileno(): self._take_stderr}
        ended = os.pidfd_open(process.pid)
        try:
            with selectors.DefaultSelector() as selector:
                for fd in (*takers, ended):
                    os.set_blocking(fd, False)
                    selector.register(fd, selectors.EVENT_READ)
                used = -1
                while self.failure is None:
                    left_s = deadline - clock.monotonic()
                    look_s = min(max(0.0, left_s), self.idle_s or MAX_WAIT_S)
                    ready = [key.fd for key, _ in selector.select(look_s)]
                    if not ready and left_s <= look_s:
                        self.failure = ("timeout", f"not done after {self.timeout_s:g} s")
                    elif not ready and self.idle_s:
                        before, used = used, _cpu_ticks(process.pid)
                        if used == before:
                            self.failure = ("timeout", f"it did nothing for {self.idle_s:g} s")
                    for fd in takers.keys() & set(ready):
                        data = _read(fd)
                        if data:
                            takers[fd](data)
                        elif data is not None:
                            selector.unregister(fd)
                    if ended in ready:
                        break
            for fd, take in takers.items():
                while self.failure is None and (data := _read(fd)):
                    take(data)
        finally:
            os.close(ended)

    def _take_output(self, data: bytes) -> None:
        self.pending += data
        *lines, rest = self.pending.split(b"\n")
        self.pending = rest
        for line in lines:
            self._take_line(bytes(line))
        if len(rest) > MAX_LINE_BYTES:
            self.failure = ("protocol", f"a line of more than {MAX_LINE_BYTES} bytes")

    def _take_line(self, line: bytes) -> None:
        self.lines += 1
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict) or self.done or self.lines > self.max_lines or len(line) > MAX_LINE_BYTES:
            self.failure = self.failure or ("protocol", f"line {self.lines} is not an event: {line[:80]!r}")
        elif event == {"event": "done"}:
            self.done = True
        elif self.failure is None:
            self.on_line(event)

    def _take_stderr(self, data: bytes) -> None:
        self.stderr += data
        del self.stderr[:-MAX_STDERR_BYTES]

    def _reap(self, process: "subprocess.Popen[bytes]") -> tuple[float, int]:
        """End the child's whole group and take its status; returns its CPU seconds and peak resident bytes."""
        with self.lock:
            _kill_group(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024

    def _judge(self, status: int, cpu_s: float) -> None:
        """Raise ChildFailed unless the child ended well."""
        failure = self.failure
        if failure is None and (status in LIMIT_STATUSES or cpu_s > self.limits.cpu_s):
            failure = ("limit", f"ended with {status}")
        elif failure is None and status != 0:
            failure = ("crashed", f"ended with {status}")
        elif failure is None and not self.done:
            failure = ("protocol", "ended without saying so")
        if failure is not None:
            raise ChildFailed(*failure, self.stderr.decode(errors="replace"))


def _request(told: Mapping[str, Any]) -> int:
    """In memory: an argument of a program ends at 128 KiB (execve(2)), which the cuts of six hours are, and everybody
    on the machine may read it."""
    descriptor = os.memfd_create("request")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(json.dumps(told).encode())
    return descriptor


def _read(fd: int) -> bytes | None:
    """What is there to read: empty at the end, None when there is nothing now."""
    try:
        return os.read(fd, READ_BYTES)
    except BlockingIOError:
        return None


def _cpu_ticks(pid: int) -> int:
    """CPU time of all threads of a child that was not reaped yet: utime and stime of proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # all of it has ended
        os.killpg(pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """Enough to import our own code, and nothing else: the server's holds secrets."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(dict.fromkeys([root, *filter(None, sys.path)]))
    return {"PYTHONPATH": path, "LC_ALL": "C.UTF-8"}
