"""NAL units between start codes, as MPEG-TS and raw streams carry H.264 and HEVC, and with lengths, as MP4 does.

Sources: ITU-T H.264 and H.265, annex B (byte stream format); ISO/IEC 14496-15 (length prefixes).
"""

from collections.abc import Iterable

START_CODE = b"\0\0\x01"


def nal_units(stream: bytes) -> list[bytes]:
    """The NAL units of a byte stream, header byte first; what precedes the first start code is dropped.

    No NAL unit ends in a zero byte (H.264 7.4.1, H.265 7.4.2), so that zeros before a start code are padding.
    """
    return [unit for piece in stream.split(START_CODE)[1:] if (unit := piece.rstrip(b"\0"))]


def length_prefixed(units: Iterable[bytes]) -> bytes:
    """The access unit of these NAL units, each behind its length in four bytes."""
    pieces: list[bytes] = []
    for unit in units:
        pieces += (len(unit).to_bytes(4, "big"), unit)
    return b"".join(pieces)



def byte_stream(units: Iterable[bytes | memoryview]) -> bytes:
    """NAL units, each behind a start code of four bytes."""
    pieces: list[bytes | memoryview] = []
    for unit in units:
        pieces += (b"\0\0\0\x01", unit)
    return b"".join(pieces)
