"""A connection that calls out: handshake with retries, then the same Connection as a Listener's.

The owner feeds it like a Listener. Events: Connected, then Data, then Closed; or Closed alone, with the code of the
refusal.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping

from server.protocols.srt import handshake as shake
from server.protocols.srt import key_material
from server.protocols.srt.agreement import Agreement, Keys, agree_latency, agree_payload, agree_window, make_keys
from server.protocols.srt.connection import Connection
from server.protocols.srt.errors import HandshakeError
from server.protocols.srt.events import Closed, Connected, Event
from server.protocols.srt.handshake import Extensions, Handshake
from server.protocols.srt.key_material import Keyring, StreamCipher
from server.protocols.srt.limits import DEFAULT_LIMITS, Limits
from server.protocols.srt.packet import CONTROL, EVEN, HANDSHAKE, HEADER, HEADER_SIZE, Address, control
from server.protocols.srt.reject import WIRE_OFFSET, Code, words
from server.protocols.srt.state import TABLE, Action, State, kind_of

_RETRY_US = 250_000
"""Between handshakes: as libsrt."""

_DEFAULT_KEY_BITS = 128
_KEY_STATES = {key_material.NO_SECRET: Code.UNSECURE, key_material.BAD_SECRET: Code.BAD_SECRET}


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
        _check(stream_id, passphrase, key_bits, limits)
        self.state = State.CALLING
        self.connection: Connection | None = None
        self.dropped = 0
        """Datagrams from other addresses, for other sockets, or malformed."""
        self._address = address
        self._stream_id = stream_id
        self._keyring = Keyring(passphrase) if passphrase else None
        self._key_bits = key_bits
        self._latency_ms = min(latency_ms, limits.latency_ms)
        self._limits = limits
        self._timeout_s = timeout_s
        self._start_us = now_us
        self._id = secrets.randbits(30) + 1
        self._first = secrets.randbits(31)
        self._salt = b""
        self._key: StreamCipher | None = None
        self._out: list[tuple[bytes, Address]] = []
        self._handshake = self._induction()
        self._retry_us = now_us
        self._tick_us = now_us
        self._send_handshake(now_us)

    @property
    def closed(self) -> bool:
        return self.state is State.CLOSED

    # -- datagrams and time

    def receive(self, datagram: bytes, address: Address, now_us: int) -> list[Event]:
        """Take one datagram. Nothing a peer sends raises; what another address sends is dropped and counted."""
        return self.receive_many([(datagram, address)], now_us)

    def receive_many(self, datagrams: Iterable[tuple[bytes, Address]], now_us: int) -> list[Event]:
        """Take datagrams as they came; at most one Data comes out."""
        events: list[Event] = []
        longest = HEADER_SIZE + self._limits.payload
        for datagram, address in datagrams:
            if address[:2] != self._address[:2] or not HEADER_SIZE <= len(datagram) <= longest:
                self.dropped += 1
                continue
            first, second, _, destination = HEADER.unpack_from(datagram)
            if destination != self._id:
                self.dropped += 1
            elif self.connection is None:
                events += self._receive_handshake(first, datagram, now_us)
            else:
                self._receive_connected(self.connection, first, second, datagram, now_us)
        return events + self._flush(now_us)

    def handle_timeout(self, now_us: int) -> list[Event]:
        """Do what is due; nothing when called early."""
        due_us = self.next_timeout()
        if due_us is None or now_us < due_us:
            return []
        if self.connection is not None:
            self._tick_us = now_us
            return self._watch(self.connection.tick(now_us))
        if now_us - self._start_us >= self._timeout_s * 1e6:
            return self._fail(f"no answer within {self._timeout_s:g} s", by_peer=False, code=Code.TIMEOUT)
        self._send_handshake(now_us)
        return []

    def next_timeout(self) -> int | None:
        """When to call handle_timeout; ask again after every other call. None: never, it is over."""
        if self.state is State.CLOSED:
            return None
        if self.connection is not None:
            return self._tick_us + self._limits.ack_interval_us
        return min(self._retry_us, self._start_us + round(self._timeout_s * 1e6))

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Everything to be sent since the last call."""
        out = self._out.copy()
        self._out.clear()  # the connection holds this very list
        return out

    def close(self, now_us: int) -> None:
        """End it from our side, connected or not. No event."""
        if self.connection is not None:
            self.connection.close(now_us)
        self.state = State.CLOSED

    # -- connected

    def _receive_connected(
        self, connection: Connection, first: int, second: int, datagram: bytes, now_us: int
    ) -> None:
        connection.last_received_us = now_us
        if first < CONTROL:
            connection.receiver.take(first, second, datagram, now_us)
        else:
            connection.receive_control(first, second, datagram, now_us)

    def _flush(self, now_us: int) -> list[Event]:
        return [] if self.connection is None else self._watch(self.connection.flush(now_us))

    def _watch(self, events: list[Event]) -> list[Event]:
        if self.connection is not None and self.connection.closed:
            self.state = State.CLOSED
        return events

    # -- handshake

    def _receive_handshake(self, first: int, datagram: bytes, now_us: int) -> list[Event]:
        try:
            if first != CONTROL | HANDSHAKE:
                raise HandshakeError(Code.ROGUE)
            answer = shake.read(datagram)
        except HandshakeError:
            self.dropped += 1
            return []
        try:
            return _ACTIONS[TABLE[kind_of(answer.type)][self.state]](self, answer, now_us)
        except HandshakeError as error:
            return self._fail(str(error), by_peer=False, code=error.code)

    def _conclude(self, answer: Handshake, now_us: int) -> list[Event]:
        if answer.version != shake.VERSION_5 or answer.extension_flags != shake.MAGIC:
            raise HandshakeError(Code.VERSION)
        if self._keyring is not None and not self._key_bits:
            self._key_bits = shake.KEY_BITS.get(answer.encryption, _DEFAULT_KEY_BITS)
        self._handshake = self._conclusion(answer.cookie)
        self.state = State.CONCLUDING
        self._send_handshake(now_us)
        return []

    def _connect(self, answer: Handshake, now_us: int) -> list[Event]:
        agreed = shake.read_response(answer)
        keys = self._agree_keys(agreed.key_material)
        agreement = Agreement(
            id=self._id,
            peer_id=answer.socket_id,
            address=self._address,
            stream_id=self._stream_id,
            version=shake.library_text(agreed.library),
            latency_ms=agree_latency(self._latency_ms, agreed.send_latency_ms, self._limits),
            send_latency_ms=agree_latency(self._latency_ms, agreed.receive_latency_ms, self._limits),
            payload=agree_payload(answer.mtu, self._limits),
            first_received=answer.initial_sequence,
            first_sent=self._first,
            peer_window=agree_window(answer.flow_window, self._limits),
            start_us=self._start_us,
        )
        self.connection = Connection(agreement, keys, now_us, self._limits, self._out)
        self.state = State.CONNECTED
        self._tick_us = now_us
        return [Connected(self.connection)]

    def _give_up(self, answer: Handshake, now_us: int) -> list[Event]:
        code = answer.type - WIRE_OFFSET
        return self._fail(words(code), by_peer=True, code=code)

    def _ignore(self, answer: Handshake, now_us: int) -> list[Event]:
        return []

    def _fail(self, reason: str, *, by_peer: bool, code: int) -> list[Event]:
        self.state = State.CLOSED
        return [Closed(None, reason, by_peer, code)]

    # -- what we say

    def _send_handshake(self, now_us: int) -> None:
        self._retry_us = now_us + _RETRY_US
        packet = control(HANDSHAKE, 0, now_us - self._start_us, 0, self._handshake.pack())
        self._out.append((packet, self._address))

    def _induction(self) -> Handshake:
        return Handshake(
            version=shake.VERSION_4,
            encryption=0,
            extension_flags=shake.UDT_DATAGRAM,
            initial_sequence=self._first,
            mtu=shake.MTU,
            flow_window=self._limits.window,
            type=shake.INDUCTION,
            socket_id=self._id,
            cookie=0,
            peer_ip=shake.pack_ip(self._address),
        )

    def _conclusion(self, cookie: int) -> Handshake:
        asked = Extensions(
            shake.LIBRARY_VERSION, shake.OUR_FLAGS, self._latency_ms, self._latency_ms, self._key_message(),
            self._stream_id.encode(),
        )  # fmt: skip
        flags, packed = shake.pack_extensions(asked, response=False)
        return Handshake(
            version=shake.VERSION_5,
            encryption=shake.KEY_CODES[self._key_bits] if self._keyring is not None else 0,
            extension_flags=flags,
            initial_sequence=self._first,
            mtu=shake.MTU,
            flow_window=self._limits.window,
            type=shake.CONCLUSION,
            socket_id=self._id,
            cookie=cookie,
            peer_ip=shake.pack_ip(self._address),
            extensions=packed,
        )

    # -- keys

    def _key_message(self) -> bytes:
        """Makes the stream key, which both directions use until a refresh (libsrt)."""
        if self._keyring is None:
            return b""
        self._salt = key_material.new_salt()
        self._key = key_material.new_cipher(self._key_bits // 8, self._salt)
        return self._keyring.wrap({EVEN: self._key}, self._salt).pack()

    def _agree_keys(self, response: bytes) -> Keys | None:
        """The listener's answer is our own message, or one word with its reason (the draft, 6.1.5)."""
        if self._keyring is None or self._key is None:
            if response:
                raise HandshakeError(Code.UNSECURE)
            return None
        if len(response) == 4:
            raise HandshakeError(_KEY_STATES.get(int.from_bytes(response, "big"), Code.BAD_SECRET))
        if not response or response not in self._handshake.extensions:
            raise HandshakeError(Code.UNSECURE)
        return make_keys(self._keyring, {EVEN: self._key}, self._salt, self._limits)


def _check(stream_id: str, passphrase: str, key_bits: int, limits: Limits) -> None:
    if len(stream_id.encode()) > limits.stream_id:
        raise ValueError(f"a stream id has at most {limits.stream_id} bytes")
    if passphrase and not key_material.PASSPHRASE_MIN <= len(passphrase.encode()) <= key_material.PASSPHRASE_MAX:
        raise ValueError("a passphrase has 10 to 79 characters")
    if key_bits and key_bits not in shake.KEY_CODES:
        raise ValueError("a key has 128, 192 or 256 bits")


_ACTIONS: Mapping[Action, Callable[[Caller, Handshake, int], list[Event]]] = {
    Action.CONCLUDE: Caller._conclude,
    Action.CONNECT: Caller._connect,
    Action.GIVE_UP: Caller._give_up,
    Action.IGNORE: Caller._ignore,
}
