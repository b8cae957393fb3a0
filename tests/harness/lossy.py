"""A UDP proxy on loopback that loses, delays and disorders datagrams both ways."""

import heapq
import random
import select
import socket
import threading
import time
from types import TracebackType
from typing import Self

_BUFFER = 4 << 20


class Lossy:
    """`loss` each way, as a share; `delay_s` one way; `jitter_s` more of it at random, which disorders."""

    def __init__(self, port: int, *, loss: float, delay_s: float = 0.0, jitter_s: float = 0.0, seed: int = 7) -> None:
        self.lost = self.passed = 0
        self._target = ("127.0.0.1", port)
        self._loss, self._delay_s, self._jitter_s = loss, delay_s, jitter_s
        self._random = random.Random(seed)
        self._front = self._socket()
        self._front.bind(("127.0.0.1", 0))
        self._back: dict[tuple[str, int], socket.socket] = {}
        self._held: list[tuple[float, int, socket.socket, bytes, tuple[str, int]]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @staticmethod
    def _socket() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        made.setblocking(False)
        return made

    @property
    def port(self) -> int:
        return int(self._front.getsockname()[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join(30)
        for each in (self._front, *self._back.values()):
            each.close()

    def _run(self) -> None:
        while not self._over.is_set():
            wait_s = min(max(self._held[0][0] - time.monotonic(), 0), 0.05) if self._held else 0.05
            for ready in select.select([self._front, *self._back.values()], [], [], wait_s)[0]:
                self._take(ready)
            now = time.monotonic()
            while self._held and self._held[0][0] <= now:
                _, _, sender, data, address = heapq.heappop(self._held)
                sender.sendto(data, address)

    def _take(self, ready: socket.socket) -> None:
        for _ in range(500):
            try:
                data, address = ready.recvfrom(2048)
            except OSError:
                return
            self.passed += 1
            if self._random.random() < self._loss:
                self.lost += 1
                continue
            at = time.monotonic() + self._delay_s + self._random.random() * self._jitter_s
            sender, target = self._beyond(ready, address)
            heapq.heappush(self._held, (at, self.passed, sender, data, target))

    def _beyond(self, ready: socket.socket, address: tuple[str, int]) -> tuple[socket.socket, tuple[str, int]]:
        if ready is self._front:
            if address not in self._back:
                self._back[address] = self._socket()
                self._back[address].bind(("127.0.0.1", 0))
            return self._back[address], self._target
        caller = next(caller for caller, back in self._back.items() if back is ready)
        return self._front, caller
