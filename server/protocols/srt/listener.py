"""Many peers on one UDP port: admission, then one Connection each.

The owner feeds receive_many(), sends datagrams_to_send() after every call of anything (also of a Connection's send()
and close()), and calls handle_timeout() at next_timeout(): every 10 ms while anything is connected.

    induction ─► cookie       nothing is kept
    conclusion ─► request     kept until accept(), reject() or its time is up; repeated conclusions are absorbed
    accept() ─► Connection    repeated conclusions get the same answer again
    reject() ─► refusal       the same
"""

import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

from server.protocols.srt import handshake as shake
from server.protocols.srt import key_material
from server.protocols.srt.connection import Agreement, Connection, Keys
from server.protocols.srt.cookie import Cookies
from server.protocols.srt.errors import HandshakeError, KeyMaterialError, SrtError
from server.protocols.srt.events import ConnectionRequested, Event
from server.protocols.srt.handshake import Extensions, Handshake
from server.protocols.srt.key_material import Keyring
from server.protocols.srt.limits import DEFAULT_LIMITS, Limits
from server.protocols.srt.packet import (
    CONTROL,
    EVEN,
    HANDSHAKE,
    HEADER,
    HEADER_SIZE,
    ODD,
    SHUTDOWN,
    Address,
    control,
)
from server.protocols.srt.reject import Code
from server.protocols.srt.send_keys import SendKeys

_SHUTDOWN_AGAIN_US = 100_000

_Key = tuple[Address, int]  # a peer: its address and its socket id


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
class _Pending:
    """A request that waits for its answer."""

    request: ConnectionRequested
    handshake: Handshake
    extensions: Extensions
    expires_us: int


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A connection, and the answer that its peer may not have got."""

    connection: Connection
    reply: Handshake
    start_us: int


@dataclass(frozen=True, slots=True)
class _Refused:
    reply: Handshake
    expires_us: int


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
        self._pending: dict[_Key, _Pending] = {}  # in the order of their coming
        self._admitted: dict[_Key, _Admitted] = {}
        self._refused: dict[_Key, _Refused] = {}  # in the order of their refusal
        self._gone: dict[int, _Gone] = {}  # by our socket id, in the order of their end
        self._pending_of_host: Counter[str] = Counter()
        self._out: list[tuple[bytes, Address]] = []
        self._ticked_us: int | None = None

    @property
    def connections(self) -> Iterable[Connection]:
        """The living ones."""
        return [connection for connection in self._connections.values() if not connection.closed]

    @property
    def pending(self) -> int:
        """Requests that wait for an answer."""
        return len(self._pending)

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
        oldest = [pending.expires_us for pending in islice(self._pending.values(), 1)]
        oldest += [gone.expires_us for gone in islice(self._gone.values(), 1)]
        oldest += [refused.expires_us for refused in islice(self._refused.values(), 1)]
        return min(oldest, default=None)

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
        pending = self._take_pending(request)
        if pending is None:
            return Refusal(Code.CLOSE, "the caller no longer waits")
        try:
            keys = _agree_keys(pending.extensions.key_material, passphrase, min_key_bits, self._limits)
        except SrtError as error:
            self._refuse(request.address, pending.handshake, error.code, now_us)
            return Refusal(error.code, str(error))
        return self._admit(pending, keys, latency_ms, now_us)

    def check(
        self, request: ConnectionRequested, now_us: int, *, passphrase: str = "", min_key_bits: int = 0
    ) -> Refusal | None:
        """Whether accept() would agree on a key, for an owner who has more to do before: the caller still waits. Where
        it would not, the caller is refused."""
        pending = self._pending.get((request.address, request.peer_id))
        if pending is None or pending.request is not request:
            return Refusal(Code.CLOSE, "the caller no longer waits")
        try:
            _agree_keys(pending.extensions.key_material, passphrase, min_key_bits, self._limits)
        except SrtError as error:
            self.reject(request, error.code, now_us)
            return Refusal(error.code, str(error))
        return None

    def reject(self, request: ConnectionRequested, code: int, now_us: int) -> None:
        """Refuse a caller: see reject.py. Nothing happens if it no longer waits."""
        pending = self._take_pending(request)
        if pending is not None:
            self._refuse(request.address, pending.handshake, code, now_us)

    def close(self, now_us: int) -> None:
        """Shut every connection down, refuse every request. No events."""
        for pending in list(self._pending.values()):
            self.reject(pending.request, Code.CLOSE, now_us)
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
        host = address[0]
        if sum(key[0][0] == host for key in self._refused) >= self._limits.refused_per_host:
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
        key = address, handshake.socket_id
        if key in self._admitted:
            admitted = self._admitted[key]
            # Its timestamp is what the peer takes for the zero of the media's (the draft, 4.5.1.1).
            self._reply(admitted.reply, handshake.socket_id, address, now_us - admitted.start_us)
        elif key in self._refused:
            self._reply(self._refused[key].reply, handshake.socket_id, address, 0)
        else:
            return key in self._pending
        return True

    def _request(self, handshake: Handshake, address: Address, now_us: int) -> ConnectionRequested:
        extensions = shake.read_extensions(handshake)
        request = ConnectionRequested(
            address=address,
            stream_id=_read_stream_id(extensions.stream_id, self._limits),
            version=shake.library_text(extensions.library),
            key_bits=_key_bits(extensions.key_material),
            latency_ms=extensions.send_latency_ms,
            peer_id=handshake.socket_id,
        )
        if len(self._connections) >= self._limits.connections:
            raise HandshakeError(Code.RESOURCE)
        host = address[0]
        if len(self._pending) >= self._limits.pending or self._pending_of_host[host] >= self._limits.pending_per_host:
            raise HandshakeError(Code.BACKLOG)
        expires_us = now_us + round(self._limits.admission_timeout_s * 1e6)
        self._pending_of_host[host] += 1
        self._pending[address, handshake.socket_id] = _Pending(request, handshake, extensions, expires_us)
        return request

    def _admit(self, pending: _Pending, keys: Keys | None, latency_ms: int, now_us: int) -> Connection:
        handshake, asked, request = pending.handshake, pending.extensions, pending.request
        latency_ms = min(latency_ms, self._limits.latency_ms)
        agreement = Agreement(
            id=self._new_id(),
            peer_id=handshake.socket_id,
            address=request.address,
            stream_id=request.stream_id,
            version=request.version,
            latency_ms=min(max(latency_ms, asked.send_latency_ms), self._limits.latency_ms),
            send_latency_ms=min(max(latency_ms, asked.receive_latency_ms), self._limits.latency_ms),
            payload=min(handshake.mtu - shake.IP_UDP - HEADER_SIZE, self._limits.payload),
            first_received=handshake.initial_sequence,
            first_sent=handshake.initial_sequence,  # libsrt's way: both directions begin with the caller's
            peer_window=max(2, min(handshake.flow_window, self._limits.window)),
            start_us=now_us,
        )
        connection = Connection(agreement, keys, now_us, self._limits, self._out)
        reply = _reply_to(handshake, asked, agreement, self._limits)
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
        expires_us = now_us + round(self._limits.admission_timeout_s * 1e6)
        if len(self._refused) >= self._limits.pending:
            del self._refused[next(iter(self._refused))]
        self._refused[address, handshake.socket_id] = _Refused(reply, expires_us)

    def _reply(self, handshake: Handshake, peer_id: int, address: Address, timestamp: int) -> None:
        self._out.append((control(HANDSHAKE, peer_id, timestamp, 0, handshake.pack()), address))

    # -- tables

    def _take_pending(self, request: ConnectionRequested) -> _Pending | None:
        key = request.address, request.peer_id
        pending = self._pending.get(key)
        if pending is None or pending.request is not request:
            return None
        del self._pending[key]
        host = request.address[0]
        self._pending_of_host[host] -= 1
        if not self._pending_of_host[host]:
            del self._pending_of_host[host]
        return pending

    def _expire(self, now_us: int) -> None:
        for pending in [pending for pending in self._pending.values() if pending.expires_us <= now_us]:
            self._take_pending(pending.request)
            self.counters.expired += 1
        for key in [key for key, refused in self._refused.items() if refused.expires_us <= now_us]:
            del self._refused[key]
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


def _read_stream_id(raw: bytes, limits: Limits) -> str:
    if len(raw) > limits.stream_id:
        raise HandshakeError(Code.BAD_REQUEST)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise HandshakeError(Code.BAD_REQUEST) from None


def _key_bits(message: bytes) -> int:
    """Of the key that a conclusion brings; HandshakeError when it can't be read."""
    if not message:
        return 0
    try:
        return 8 * key_material.parse(message).key_size
    except KeyMaterialError as error:
        raise HandshakeError(error.code) from None


