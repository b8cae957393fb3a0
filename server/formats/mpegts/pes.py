"""PES packets: the header with the timestamps (the standard, 2.4.3.6), read and written."""

from typing import NamedTuple

START = b"\0\0\x01"
VIDEO_ID, AUDIO_ID, PRIVATE_ID = 0xE0, 0xC0, 0xBD
# stream_ids of packets without the optional header: program map, padding, private 2, ECM, EMM, DSMCC, directory
BARE = frozenset({0xBC, 0xBE, 0xBF, 0xF0, 0xF1, 0xF2, 0xF8, 0xFF})
PTS, DTS = 0x80, 0x40  # in PTS_DTS_flags, where they stand


class PesError(ValueError):
    """No PES packet begins here."""


class Header(NamedTuple):
    pts: int | None  # 33 bits, 90 kHz; None: the packet continues what the one before began
    dts: int | None
    body: int  # where the payload begins
    size: int  # of the whole packet in bytes; 0: until the next one begins


def read(data: bytes) -> Header:
    """The header at the first byte. Raises PesError, also for one that is cut off."""
    if len(data) < 9 or data[:3] != START or data[3] in BARE or data[6] & 0xC0 != 0x80:
        raise PesError("no PES header")
    length, flags, body = int.from_bytes(data[4:6], "big"), data[7], 9 + data[8]
    if len(data) < body or body < 9 + (5 if flags & PTS else 0) + (5 if flags & DTS else 0):
        raise PesError("a PES header is cut off")
    pts = _timestamp(data, 9) if flags & PTS else None
    dts = _timestamp(data, 14) if flags & PTS and flags & DTS else pts
    return Header(pts, dts, body, length + 6 if length else 0)


def _timestamp(data: bytes, at: int) -> int:
    return (
        (data[at] & 14) << 29 | data[at + 1] << 22 | (data[at + 2] & 254) << 14 | data[at + 3] << 7 | data[at + 4] >> 1
    )


def write(stream_id: int, pts: int, dts: int, size: int) -> bytes:
    """The header before `size` bytes of payload; of video the length is left open where it would not fit."""
    if pts == dts:
        stamps, flags = _stamp(2, pts), PTS
    else:
        stamps, flags = _stamp(3, pts) + _stamp(1, dts), PTS | DTS
    length = 3 + len(stamps) + size
    if length > 0xFFFF or stream_id == VIDEO_ID:
        length = 0
    return START + bytes((stream_id, length >> 8, length & 0xFF, 0x84, flags, len(stamps))) + stamps


def _stamp(mark: int, value: int) -> bytes:
    return bytes(
        (
            mark << 4 | value >> 29 & 14 | 1,
            value >> 22 & 0xFF,
            value >> 14 & 0xFE | 1,
            value >> 7 & 0xFF,
            value << 1 & 0xFE | 1,
        )
    )
