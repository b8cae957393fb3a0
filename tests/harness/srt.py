"""A UDP socket around an SRT core, for tests with real peers; and those peers."""

import random
import select
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from server.protocols.srt.caller import Caller
from server.protocols.srt.connection import Connection
from server.protocols.srt.events import Data, Event
from server.protocols.srt.listener import Listener
from server.protocols.srt.packet import Address

_WAIT_S = 0.01
_BUFFER = 4 << 20


class Pump:
    """Moves datagrams between a socket and a core, losing some of them in both directions if told to."""

    def __init__(self, loss: float = 0.0) -> None:
        self.core: Listener | Caller | None = None
        self.events: list[Event] = []
        """All but Data."""
        self.received: dict[Connection, bytearray] = {}
        self._loss = loss
        self._random = random.Random(7)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.core is not None:
            self.core.close(self.now())
            self._send()
        self._socket.close()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @staticmethod
    def now() -> int:
        return time.monotonic_ns() // 1000

    def until(self, done: Callable[[], bool], limit_s: float, each: Callable[[Event], None] | None = None) -> None:
        """Pump until `done`; `each` sees the events but Data."""
        assert self.core is not None
        end = time.monotonic() + limit_s
        while not done():
            assert time.monotonic() < end, f"not done within {limit_s} s: {self.events}"
            self._send()
            select.select([self._socket], [], [], _WAIT_S)
            for event in self.core.receive_many(self._read(), self.now()) + self.core.handle_timeout(self.now()):
                self._take(event, each)
        self._send()

    def _take(self, event: Event, each: Callable[[Event], None] | None) -> None:
        if isinstance(event, Data):
            self.received.setdefault(event.connection, bytearray()).extend(b"".join(event.messages))
            return
        self.events.append(event)
        if each is not None:
            each(event)

    def _read(self) -> list[tuple[bytes, Address]]:
        datagrams: list[tuple[bytes, Address]] = []
        with suppress(BlockingIOError):
            while len(datagrams) < 1000:
                datagram, address = self._socket.recvfrom(2048)
                if self._random.random() >= self._loss:
                    datagrams.append((datagram, address))
        return datagrams

    def _send(self) -> None:
        assert self.core is not None
        for datagram, address in self.core.datagrams_to_send():
            if self._random.random() >= self._loss:
                self._socket.sendto(datagram, address)


def transmit(source: str, target: str, *, reads: bool = True) -> "subprocess.Popen[bytes]":
    """An srt-live-transmit; its standard input, or output, is the end that is not SRT ("file://con")."""
    return subprocess.Popen(
        ["srt-live-transmit", "-q", "-a:no", "-chunk:1316", "-loglevel:error", source, target],
        stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if reads else subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def publish(url: str, seconds: float = 1.5, *options: str) -> "subprocess.Popen[bytes]":
    """An ffmpeg that publishes a test picture in real time."""
    return subprocess.Popen(
        ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-re",
         "-f", "lavfi", "-i", f"testsrc=s=320x180:r=25:d={seconds}", "-c:v", "libx264", "-preset", "ultrafast",
         "-g", "25", *options, "-f", "mpegts", url],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
