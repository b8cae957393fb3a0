"""A connection that calls out: handshake with retries, then the same Connection as a Listener's.

The owner feeds it like a Listener. Events: Connected, then Data, then Closed; or Closed alone, with the code of the
refusal.
"""

from collections.abc import Iterable

from server.protocols.srt.connection import Connection
from server.protocols.srt.events import Event
from server.protocols.srt.limits import DEFAULT_LIMITS, Limits
from server.protocols.srt.packet import Address


class Caller:
    def __init__(
        self,
        address: Address,
        now_us: int,
        *,
        stream_id: str = "",
        passphrase: str = "",
        key_bits: int = 0,
        latency_ms: int = 120,
        timeout_s: float = 3.0,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """`passphrase` is empty or of 10 to 79 characters, `stream_id` of at most 512 bytes, `key_bits` 128, 192,
        256, or 0 for what the listener offers: ValueError otherwise. The first handshake is in datagrams_to_send()."""
        self.connection: Connection | None = None
        self.closed = False

    def receive(self, datagram: bytes, address: Address, now_us: int) -> list[Event]:
        """Take one datagram. Nothing a peer sends raises; what another address sends is dropped and counted."""
        return self.receive_many([(datagram, address)], now_us)

    def receive_many(self, datagrams: Iterable[tuple[bytes, Address]], now_us: int) -> list[Event]:
        raise NotImplementedError

    def handle_timeout(self, now_us: int) -> list[Event]:
        raise NotImplementedError

    def next_timeout(self) -> int | None:
        raise NotImplementedError

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        raise NotImplementedError

    def close(self, now_us: int) -> None:
        """End it from our side, connected or not. No event."""
        raise NotImplementedError
