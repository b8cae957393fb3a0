"""What a conclusion and its answer settle between the two sides (the draft, 4.3.1.2 and 6.1.5)."""

from dataclasses import dataclass, replace

from server.protocols.srt import handshake as shake
from server.protocols.srt import key_material
from server.protocols.srt.errors import HandshakeError, KeyMaterialError
from server.protocols.srt.events import ConnectionRequested
from server.protocols.srt.handshake import Extensions, Handshake
from server.protocols.srt.key_material import Keyring, StreamCipher
from server.protocols.srt.limits import Limits
from server.protocols.srt.packet import EVEN, HEADER_SIZE, ODD, Address
from server.protocols.srt.receive_keys import ReceiveKeys
from server.protocols.srt.reject import Code
from server.protocols.srt.send_keys import SendKeys

MIN_WINDOW = 2
"""Packets: a peer that says it takes fewer would stop us for good."""


@dataclass(frozen=True, slots=True)
class Agreement:
    id: int
    """Our socket id."""
    peer_id: int
    address: Address
    stream_id: str
    version: str
    latency_ms: int
    send_latency_ms: int
    payload: int
    """Bytes that one packet to the peer may carry."""
    first_received: int
    """Sequence number of the first packet to come."""
    first_sent: int
    peer_window: int
    """Packets that the peer takes unacknowledged."""
    start_us: int
    """Zero of the timestamps we send."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Of an encrypted connection."""

    receive: ReceiveKeys
    send: SendKeys
    size: int
    """Bytes of a key."""


def read_request(handshake: Handshake, extensions: Extensions, address: Address, limits: Limits) -> ConnectionRequested:
    """What a conclusion asks for. HandshakeError when its stream id or its key message can't be read."""
    return ConnectionRequested(
        address=address,
        stream_id=_read_stream_id(extensions.stream_id, limits),
        version=shake.library_text(extensions.library),
        key_bits=_key_bits(extensions.key_material),
        latency_ms=extensions.send_latency_ms,
        peer_id=handshake.socket_id,
    )


def agree_keys(message: bytes, passphrase: str, min_key_bits: int, limits: Limits) -> Keys | None:
    """From the key message of a conclusion; None: in plain. KeyMaterialError when the two sides do not agree."""
    if bool(message) != bool(passphrase):
        raise KeyMaterialError(Code.UNSECURE)
    if not message:
        return None
    wrapped = key_material.parse(message)
    if 8 * wrapped.key_size < min_key_bits:
        raise KeyMaterialError(Code.FORBIDDEN, f"the key has {8 * wrapped.key_size} bits, {min_key_bits} are required")
    keyring = Keyring(passphrase)
    ciphers = keyring.unwrap(wrapped)
    return make_keys(keyring, ciphers, wrapped.salt, limits)


def make_keys(keyring: Keyring, ciphers: dict[int, StreamCipher], salt: bytes, limits: Limits) -> Keys:
    """To begin with: libsrt's way is that both directions use the caller's key until one refreshes its own.

    Both also number alike, so that two sides that both sent would share a key stream; live media goes one way.
    """
    first = EVEN if EVEN in ciphers else ODD
    size = len(ciphers[first].key)
    return Keys(
        ReceiveKeys(keyring, ciphers, size, limits), SendKeys(first, ciphers, salt, keyring, limits), size
    )


def agree(
    handshake: Handshake,
    asked: Extensions,
    request: ConnectionRequested,
    number: int,
    latency_ms: int,
    now_us: int,
    limits: Limits,
) -> Agreement:
    """Of a listener that accepts; `number` is to be its socket id."""
    return Agreement(
        id=number,
        peer_id=handshake.socket_id,
        address=request.address,
        stream_id=request.stream_id,
        version=request.version,
        latency_ms=agree_latency(latency_ms, asked.send_latency_ms, limits),
        send_latency_ms=agree_latency(latency_ms, asked.receive_latency_ms, limits),
        payload=agree_payload(handshake.mtu, limits),
        first_received=handshake.initial_sequence,
        first_sent=handshake.initial_sequence,  # libsrt's way: both directions begin with the caller's
        peer_window=agree_window(handshake.flow_window, limits),
        start_us=now_us,
    )


def reply_to(handshake: Handshake, asked: Extensions, agreement: Agreement, limits: Limits) -> Handshake:
    """The conclusion that accepts; the key material goes back as it came."""
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


def agree_latency(ours_ms: int, theirs_ms: int, limits: Limits) -> int:
    """The larger (the draft, 4.4), within limits."""
    return min(max(ours_ms, theirs_ms), limits.latency_ms)


def agree_payload(mtu: int, limits: Limits) -> int:
    """Bytes of a packet that the peer's MTU lets through."""
    return max(1, min(mtu - shake.IP_UDP - HEADER_SIZE, limits.payload))


def agree_window(theirs: int, limits: Limits) -> int:
    """Packets under way at most."""
    return max(MIN_WINDOW, min(theirs, limits.window))


def _read_stream_id(raw: bytes, limits: Limits) -> str:
    if len(raw) > limits.stream_id:
        raise HandshakeError(Code.BAD_REQUEST)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise HandshakeError(Code.BAD_REQUEST) from None


def _key_bits(message: bytes) -> int:
    if not message:
        return 0
    try:
        return 8 * key_material.parse(message).key_size
    except KeyMaterialError as error:
        raise HandshakeError(error.code) from None
