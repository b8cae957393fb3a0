"""A listener and a caller joined by a function, with a clock in the hand and a network as bad as asked for."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from server.protocols.srt.caller import Caller
from server.protocols.srt.connection import Connection
from server.protocols.srt.events import Closed, ConnectionRequested, Data, Event
from server.protocols.srt.limits import DEFAULT_LIMITS, Limits
from server.protocols.srt.listener import Listener, Refusal
from server.protocols.srt.packet import Address

LISTENER: Address = ("192.0.2.1", 6200)
CALLER: Address = ("198.51.100.7", 41000)
PASSPHRASE = "correct horse"
START_US = 1_000_000
STEP_US = 1_000


@dataclass
class Network:
    """Of one direction. Probabilities, and microseconds."""

    delay_us: int = 5_000
    jitter_us: int = 0
    loss: float = 0.0
    duplicate: float = 0.0
    eats: Callable[[bytes], bool] | None = None
    """True for a datagram that must not arrive."""


class Joined:
    """One listener, one caller. `accept` are the arguments of Listener.accept()."""

    def __init__(
        self,
        *,
        up: Network | None = None,
        down: Network | None = None,
        limits: Limits = DEFAULT_LIMITS,
        accept: dict[str, Any] | None = None,
        seed: int = 1,
        start_us: int = START_US,
        listener: Listener | None = None,
        **call: Any,
    ) -> None:
        self.up, self.down = up or Network(), down or Network()
        self.now = start_us
        self.listener = listener or Listener(limits)
        self.caller = Caller(LISTENER, self.now, limits=limits, **call)
        self.accept = {"passphrase": call.get("passphrase", ""), **(accept or {})}
        self.admit = True
        """Requests are answered at once; else they wait in `requests`."""
        self.requests: list[ConnectionRequested] = []
        self.refusal: Refusal | None = None
        self.connection: Connection | None = None
        """The listener's."""
        self.arrived: dict[str, list[bytes]] = {"listener": [], "caller": []}
        self.closed: dict[str, list[Closed]] = {"listener": [], "caller": []}
        self.on_the_wire: list[tuple[int, int, str, bytes]] = []
        self.log: list[tuple[str, bytes]] = []
        """Everything sent, by destination."""
        self._random = random.Random(seed)
        self._number = 0

    def run(self, ms: float, each: Callable[[], None] | None = None) -> "Joined":
        """Let time pass; `each` is called every millisecond."""
        end = self.now + round(ms * 1000)
        while self.now < end:
            self.now += STEP_US
            if each is not None:
                each()
            self._collect()
            while self.on_the_wire and self.on_the_wire[0][0] <= self.now:
                _, _, target, datagram = heapq.heappop(self.on_the_wire)
                self.deliver(target, datagram)
            for event in self.listener.handle_timeout(self.now):
                self._take("listener", event)
            for event in self.caller.handle_timeout(self.now):
                self._take("caller", event)
            self._collect()
        return self

    def connect(self) -> "Joined":
        for _ in range(100):
            self.run(20)
            if self.caller.connection is not None and self.connection is not None:
                return self
        raise AssertionError("not connected within 2 s")

    @property
    def call(self) -> Connection:
        assert self.caller.connection is not None
        return self.caller.connection

    @property
    def session(self) -> Connection:
        assert self.connection is not None
        return self.connection

    def deliver(self, target: str, datagram: bytes, source: Address | None = None) -> None:
        """A datagram arrives, from the other side unless said otherwise."""
        if target == "listener":
            events = self.listener.receive(datagram, source or CALLER, self.now)
        else:
            events = self.caller.receive(datagram, source or LISTENER, self.now)
        for event in events:
            self._take(target, event)

    def _collect(self) -> None:
        for datagram, address in self.caller.datagrams_to_send():
            assert address == LISTENER
            self._post("listener", datagram, self.up)
        for datagram, address in self.listener.datagrams_to_send():
            if address == CALLER:
                self._post("caller", datagram, self.down)

    def _post(self, target: str, datagram: bytes, network: Network) -> None:
        self.log.append((target, datagram))
        if network.eats is not None and network.eats(datagram):
            return
        for _ in range(2 if self._random.random() < network.duplicate else 1):
            if self._random.random() >= network.loss:
                self._number += 1
                at = self.now + network.delay_us + self._random.randint(0, network.jitter_us)
                heapq.heappush(self.on_the_wire, (at, self._number, target, datagram))

    def _take(self, side: str, event: Event) -> None:
        match event:
            case Data(messages=messages):
                assert messages
                self.arrived[side] += messages
            case Closed():
                self.closed[side].append(event)
            case ConnectionRequested():
                self.requests.append(event)
                if self.admit:
                    self.answer(event)
            case _:
                pass

    def answer(self, request: ConnectionRequested) -> None:
        answer = self.listener.accept(request, self.now, **self.accept)
        if isinstance(answer, Refusal):
            self.refusal = answer
        else:
            self.connection = answer


@dataclass
class Stream:
    """Sends numbered messages, one a millisecond; as an `each` of Joined.run()."""

    joined: Joined
    from_listener: bool = False
    sent: list[bytes] = field(default_factory=list)
    refused: int = 0
    count: int = 1 << 30

    def __call__(self) -> None:
        if len(self.sent) < self.count:
            sender = self.joined.session if self.from_listener else self.joined.call
            message = len(self.sent).to_bytes(4, "big") * 20
            self.refused += not sender.send(message, self.joined.now)
            self.sent.append(message)

    @property
    def arrived(self) -> list[bytes]:
        return self.joined.arrived["caller" if self.from_listener else "listener"]
