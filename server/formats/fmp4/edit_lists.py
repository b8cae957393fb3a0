"""The edit lists of an MP4 file, made shorter (ISO/IEC 14496-12 8.6.6)."""

from collections.abc import Callable
from struct import Struct

from server.formats.fmp4.box import Box, BoxError, walk

MAX_MOOV_BYTES = 256 << 20
EMPTY = -1  # media_time of an edit that shows nothing
_HEADER = Struct(">I4s")
_ENTRY = {0: Struct(">Ii"), 1: Struct(">Qq")}
RATE_BYTES = 4

Read = Callable[[int, int], bytes]  # (offset, size)


def end_at(read: Read, size: int, ticks: int) -> tuple[int, bytes]:
    """Where the moov of a file of `size` bytes lies, and what is to be there for no track to be shown after `ticks` of
    the movie's clock. Raises BoxError."""
    at = 0
    while at + 8 <= size:
        length, kind = _HEADER.unpack(read(at, 8))
        if length == 1:
            length = int.from_bytes(read(at + 8, 8), "big")
        if length < 8 or at + length > size:
            break
        if kind == b"moov":
            if length > MAX_MOOV_BYTES:
                raise BoxError("the moov is too large")
            return at, bytes(shortened(read(at, length), ticks))
        at += length
    raise BoxError("there is no moov")


def shortened(moov: bytes, ticks: int) -> bytearray:
    """The same moov with the edits of every track cut off at `ticks`."""
    found = bytearray(moov)
    for outer in walk(moov):
        for trak in walk(moov, outer.start, outer.end):
            if trak.type != b"trak":
                continue
            for edts in walk(moov, trak.start, trak.end):
                if edts.type == b"edts":
                    for elst in walk(moov, edts.start, edts.end):
                        _shorten(found, elst, ticks)
    return found


def _shorten(moov: bytearray, elst: Box, ticks: int) -> None:
    entry = _ENTRY.get(moov[elst.start])
    if elst.type != b"elst" or entry is None:
        return
    count = int.from_bytes(moov[elst.start + 4 : elst.start + 8], "big")
    at = elst.start + 8
    for _ in range(count):
        if at + entry.size + RATE_BYTES > elst.end:
            raise BoxError("an edit list is longer than its box")
        duration, media_time = entry.unpack_from(moov, at)
        entry.pack_into(moov, at, min(duration, ticks), media_time)
        ticks = max(0, ticks - duration)
        at += entry.size + RATE_BYTES
