"""One connection after its handshake, whichever side called: receiver, sender, timers."""

from server.protocols.srt.packet import Address
from server.protocols.srt.statistics import Statistics


class Connection:
    """Made by a Listener or a Caller, which feed it; what it has to send goes out through theirs."""

    id: int
    """Our socket id: unique among the living connections of one Listener."""
    address: Address
    stream_id: str
    version: str
    """Of the peer's SRT library, such as "1.5.3"; for logs."""
    key_bits: int
    """0 without encryption, else 128, 192 or 256."""
    latency_ms: int
    """How long we wait for what is missing: the larger of both sides' wishes."""
    send_latency_ms: int
    """How long the peer waits for what we send."""
    last_received_us: int
    """When the last packet of any kind came: a publisher silent for long may be taken over."""
    closed: bool

    def send(self, message: bytes, now_us: int) -> bool:
        """Queue one message of at most Limits.payload bytes (ValueError beyond). Never blocks, never waits: False
        if the connection is closed or the buffer full, and the message is dropped and counted. Encrypted as agreed."""
        raise NotImplementedError

    @property
    def send_buffered(self) -> int:
        """Packets not acknowledged yet: 0 means that a close() loses nothing."""
        raise NotImplementedError

    def close(self, now_us: int) -> None:
        """End it from our side: a shutdown goes out. No event: the caller knows. Twice is once."""
        raise NotImplementedError

    def statistics(self, now_us: int) -> Statistics:
        raise NotImplementedError
