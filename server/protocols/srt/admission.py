"""Who stands at a listener's door: requests that wait for their answer, and refusals that were not heard. Both bounded,
because anyone with an address of his own can knock."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from server.protocols.srt.errors import HandshakeError
from server.protocols.srt.events import ConnectionRequested
from server.protocols.srt.handshake import Extensions, Handshake
from server.protocols.srt.limits import Limits
from server.protocols.srt.packet import Address
from server.protocols.srt.reject import Code

Peer = tuple[Address, int]
"""Address and socket id."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits."""

    request: ConnectionRequested
    handshake: Handshake
    extensions: Extensions
    expires_us: int


@dataclass(frozen=True, slots=True)
class _Refused:
    reply: Handshake
    expires_us: int


class Door:
    """A request comes in by add() and leaves by take(), or expires; refuse() keeps what was answered for a while."""

    __slots__ = ("_limits", "_pending", "_pending_of_host", "_refused", "_wait_us")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._wait_us = round(limits.admission_timeout_s * 1e6)
        self._pending: dict[Peer, Pending] = {}  # in the order of their coming, as are the others
        self._pending_of_host: Counter[str] = Counter()
        self._refused: dict[Peer, _Refused] = {}

    def __len__(self) -> int:
        """Requests that wait."""
        return len(self._pending)

    def __contains__(self, peer: Peer) -> bool:
        return peer in self._pending

    @property
    def requests(self) -> Iterable[ConnectionRequested]:
        return [pending.request for pending in self._pending.values()]

    def add(self, request: ConnectionRequested, handshake: Handshake, extensions: Extensions, now_us: int) -> None:
        """HandshakeError with BACKLOG when there is no room, in all or for this host."""
        host = request.address[0]
        if len(self) >= self._limits.pending or self._pending_of_host[host] >= self._limits.pending_per_host:
            raise HandshakeError(Code.BACKLOG)
        self._pending_of_host[host] += 1
        self._pending[request.address, request.peer_id] = Pending(
            request, handshake, extensions, now_us + self._wait_us
        )

    def find(self, request: ConnectionRequested) -> Pending | None:
        """None: it no longer waits."""
        pending = self._pending.get((request.address, request.peer_id))
        return pending if pending is not None and pending.request is request else None

    def take(self, request: ConnectionRequested) -> Pending | None:
        """The same, and it leaves."""
        pending = self.find(request)
        if pending is not None:
            del self._pending[request.address, request.peer_id]
            host = request.address[0]
            self._pending_of_host[host] -= 1
            if not self._pending_of_host[host]:
                del self._pending_of_host[host]
        return pending

    def refuse(self, peer: Peer, reply: Handshake, now_us: int) -> None:
        """Remember an answer, for a peer that repeats its handshake because it did not hear."""
        if len(self._refused) >= self._limits.pending:
            del self._refused[next(iter(self._refused))]
        self._refused[peer] = _Refused(reply, now_us + self._wait_us)

    def refusal_of(self, peer: Peer) -> Handshake | None:
        refused = self._refused.get(peer)
        return refused.reply if refused is not None else None

    def shut_to(self, host: str) -> bool:
        """It has been refused too often of late."""
        return sum(address[0] == host for address, _ in self._refused) >= self._limits.refused_per_host

    def expire(self, now_us: int) -> int:
        """How many requests have waited in vain."""
        expired = [pending for pending in self._pending.values() if pending.expires_us <= now_us]
        for pending in expired:
            self.take(pending.request)
        for peer in [peer for peer, refused in self._refused.items() if refused.expires_us <= now_us]:
            del self._refused[peer]
        return len(expired)

    def next_expiry(self) -> int | None:
        expiries = [pending.expires_us for pending in islice(self._pending.values(), 1)]
        expiries += [refused.expires_us for refused in islice(self._refused.values(), 1)]
        return min(expiries, default=None)
