"""Many peers on one UDP port: admission, then one Connection each.

The owner feeds receive_many(), sends datagrams_to_send() after every call of anything (also of a Connection's send()
and close()), and calls handle_timeout() at next_timeout(): every 10 ms while anything is received or sent.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from server.protocols.srt.connection import Connection
from server.protocols.srt.events import ConnectionRequested, Event
from server.protocols.srt.limits import DEFAULT_LIMITS, Limits
from server.protocols.srt.packet import Address


@dataclass(slots=True)
class Counters:
    """Datagrams that led to nothing, for /metrics."""

    malformed: int = 0
    """Too short, or a handshake that does not parse."""
    unknown: int = 0
    """For a connection that does not exist (any more)."""
    spoofed: int = 0
    """For a connection, from another address than its peer's."""
    bad_cookie: int = 0
    """Handshakes whose cookie is not ours, or too old."""
    refused: int = 0
    """Handshakes answered with a refusal, by the protocol or by reject()."""
    expired: int = 0
    """Requests that nobody answered in time."""
    repeated: int = 0
    """Handshakes that came again while their request waits, or after it was accepted."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why accept() did not. The peer has been told, except with Code.CLOSE: it no longer waits."""

    code: int
    reason: str


class Listener:
    def __init__(
        self, limits: Limits = DEFAULT_LIMITS, *, secret: bytes | None = None, offered_key_bits: int = 0
    ) -> None:
        """`secret` keys the cookies (random if left out). `offered_key_bits` (0, 128, 192, 256) is what callers with
        a passphrase and no key length of their own will use; 0 leaves it to them, which means 128."""
        self.counters = Counters()

    @property
    def connections(self) -> Iterable[Connection]:
        """The living ones."""
        raise NotImplementedError

    def receive(self, datagram: bytes, address: Address, now_us: int) -> list[Event]:
        """Take one datagram. Nothing a peer sends raises."""
        return self.receive_many([(datagram, address)], now_us)

    def receive_many(self, datagrams: Iterable[tuple[bytes, Address]], now_us: int) -> list[Event]:
        """Take datagrams as they came; at most one Data per connection comes out."""
        raise NotImplementedError

    def accept(
        self,
        request: ConnectionRequested,
        now_us: int,
        *,
        passphrase: str = "",
        min_key_bits: int = 0,
        latency_ms: int = 120,
    ) -> Connection | Refusal:
        """Admit a caller, if what it sent agrees with `passphrase` (BAD_SECRET, UNSECURE) and `min_key_bits`
        (FORBIDDEN: its key is shorter). The agreed latency is the larger of both sides'."""
        raise NotImplementedError

    def reject(self, request: ConnectionRequested, code: int) -> None:
        """Refuse a caller: see reject.py."""
        raise NotImplementedError

    def handle_timeout(self, now_us: int) -> list[Event]:
        """Do what is due, for all connections; nothing when called early."""
        raise NotImplementedError

    def next_timeout(self) -> int | None:
        """When to call handle_timeout; ask again after every other call. None: not before the next datagram."""
        raise NotImplementedError

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Everything to be sent since the last call."""
        raise NotImplementedError

    def close(self, now_us: int) -> None:
        """Shut every connection down, forget every request. No events."""
        raise NotImplementedError