def _agree_keys(message: bytes, passphrase: str, min_key_bits: int, limits: Limits) -> Keys | None:
    """KeyMaterialError when the two sides do not agree."""
    if bool(message) != bool(passphrase):
        raise KeyMaterialError(Code.UNSECURE)
    if not message:
        return None
    wrapped = key_material.parse(message)
    if 8 * wrapped.key_size < min_key_bits:
        raise KeyMaterialError(Code.FORBIDDEN, f"the key has {8 * wrapped.key_size} bits, {min_key_bits} are required")
    keyring = Keyring(passphrase)
    ciphers = keyring.unwrap(wrapped)
    # libsrt's way: until a refresh, both directions use the caller's key
    send = SendKeys(EVEN if EVEN in ciphers else ODD, ciphers, wrapped.salt, keyring, limits)
    return Keys(keyring, ciphers, send, wrapped.key_size)


def _reply_to(handshake: Handshake, asked: Extensions, agreement: Agreement, limits: Limits) -> Handshake:
    """The conclusion that accepts (the draft, 4.3.1.2); the key material goes back as it came (6.1.5)."""
    answer = Extensions(
        shake.LIBRARY_VERSION,
        shake.OUR_FLAGS,
        agreement.latency_ms,
        agreement.send_latency_ms,
        asked.key_material,
    )
    flags, packed = shake.pack_extensions(answer, response=True)
    return replace(
        handshake,
        extension_flags=flags,
        mtu=min(handshake.mtu, shake.MTU),
        flow_window=limits.window,
        socket_id=agreement.id,
        cookie=0,
        extensions=packed,
    )
