"""The contents of handshakes (the draft, 3.2.1): the fixed part, and the extensions behind it.

    version:32 | encryption:16 extensions:16 | initial sequence:32 | MTU:32 | flow window:32 | type:32 | socket id:32
    cookie:32 | peer's IP address:128 | { extension type:16, length in words:16, contents } …
"""

import ipaddress
import struct
from dataclasses import dataclass, replace

from server.protocols.srt.errors import HandshakeError
from server.protocols.srt.packet import HEADER_SIZE, SEQUENCE_MASK, Address
from server.protocols.srt.reject import WIRE_OFFSET, Code

VERSION_4, VERSION_5 = 4, 5

INDUCTION, CONCLUSION = 1, 0xFFFF_FFFF
MAGIC = 0x4A17
"""In the extensions field of a listener's induction: it speaks SRT and not UDT (the draft, 4.3.1.1)."""
UDT_DATAGRAM = 2
"""In the extensions field of a caller's induction (the draft, 4.3.1.1)."""

LIBRARY_VERSION = 0x010501
"""We behave as this release of libsrt: the newest whose features a peer may expect of us."""
OLDEST_VERSION = 0x010300
"""The first with HSv5."""

MTU = 1500
IP_UDP = 28
"""Bytes of the MTU that headers of IP and UDP take."""

HAS_HSREQ, HAS_KMREQ, HAS_CONFIG = 1, 2, 4
"""Bits of the extensions field in a conclusion (Table 3)."""

HSREQ, HSRSP, KMREQ, KMRSP, STREAM_ID, CONGESTION, FILTER, GROUP = range(1, 9)
"""Extension types (Table 5)."""

TSBPD_SEND, TSBPD_RECEIVE, CRYPT, TOO_LATE_DROP, PERIODIC_NAK, REXMIT_FLAG, STREAM_MODE = (1 << bit for bit in range(7))
"""Flags of HSREQ and HSRSP (Table 6)."""
OUR_FLAGS = TSBPD_SEND | TSBPD_RECEIVE | CRYPT | TOO_LATE_DROP | PERIODIC_NAK | REXMIT_FLAG

KEY_CODES = {128: 2, 192: 3, 256: 4}
"""Key length in bits → the encryption field (Table 2)."""
KEY_BITS = {code: bits for bits, code in KEY_CODES.items()}

_FIXED = struct.Struct(">IHHIIIIII16s")
_HSREQ = struct.Struct(">IIHH")
_EXTENSION = struct.Struct(">HH")

MIN_SIZE = HEADER_SIZE + _FIXED.size


@dataclass(frozen=True, slots=True)
class Handshake:
    """The fixed part; `extensions` is what follows, unread."""

    version: int
    encryption: int
    extension_flags: int
    initial_sequence: int
    mtu: int
    flow_window: int
    type: int
    socket_id: int
    cookie: int
    peer_ip: bytes = bytes(16)
    extensions: bytes = b""

    def pack(self) -> bytes:
        return _FIXED.pack(
            self.version, self.encryption, self.extension_flags, self.initial_sequence, self.mtu, self.flow_window,
            self.type, self.socket_id, self.cookie, self.peer_ip,
        ) + self.extensions  # fmt: skip

    def refusal(self, code: int) -> "Handshake":
        """The answer that refuses this one."""
        return replace(self, version=VERSION_5, extension_flags=0, type=WIRE_OFFSET + code, socket_id=0, extensions=b"")


@dataclass(frozen=True, slots=True)
class Extensions:
    """What a conclusion carries behind its fixed part."""

    library: int
    """Version, major << 16 | minor << 8 | patch."""
    flags: int
    receive_latency_ms: int
    """How long the sender of this wants to wait when it receives."""
    send_latency_ms: int
    """How long it wants its peer to wait."""
    key_material: bytes = b""
    stream_id: bytes = b""


def read(datagram: bytes) -> Handshake:
    """The fixed part of a handshake packet. HandshakeError when it is too short."""
    if len(datagram) < MIN_SIZE:
        raise HandshakeError(Code.ROGUE)
    fields = [*_FIXED.unpack_from(datagram, HEADER_SIZE), datagram[MIN_SIZE:]]
    return Handshake(*fields)


