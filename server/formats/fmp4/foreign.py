"""Reading ISO base media boxes out of bytes that a stranger wrote (ISO/IEC 14496-12, 4.2).

Every read is checked against the bytes that are there; whatever is wrong comes out as Mp4Error.
"""

import sys
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct

# Ten hours of film need about 30 MB of moov; a larger one is a bomb or a mistake.
MAX_MOOV = 128 * 1024 * 1024
# Boxes side by side. Files have tens; a hundred tracks is more than any editor exports.
MAX_SIBLINGS = 4096

Read = Callable[[int, int], bytes]  # (offset, size) -> up to size bytes, fewer only at the end of the file

_U16 = Struct(">H")
_U32 = Struct(">I")
_U64 = Struct(">Q")
_HEADER = Struct(">I4s")


class Mp4Error(ValueError):
    """The file contradicts itself or ends too early; `reason` is a sentence for its owner."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ForeignBox:
    """One box: its four-character kind and its payload (after the size and the kind)."""

    kind: bytes
    data: memoryview

    @property
    def name(self) -> str:
        return self.kind.decode("latin-1")

    def part(self, at: int, size: int) -> memoryview:
        """`size` payload bytes from `at`."""
        if at < 0 or size < 0 or at + size > len(self.data):
            raise Mp4Error(f"the {self.name} box is too short")
        return self.data[at : at + size]

    def u8(self, at: int) -> int:
        return self.part(at, 1)[0]

    def u16(self, at: int) -> int:
        return int(_U16.unpack(self.part(at, 2))[0])

    def u32(self, at: int) -> int:
        return int(_U32.unpack(self.part(at, 4))[0])

    def i32(self, at: int) -> int:
        value = self.u32(at)
        return value - (1 << 32) if value >> 31 else value

    def u64(self, at: int) -> int:
        return int(_U64.unpack(self.part(at, 8))[0])

    def i64(self, at: int) -> int:
        value = self.u64(at)
        return value - (1 << 64) if value >> 63 else value

    def numbers(self, at: int, count: int, typecode: str = "I") -> "array[int]":
        """`count` big-endian integers of array `typecode`, which must all be there."""
        out = array(typecode)
        out.frombytes(self.part(at, count * out.itemsize))
        if sys.byteorder == "little":
            out.byteswap()
        return out

    def children(self, at: int = 0) -> Iterator["ForeignBox"]:
        """The boxes inside, from payload offset `at`; trailing bytes too few for a box are ignored."""
        data, end = self.data, len(self.data)
        for _ in range(MAX_SIBLINGS):
            if at + 8 > end:
                return
            size, kind = _HEADER.unpack_from(data, at)
            head = 8
            if size == 1:
                size, head = self.u64(at + 8), 16
            elif size == 0:
                # 4.2: "box extends to end of file"; QuickTime also ends lists with four zero bytes.
                size = end - at
            if size < head or at + size > end:
                raise Mp4Error(f"a box inside {self.name} claims more bytes than there are")
            yield ForeignBox(kind, data[at + head : at + size])
            at += size
        raise Mp4Error(f"the {self.name} box holds more than {MAX_SIBLINGS} boxes")

    def find(self, *path: bytes) -> "ForeignBox | None":
        """The first box down `path`, or None."""
        box: ForeignBox | None = self
        for kind in path:
            box = next((child for child in box.children() if child.kind == kind), None) if box else None
        return box

    def need(self, *path: bytes) -> "ForeignBox":
        """As find, but the box must be there."""
        box = self.find(*path)
        if box is None:
            raise Mp4Error(f"the {path[-1].decode('latin-1')} box is missing")
        return box


@dataclass(frozen=True, slots=True)
class Place:
    """Where a top-level box's payload lies in the file, bytes."""

    offset: int
    size: int


def find_moov(read: Read, size: int) -> Place:
    """Walk the top-level boxes of a file of `size` bytes to its moov; reads 16 bytes a box."""
    at = 0
    for _ in range(MAX_SIBLINGS):
        if at + 8 > size:
            raise Mp4Error("the file has no index (moov box): it is cut short or still being written")
        kind, head, length = _top_level(read(at, 16), size - at)
        if kind == b"moov":
            return _checked_moov(Place(at + head, length - head), size)
        at += length
    raise Mp4Error(f"the file has more than {MAX_SIBLINGS} boxes before its index (moov box)")


def _top_level(header: bytes, left: int) -> tuple[bytes, int, int]:
    """(kind, header length, whole length) of the box that starts with `header`, `left` bytes from the end."""
    if len(header) < 8:
        raise Mp4Error("the file ended while it was being read")
    length, kind = _HEADER.unpack_from(header)
    if length == 1 and len(header) >= 16:
        return kind, 16, max(16, int(_U64.unpack_from(header, 8)[0]))
    if length == 0:
        return kind, 8, left
    if length < 8:
        raise Mp4Error("the file is damaged: a box is shorter than its own header")
    return kind, 8, length


def _checked_moov(place: Place, size: int) -> Place:
    if place.size > MAX_MOOV:
        raise Mp4Error(f"the index (moov box) is larger than {MAX_MOOV} bytes")
    if place.offset + place.size > size:
        raise Mp4Error("the file is cut short inside its index (moov box)")
    return place


def read_moov(read: Read, size: int) -> bytes:
    """The moov payload of a file of `size` bytes."""
    place = find_moov(read, size)
    moov = read(place.offset, place.size)
    if len(moov) != place.size:
        raise Mp4Error("the file ended while it was being read")
    return moov
