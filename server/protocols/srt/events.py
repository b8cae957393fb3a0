"""What peers did, as values."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from server.protocols.srt.packet import Address

if TYPE_CHECKING:
    from server.protocols.srt.connection import Connection


@dataclass(frozen=True, slots=True, eq=False)
class ConnectionRequested:
    """Answer it with Listener.accept() or .reject(), at once or within Limits.admission_timeout_s."""

    address: Address
    stream_id: str
    """As sent, not parsed (see stream_id.py); "" if there was none. A secret."""
    version: str
    """Of the peer's SRT library, such as "1.5.3"; for logs."""
    key_bits: int
    """0 without encryption, else 128, 192 or 256."""
    latency_ms: int
    """What the peer asks for when we receive; see Connection.latency_ms for what was agreed."""
    peer_id: int
    """The peer's socket id."""

    def __repr__(self) -> str:
        return f"ConnectionRequested({self.address}, SRT {self.version}, {self.key_bits} bits)"


@dataclass(frozen=True, slots=True, eq=False)
class Connected:
    """A Caller's handshake is done: it may send. A Listener has no such event, accept() returns the connection."""

    connection: "Connection"


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Messages in order, without repeats; where some were given up, the next ones follow."""

    connection: "Connection"
    messages: list[bytes]
    """Payloads of one packet each, at least one, none empty: 1316 bytes of MPEG-TS as a rule."""


@dataclass(frozen=True, slots=True, eq=False)
class Closed:
    """The connection is over; no event of it follows."""

    connection: "Connection | None"
    """None: a Caller's handshake failed."""
    reason: str
    """A sentence for the log; no secrets in it."""
    by_peer: bool
    """The peer said so (shutdown, or a refusal): it is done on purpose. Else silence, or a time limit."""
    code: int = 0
    """Of a refusal: see reject.py."""


Event: TypeAlias = ConnectionRequested | Connected | Data | Closed