def read_extensions(handshake: Handshake) -> Extensions:
    """Of a caller's conclusion. HandshakeError with the code that refuses what is malformed or not spoken.

    Unknown extensions are skipped; a filter or a group is refused, because ignoring either would pass for consent.
    """
    if handshake.version != VERSION_5:
        raise HandshakeError(Code.VERSION)
    if handshake.initial_sequence > SEQUENCE_MASK or not handshake.socket_id or handshake.mtu <= IP_UDP + HEADER_SIZE:
        raise HandshakeError(Code.ROGUE)
    return _check(_collect(split(handshake.extensions)))


def read_response(handshake: Handshake) -> Extensions:
    """Of a listener's conclusion. HandshakeError as above."""
    found = {
        {HSRSP: HSREQ, KMRSP: KMREQ}.get(kind, kind): content for kind, content in split(handshake.extensions)
    }
    if handshake.version != VERSION_5 or not handshake.socket_id or handshake.initial_sequence > SEQUENCE_MASK:
        raise HandshakeError(Code.ROGUE)
    return _check(found)


def split(data: bytes) -> list[tuple[int, bytes]]:
    """Extensions as type and contents, in order. HandshakeError when a length leads past the end."""
    found, at = [], 0
    while at + 4 <= len(data):
        kind, words = _EXTENSION.unpack_from(data, at)
        at += 4
        if at + 4 * words > len(data):
            raise HandshakeError(Code.ROGUE)
        found.append((kind, data[at : at + 4 * words]))
        at += 4 * words
    return found


def _collect(extensions: list[tuple[int, bytes]]) -> dict[int, bytes]:
    """By type; a second one of a type is malformed."""
    found = dict(extensions)
    if len(found) != len(extensions):
        raise HandshakeError(Code.ROGUE)
    return found


def _check(found: dict[int, bytes]) -> Extensions:
    for kind, code in ((FILTER, Code.FILTER), (GROUP, Code.GROUP)):
        if kind in found:
            raise HandshakeError(code)
    request = found.get(HSREQ, b"")
    if len(request) < _HSREQ.size:
        raise HandshakeError(Code.ROGUE)
    library, flags, receive, send = _HSREQ.unpack_from(request)
    if library < OLDEST_VERSION:
        raise HandshakeError(Code.VERSION)
    if flags & STREAM_MODE:
        raise HandshakeError(Code.MESSAGE_API)
    if unswap(found.get(CONGESTION, b"")) not in (b"", b"live"):
        raise HandshakeError(Code.CONGESTION)
    return Extensions(library, flags, receive, send, found.get(KMREQ, b""), unswap(found.get(STREAM_ID, b"")))


def pack_extensions(extensions: Extensions, *, response: bool) -> tuple[int, bytes]:
    """The extensions field that announces them, and themselves."""
    flags = HAS_HSREQ
    request = _HSREQ.pack(
        extensions.library, extensions.flags, extensions.receive_latency_ms, extensions.send_latency_ms
    )
    packed = _pack(HSRSP if response else HSREQ, request)
    if extensions.key_material:
        flags |= HAS_KMREQ
        packed += _pack(KMRSP if response else KMREQ, extensions.key_material)
    if extensions.stream_id:
        flags |= HAS_CONFIG
        packed += _pack(STREAM_ID, swap(extensions.stream_id))
    return flags, packed


def _pack(kind: int, content: bytes) -> bytes:
    return _EXTENSION.pack(kind, len(content) // 4) + content


def swap(text: bytes) -> bytes:
    """Text → little-endian words, padded with zeros (the draft, 3.2.1.3)."""
    text += bytes(-len(text) % 4)
    return b"".join(text[at : at + 4][::-1] for at in range(0, len(text), 4))


def unswap(words: bytes) -> bytes:
    """The reverse; `words` is a multiple of four bytes."""
    return b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4)).rstrip(b"\0")


def pack_ip(address: Address) -> bytes:
    """The peer's IP address as the handshake carries it: words of the host's order, IPv4 in the first (UDT's way)."""
    try:
        packed = ipaddress.ip_address(address[0].partition("%")[0]).packed
    except ValueError:
        return bytes(16)
    return swap(packed).ljust(16, b"\0")


def library_text(library: int) -> str:
    """0x010503 → "1.5.3"."""
    return f"{library >> 16 & 0xFF}.{library >> 8 & 0xFF}.{library & 0xFF}"
