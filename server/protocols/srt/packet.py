"""Headers of packets, sequence numbers and lists of them (the draft, 3 and Appendix A).

    data      0 sequence:31 | position:2 order:1 key:2 retransmitted:1 message:26 | timestamp:32 | destination:32
    control   1 type:15 subtype:16 | type-specific:32                             | timestamp:32 | destination:32
"""

import struct
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""As asyncio gives it: host and port, for IPv6 also flow and scope."""

HEADER = struct.Struct(">IIII")
HEADER_SIZE = 16
WORD = struct.Struct(">I")

CONTROL = 0x8000_0000
"""A first word from here on is that of a control packet."""

HANDSHAKE, KEEPALIVE, ACK, NAK, CONGESTION, SHUTDOWN, ACKACK, DROP, PEER_ERROR, USER = (*range(9), 0x7FFF)
"""Control types (the draft, Table 1)."""

KEY_REQUEST, KEY_RESPONSE = 3, 4
"""Subtypes of USER (the draft, 3.2.2)."""

SOLO = 0xC000_0000
"""Position flags of a packet that is a whole message: the only ones in live mode (the draft, 7.1)."""
KEY_FLAGS = 0x1800_0000
EVEN, ODD = 0x0800_0000, 0x1000_0000
RETRANSMITTED = 0x0400_0000
MESSAGE_MASK = 0x03FF_FFFF

SEQUENCE_MASK = 0x7FFF_FFFF
TIMESTAMP_MASK = 0xFFFF_FFFF

_HALF = 0x4000_0000
_NO_CONTENT = bytes(4)


def distance(later: int, earlier: int) -> int:
    """How far `later` is ahead on the circle of 2^31 sequence numbers; negative when it is behind."""
    return ((later - earlier + _HALF) & SEQUENCE_MASK) - _HALF


def control(
    kind: int, destination: int, timestamp: int, info: int = 0, content: bytes = b"", subtype: int = 0
) -> bytes:
    """A control packet. `timestamp` is cut to 32 bits.

    Without content it gets a word of zeros: libsrt sends one, and drops packets without (seen with 1.5.7).
    """
    header = HEADER.pack(CONTROL | kind << 16 | subtype, info, timestamp & TIMESTAMP_MASK, destination)
    return header + (content or _NO_CONTENT)


def pack_ranges(ranges: Iterable[tuple[int, int]]) -> bytes:
    """First and last, inclusive, of each range of lost packets (Appendix A)."""
    return b"".join(
        WORD.pack(first) if first == last else WORD.pack(CONTROL | first) + WORD.pack(last) for first, last in ranges
    )


def read_ranges(datagram: bytes) -> list[tuple[int, int]]:
    """The ranges of a loss report, first and last inclusive; what contradicts itself is left out."""
    count = (len(datagram) - HEADER_SIZE) // 4
    words = struct.unpack_from(f">{count}I", datagram, HEADER_SIZE)
    ranges, at = [], 0
    while at < count:
        first = last = words[at]
        if first >= CONTROL:
            at += 1
            if at == count or words[at] >= CONTROL:
                break
            first, last = first & SEQUENCE_MASK, words[at]
        if distance(last, first) >= 0:
            ranges.append((first, last))
        at += 1
    return ranges


def join_ranges(sequences: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending sequence numbers → ranges, first and last inclusive."""
    ranges: list[tuple[int, int]] = []
    first = last = -1
    for sequence in sequences:
        if first >= 0 and sequence == last + 1 & SEQUENCE_MASK:
            last = sequence
            continue
        if first >= 0:
            ranges.append((first, last))
        first = last = sequence
    if first >= 0:
        ranges.append((first, last))
    return ranges
