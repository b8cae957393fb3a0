"""Fragmented MP4s of strangers as one (ISO/IEC 14496-12): the tracks of their init segments in one moov, and segments
whose track numbers and sequence numbers are those of the whole.

Nothing of the media is looked at. What would be wrong in another file (indexes of places, references between tracks) is
made free space, so every box stays where it was within its segment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import Struct

from server.formats.fmp4.box import Box, BoxError, Buffer, box, find, walk
from server.formats.fmp4.init import UNDETERMINED, packed_language

MAX_TRACKS = 64  # of the whole; a film has a picture and some languages
STALE = frozenset({b"styp", b"sidx", b"ssix", b"prft", b"mfra"})  # of a segment
FREE = b"free"
BASE_DATA_OFFSET = 0x000001  # tfhd: places are told from the beginning of the file (8.8.7)
_U32, _U64 = Struct(">I"), Struct(">Q")

Ids = Mapping[int, int]  # track numbers of a stream -> those of the whole


@dataclass(frozen=True, slots=True)
class JoinedInit:
    data: bytes
    ids: tuple[Ids, ...]  # of each stream, in their order


def joined_init(inits: Sequence[bytes], languages: Sequence[str] = ()) -> JoinedInit:
    """ftyp and moov for all tracks, which are numbered from 1 on. `languages`: of the streams, three letters each, for
    tracks that tell none. Raises BoxError."""
    first = inits[0]
    ftyp, mvhd = _need(first, b"ftyp"), bytearray(_need(first, b"moov", b"mvhd"))
    timescale = _timescale(mvhd)
    traks: list[bytes] = []
    trexs: list[bytes] = []
    ids: list[Ids] = []
    for init, language in zip(inits, [*languages, *[""] * len(inits)], strict=False):
        told: dict[int, int] = {}
        own = _timescale(_need(init, b"moov", b"mvhd"))
        for trak in _children(init, b"moov", kind=b"trak"):
            traks.append(_told(_renumbered_trak(trak, told, len(traks) + 1, timescale, own), language))
        trexs += [_renumbered_trex(trex, told) for trex in _children(init, b"moov", b"mvex", kind=b"trex")]
        ids.append(told)
    if not 0 < len(traks) <= MAX_TRACKS:
        raise BoxError(f"there are {len(traks)} tracks")
    _U32.pack_into(mvhd, len(mvhd) - 4, len(traks) + 1)
    return JoinedInit(ftyp + box(b"moov", mvhd, *traks, box(b"mvex", *trexs)), tuple(ids))


def joined_segment(data: bytes, ids: Ids, sequence: int) -> tuple[bytearray, int]:
    """(the segment as it is in the whole, the sequence number after its last one). Raises BoxError."""
    found = bytearray(data)
    for each in walk(data):
        if each.type in STALE:
            found[each.offset + 4 : each.offset + 8] = FREE
        elif each.type == b"moof":
            _renumber_moof(found, each, ids, sequence)
            sequence += 1
    return found, sequence


def _renumber_moof(found: bytearray, moof: Box, ids: Ids, sequence: int) -> None:
    for each in walk(found, moof.start, moof.end):
        if each.type == b"mfhd":
            _put(found, each, 4, sequence)
        elif each.type == b"traf":
            tfhd = find(found, b"tfhd", start=each.start, end=each.end)
            if tfhd is None:
                raise BoxError("a track fragment without a header")
            if _get(found, tfhd, 0) & BASE_DATA_OFFSET:
                raise BoxError("places are told from the beginning of a file")
            _put(found, tfhd, 4, _number(ids, _get(found, tfhd, 4)))


def _renumbered_trak(trak: bytes, told: dict[int, int], number: int, to: int, of: int) -> bytes:
    """`told` gets its number. Movie times, told by the clock `of`, are told by `to` then (ticks a second)."""
    found = bytearray(trak)
    whole = next(walk(found))
    tkhd = find(found, b"tkhd", start=whole.start, end=whole.end)
    if tkhd is None:
        raise BoxError("a track without a header")
    long = _is_long(found, tkhd)
    at = 20 if long else 12
    own = _get(found, tkhd, at)
    if own in told:
        raise BoxError(f"two tracks have the number {own}")
    told[own] = number
    _put(found, tkhd, at, number)
    if to != of:
        _scale(found, tkhd, at + 8, long, to, of)
    for each in walk(found, whole.start, whole.end):
        if each.type == b"tref":
            found[each.offset + 4 : each.offset + 8] = FREE
        elif each.type == b"edts" and to != of:
            _scale_edits(found, each, to, of)
    return bytes(found)


def _told(trak: bytes, language: str) -> bytes:
    """With the language, where it tells none."""
    whole = next(walk(trak))
    mdhd = find(trak, b"mdia", b"mdhd", start=whole.start, end=whole.end) if language else None
    if mdhd is None:
        return trak
    at = mdhd.start + (32 if _is_long(trak, mdhd) else 20)
    if at + 2 > mdhd.end or int.from_bytes(trak[at : at + 2], "big") not in (0, UNDETERMINED):
        return trak
    return trak[:at] + packed_language(language).to_bytes(2, "big") + trak[at + 2 :]


def _scale_edits(found: bytearray, edts: Box, to: int, of: int) -> None:
    elst = find(found, b"elst", start=edts.start, end=edts.end)
    if elst is None:
        return
    long = _is_long(found, elst)
    for each in range(_get(found, elst, 4)):
        _scale(found, elst, 8 + each * (20 if long else 12), long, to, of)


def _scale(found: bytearray, within: Box, at: int, long: bool, to: int, of: int) -> None:
    number = _U64 if long else _U32
    if of == 0 or within.start + at + number.size > within.end:
        raise BoxError("a duration is not whole")
    (value,) = number.unpack_from(found, within.start + at)
    unknown = (1 << 8 * number.size) - 1
    if value != unknown:
        number.pack_into(found, within.start + at, min(value * to // of, unknown - 1))


def _renumbered_trex(trex: bytes, told: Ids) -> bytes:
    found = bytearray(trex)
    whole = next(walk(found))
    _put(found, whole, 4, _number(told, _get(found, whole, 4)))
    return bytes(found)


def _timescale(mvhd: Buffer) -> int:
    whole = next(walk(mvhd))
    return _get(mvhd, whole, 20 if _is_long(mvhd, whole) else 12)


def _is_long(data: Buffer, within: Box) -> bool:
    """Whether its times have 64 bits: it is of version 1."""
    return bytes(data[within.start : within.start + 1]) == b"\x01"


def _number(ids: Ids, own: int) -> int:
    if own not in ids:
        raise BoxError(f"there is no track {own}")
    return ids[own]


def _get(data: Buffer, within: Box, at: int) -> int:
    """The 32 bits at `at` of the payload."""
    if within.start + at + 4 > within.end:
        raise BoxError(f"a box {within.type!r} is too short")
    return int(_U32.unpack_from(data, within.start + at)[0])


def _put(data: bytearray, within: Box, at: int, value: int) -> None:
    if within.start + at + 4 > within.end:
        raise BoxError(f"a box {within.type!r} is too short")
    _U32.pack_into(data, within.start + at, value)


def _need(data: bytes, *path: bytes) -> bytes:
    """The whole box."""
    found = find(data, *path)
    if found is None:
        raise BoxError(f"there is no {path[-1].decode()}")
    return data[found.offset : found.end]


def _children(data: bytes, *path: bytes, kind: bytes) -> list[bytes]:
    """Whole boxes."""
    outer = find(data, *path)
    if outer is None:
        raise BoxError(f"there is no {path[-1].decode()}")
    return [data[each.offset : each.end] for each in walk(data, outer.start, outer.end) if each.type == kind]
