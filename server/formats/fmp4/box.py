"""The box, ISO base media's one building block (ISO/IEC 14496-12 4.2), written and walked."""

from collections.abc import Iterator
from struct import Struct, pack
from typing import NamedTuple

HEADER = Struct(">I4s")
LARGE_SIZE = Struct(">Q")

Buffer = bytes | bytearray | memoryview


class BoxError(ValueError):
    """The bytes are not a row of whole boxes."""


class Box(NamedTuple):
    """Where a box lies: it begins at `offset`, its payload is `start:end`."""

    type: bytes
    offset: int
    start: int
    end: int


def box(kind: bytes, *parts: Buffer) -> bytes:
    body = b"".join(parts)
    return HEADER.pack(8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *parts: Buffer) -> bytes:
    return box(kind, pack(">I", version << 24 | flags), *parts)


def visual_sample_entry(kind: bytes, width: int, height: int, *children: bytes) -> bytes:
    """A stsd entry for pictures (12.1.3); `children` begin with the codec's configuration."""
    fields = pack(">6xH16xHHIIIH32sHh", 1, width, height, 0x480000, 0x480000, 0, 1, b"", 24, -1)
    return box(kind, fields, *children)


def audio_sample_entry(kind: bytes, channels: int, rate: int, *children: bytes, bits: int = 16) -> bytes:
    """A stsd entry for sound (12.2.3); a rate beyond 16 bits is 0, and the codec's own header rules."""
    fields = pack(">6xH8xHHHHI", 1, channels, bits, 0, 0, (rate if rate < 1 << 16 else 0) << 16)
    return box(kind, fields, *children)


def walk(data: Buffer, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes side by side in `data[start:end]`. Raises BoxError at one that does not fit there."""
    end = len(data) if end is None else end
    while start < end:
        found = box_at(data, start, end)
        if found is None:
            raise BoxError(f"box at {start} does not fit the {end - start} bytes left")
        yield found
        start = found.end


def box_at(data: Buffer, offset: int, end: int) -> Box | None:
    """The box at `offset`, or None where `data[offset:end]` does not hold the whole of it."""
    if end - offset < 8:
        return None
    size, kind = HEADER.unpack_from(data, offset)
    start = offset + 8
    if size == 1:
        if end - offset < 16:
            return None
        (size,) = LARGE_SIZE.unpack_from(data, start)
        start += 8
    elif size == 0:  # "box extends to end of file"
        size = end - offset
    if size < start - offset or size > end - offset:
        return None
    return Box(kind, offset, start, offset + size)


def find(data: Buffer, *path: bytes, start: int = 0, end: int | None = None) -> Box | None:
    """The first box along `path`, such as `b"moov", b"trak"`, or None. Raises BoxError."""
    found: Box | None = None
    for kind in path:
        found = next((child for child in walk(data, start, end) if child.type == kind), None)
        if found is None:
            return None
        start, end = found.start, found.end
    return found
