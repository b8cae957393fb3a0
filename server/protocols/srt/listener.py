"""Many peers on one UDP port: admission, then one Connection each.

The owner feeds receive_many(), sends datagrams_to_send() after every call of anything (also of a Connection's send()
and close()), and calls handle_timeout() at next_timeout(): every 10 ms while anything is connected.

    induction ─► cookie       nothing is kept
    conclusion ─► request     kept until accept(), reject() or its time is up; repeated conclusions are absorbed
    accept() ─► Connection    repeated conclusions get the same answer again
    reject() ─► refusal       the same
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace

from server.protocols.srt import handshake as shake
from server.protocols.srt.admission import Door, Peer, Pending
from server.protocols.srt.agreement import Keys, agree, agree_keys, read_request, reply_to
from server.protocols.srt.connection import Connection
from server.protocols.srt.cookie import Cookies
from server.protocols.srt.errors import HandshakeError, SrtError
from server.protocols.srt.events import ConnectionRequested, Event
from server.protocols.srt.handshake import Handshake
from server.protocols.srt.limits import DEFAULT_LIMITS, Limits
from server.protocols.srt.packet import CONTROL, HANDSHAKE, HEADER, HEADER_SIZE, SHUTDOWN, Address, control
from server.protocols.srt.reject import Code

_SHUTDOWN_AGAIN_US = 100_000


@dataclass(slots=True)
class Counters:
    """Datagrams that led to nothing, for /metrics."""

    malformed: int = 0
    """Too short or too long, or a handshake that does not parse."""
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
    """Handshakes that came again while their request waits, or after it was answered."""
    throttled: int = 0
    """Handshakes from hosts with too many refusals: not answered."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why accept() did not. The peer has been told, except with Code.CLOSE: it no longer waits."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A connection, and the answer that its peer may not have got."""

    connection: Connection
    reply: Handshake
    start_us: int


@dataclass(slots=True)
class _Gone:
    """A connection that we have closed: its peer may not have heard."""

    address: Address
    peer_id: int
    expires_us: int
    again_us: int


class Listener:
    def __init__(
        self, limits: Limits = DEFAULT_LIMITS, *, secret: bytes | None = None, offered_key_bits: int = 0
    ) -> None:
        """`secret` keys the cookies (random if left out). `offered_key_bits` (0, 128, 192, 256) is what callers with
        a passphrase and no key length of their own will use; 0 leaves it to them, which means 128."""
        self.counters = Counters()
        self._limits = limits
        self._cookies = Cookies(secret)
        self._offered = shake.KEY_CODES[offered_key_bits] if offered_key_bits else 0
        self._connections: dict[int, Connection] = {}  # by our socket id
        self._door = Door(limits)
        self._admitted: dict[Peer, _Admitted] = {}
        self._gone: dict[int, _Gone] = {}  # by our socket id, in the order of their end
        self._out: list[tuple[bytes, Address]] = []
        self._ticked_us: int | None = None

    @property
    def connections(self) -> Iterable[Connection]:
        """The living ones."""
        return [connection for connection in self._connections.values() if not connection.closed]

    @property
    def pending(self) -> int:
        """Requests that wait for an answer."""
        return len(self._door)

    # -- datagrams and time

    def receive(self, datagram: bytes, address: Address, now_us: int) -> list[Event]:
        """Take one datagram. Nothing a peer sends raises."""
        return self.receive_many([(datagram, address)], now_us)

    def receive_many(self, datagrams: Iterable[tuple[bytes, Address]], now_us: int) -> list[Event]:
        """Take datagrams as they came; at most one Data per connection comes out."""
        events: list[Event] = []
        touched: dict[Connection, None] = {}
        connections, unpack = self._connections, HEADER.unpack_from
        longest = HEADER_SIZE + self._limits.payload
        for datagram, address in datagrams:
            if not HEADER_SIZE <= len(datagram) <= longest:
                self.counters.malformed += 1
                continue
            first, second, _, destination = unpack(datagram)
            connection = connections.get(destination)
            if connection is None:
                if destination:
                    self._receive_unknown(destination, address, now_us)
                else:
                    events += self._receive_handshake(first, datagram, address, now_us)
            elif connection.address != address:
                self.counters.spoofed += 1
            else:
                connection.last_received_us = now_us
                touched[connection] = None
                if first < CONTROL:
                    connection.receiver.take(first, second, datagram, now_us)
                else:
                    connection.receive_control(first, second, datagram, now_us)
        ended = False
        for connection in touched:
            events += connection.flush(now_us)
            ended |= connection.closed
        if ended:
            self._forget_closed(now_us)
        return events

    def handle_timeout(self, now_us: int) -> list[Event]:
        """Do what is due, for all connections; nothing when called early."""
        due_us = self.next_timeout()
        if due_us is None or now_us < due_us:
            return []
        self._ticked_us = now_us
        self._expire(now_us)
        events: list[Event] = []
        for connection in self._connections.values():
            events += connection.tick(now_us)
        self._forget_closed(now_us)
        return events

    def next_timeout(self) -> int | None:
        """When to call handle_timeout; ask again after every other call. None: not before the next datagram."""
        if self._connections:
            return (self._ticked_us or 0) + self._limits.ack_interval_us
        gone_us = next((gone.expires_us for gone in self._gone.values()), None)
        return min((at for at in (self._door.next_expiry(), gone_us) if at is not None), default=None)

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Everything to be sent since the last call."""
        out = self._out.copy()
        self._out.clear()  # the connections hold this very list
        return out

    # -- admission

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
        pending = self._door.take(request)
        if pending is None:
            return Refusal(Code.CLOSE, "the caller no longer waits")
        try:
            keys = agree_keys(pending.extensions.key_material, passphrase, min_key_bits, self._limits)
        except SrtError as error:
            self._refuse(request.address, pending.handshake, error.code, now_us)
            return Refusal(error.code, str(error))
        return self._admit(pending, keys, latency_ms, now_us)

    def check(
        self, request: ConnectionRequested, now_us: int, *, passphrase: str = "", min_key_bits: int = 0
    ) -> Refusal | None:
        """Whether accept() would agree on a key, for an owner who has more to do before: the caller still waits. Where
        it would not, the caller is refused."""
        pending = self._door.find(request)
        if pending is None:
            return Refusal(Code.CLOSE, "the caller no longer waits")
        try:
            agree_keys(pending.extensions.key_material, passphrase, min_key_bits, self._limits)
        except SrtError as error:
            self.reject(request, error.code, now_us)
            return Refusal(error.code, str(error))
        return None

    def reject(self, request: ConnectionRequested, code: int, now_us: int) -> None:
        """Refuse a caller: see reject.py. Nothing happens if it no longer waits."""
        pending = self._door.take(request)
        if pending is not None:
            self._refuse(request.address, pending.handshake, code, now_us)

    def close(self, now_us: int) -> None:
        """Shut every connection down, refuse every request. No events."""
        for request in self._door.requests:
            self.reject(request, Code.CLOSE, now_us)
        for connection in self._connections.values():
            connection.close(now_us)
        self._forget_closed(now_us)

    # -- handshakes

    def _receive_unknown(self, destination: int, address: Address, now_us: int) -> None:
        """A peer that goes on after our shutdown has not got it: it is told again, now and then."""
        self.counters.unknown += 1
        gone = self._gone.get(destination)
        if gone is not None and gone.address == address and gone.again_us <= now_us:
            gone.again_us = now_us + _SHUTDOWN_AGAIN_US
            self._out.append((control(SHUTDOWN, gone.peer_id, 0), address))

    def _receive_handshake(self, first: int, datagram: bytes, address: Address, now_us: int) -> list[Event]:
        if first != CONTROL | HANDSHAKE:
            self.counters.unknown += 1
            return []
        try:
            handshake = shake.read(datagram)
        except HandshakeError:
            self.counters.malformed += 1
            return []
        match handshake.type:
            case shake.INDUCTION:
                self._answer_induction(handshake, address, now_us)
            case shake.CONCLUSION:
                return self._conclude(handshake, address, now_us)
            case _:
                self.counters.malformed += 1  # rendezvous, among others
        return []

    def _answer_induction(self, handshake: Handshake, address: Address, now_us: int) -> None:
        """As long as the question, so that nobody can have others flooded by us."""
        reply = replace(
            handshake,
            version=shake.VERSION_5,
            encryption=self._offered,
            extension_flags=shake.MAGIC,
            mtu=min(handshake.mtu, shake.MTU),
            flow_window=self._limits.window,
            socket_id=0,  # libsrt's callers send their conclusion to 0 whatever stands here
            cookie=self._cookies.make(address, now_us),
            extensions=b"",
        )
        self._reply(reply, handshake.socket_id, address, 0)

    def _conclude(self, handshake: Handshake, address: Address, now_us: int) -> list[Event]:
        if not self._cookies.good(handshake.cookie, address, now_us):
            self.counters.bad_cookie += 1
            return []
        self._forget_closed(now_us)
        events = self._make_way(handshake, address, now_us)
        if self._repeat(handshake, address, now_us):
            self.counters.repeated += 1
            return events
        if self._door.shut_to(address[0]):
            self.counters.throttled += 1
            return events
        try:
            events.append(self._request(handshake, address, now_us))
        except HandshakeError as error:
            self._refuse(address, handshake, error.code, now_us)
        return events

    def _make_way(self, handshake: Handshake, address: Address, now_us: int) -> list[Event]:
        """A peer that has restarted calls from the address of its old connection, which is silent since."""
        events: list[Event] = []
        since = now_us - self._limits.takeover_us
        for (other, peer_id), admitted in list(self._admitted.items()):
            same = peer_id == handshake.socket_id and admitted.reply.initial_sequence == handshake.initial_sequence
            if other == address and not same and admitted.connection.last_received_us <= since:
                admitted.connection.give_way()
                events += admitted.connection.flush(now_us)
        if events:
            self._forget_closed(now_us)
        return events

    def _repeat(self, handshake: Handshake, address: Address, now_us: int) -> bool:
        """True for a handshake that has been taken before; answered again if it has been answered."""
        peer = address, handshake.socket_id
        if peer in self._admitted:
            admitted = self._admitted[peer]
            # Its timestamp is what the peer takes for the zero of the media's (the draft, 4.5.1.1).
            self._reply(admitted.reply, handshake.socket_id, address, now_us - admitted.start_us)
        elif (refusal := self._door.refusal_of(peer)) is not None:
            self._reply(refusal, handshake.socket_id, address, 0)
        else:
            return peer in self._door
        return True

    def _request(self, handshake: Handshake, address: Address, now_us: int) -> ConnectionRequested:
        extensions = shake.read_extensions(handshake)
        request = read_request(handshake, extensions, address, self._limits)
        if len(self._connections) >= self._limits.connections:
            raise HandshakeError(Code.RESOURCE)
        self._door.add(request, handshake, extensions, now_us)
        return request

    def _admit(self, pending: Pending, keys: Keys | None, latency_ms: int, now_us: int) -> Connection:
        handshake, asked, request = pending.handshake, pending.extensions, pending.request
        agreement = agree(handshake, asked, request, self._new_id(), latency_ms, now_us, self._limits)
        connection = Connection(agreement, keys, now_us, self._limits, self._out)
        reply = reply_to(handshake, asked, agreement, self._limits)
        self._connections[agreement.id] = connection
        self._admitted[request.address, request.peer_id] = _Admitted(connection, reply, now_us)
        self._reply(reply, request.peer_id, request.address, 0)
        if self._ticked_us is None or len(self._connections) == 1:
            self._ticked_us = now_us
        return connection

    def _new_id(self) -> int:
        while True:
            number = secrets.randbits(30) + 1
            if number not in self._connections:
                return number

    def _refuse(self, address: Address, handshake: Handshake, code: int, now_us: int) -> None:
        """Told at once, and again to a peer that repeats its handshake because it did not hear."""
        self.counters.refused += 1
        reply = handshake.refusal(code)
        self._reply(reply, handshake.socket_id, address, 0)
        self._door.refuse((address, handshake.socket_id), reply, now_us)

    def _reply(self, handshake: Handshake, peer_id: int, address: Address, timestamp: int) -> None:
        self._out.append((control(HANDSHAKE, peer_id, timestamp, 0, handshake.pack()), address))

    # -- tables

    def _expire(self, now_us: int) -> None:
        self.counters.expired += self._door.expire(now_us)
        for number in [number for number, gone in self._gone.items() if gone.expires_us <= now_us]:
            del self._gone[number]

    def _forget_closed(self, now_us: int) -> None:
        for connection in [connection for connection in self._connections.values() if connection.closed]:
            del self._connections[connection.id]
            del self._admitted[connection.address, connection.peer_id]
            if connection.closed_by_us:
                expires_us = now_us + self._limits.idle_timeout_us
                self._gone[connection.id] = _Gone(connection.address, connection.peer_id, expires_us, now_us)
        while len(self._gone) > self._limits.connections:
            del self._gone[next(iter(self._gone))]
