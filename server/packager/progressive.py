"""A progressive MP4 of renditions as they are: a head with every sample's place, then the segments' own payload.

    ftyp moov mdat[ chunk of pictures, chunk of sound, chunk of pictures, … ]        a chunk is what one moof tells of

Nothing is coded or stored again: of a film only the head is kept (20 MB for ten hours), the bytes behind it are read
where they lie. A segment's pictures and the sound of the same time follow one another.

    Collector.add(number, offset, moof)…  →  movie(…)  →  Movie.slices(start, stop): which bytes of which segments
"""

import json
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from struct import Struct
from typing import Any, NamedTuple, Self
from zlib import crc32

from server.formats.fmp4 import moov
from server.formats.fmp4.fragment import read_fragment
from server.formats.fmp4.moov import TrackTable
from server.formats.fmp4.samples import MAX_DELTA, MAX_SAMPLES

MAGIC = b"SLMV"
VERSION = 1  # raise it when the head of the same segments becomes another: it is part of ETags
_PREFIX = Struct("<4sHxxIII")  # magic, version, bytes of the description, bytes of the head, crc32 of the description
_COLUMNS = {"track": "B", "number": "I", "offset": "Q", "size": "Q"}


class ProgressiveError(ValueError):
    """The segments make no progressive file; a sentence why."""


class DamagedError(ValueError):
    """The saved form is cut short, altered, or of another version."""


class Slice(NamedTuple):
    """Bytes offset..offset+size-1 of a segment."""

    rendition: str
    number: int
    offset: int
    size: int


class Collector:
    """The samples of one rendition, from its moofs in their order."""

    def __init__(self, rendition: str, init: bytes) -> None:
        self.rendition = rendition
        self.numbers = array("I")
        self.offsets = array("Q")
        self.starts = array("q")  # ticks
        self._init = init
        self._durations, self._sizes, self._cts = array("I"), array("I"), array("i")
        self._sync: array[int] | None = None
        self._chunk_samples, self._chunk_sizes = array("I"), array("I")
        self._end = 0

    def add(self, number: int, offset: int, head: bytes, shift: int = 0) -> None:
        """The moof that `head` begins with, which lies at `offset` of segment `number` and is to be shown `shift` ticks
        later than it says. Raises ProgressiveError, BoxError."""
        found = read_fragment(head)
        base = found.base + shift
        count = len(found.sizes)
        before = len(self._sizes)
        if before + count > MAX_SAMPLES:
            raise ProgressiveError(f"more than {MAX_SAMPLES:,} samples in a track")
        if not count:
            return
        if before:
            self._follow(base)
        self.numbers.append(number)
        self.offsets.append(offset + found.payload)
        self.starts.append(base)
        self._durations += found.durations
        self._sizes += found.sizes
        self._add_offsets(found.cts, before, count)
        self._add_keys(found.keys, before, count)
        self._chunk_samples.append(count)
        self._chunk_sizes.append(sum(found.sizes))
        self._end = base + sum(found.durations)

    def _add_offsets(self, cts: "array[int]", before: int, count: int) -> None:
        """Nothing is kept as long as all are 0: sound has none."""
        if cts and not self._cts:
            self._cts = array("i", bytes(4 * before))
        if cts or self._cts:
            self._cts += cts or array("i", bytes(4 * count))

    def _add_keys(self, keys: tuple[int, ...] | None, before: int, count: int) -> None:
        """The same, as long as all are sync samples."""
        if keys is not None and self._sync is None:
            self._sync = array("I", range(before))
        if self._sync is not None:
            self._sync.extend(before + key for key in (range(count) if keys is None else keys))

    def _follow(self, base: int) -> None:
        """The last sample lasts until the next begins, as players of segments have it."""
        last = self._durations[-1] + base - self._end
        if not 0 <= last < MAX_DELTA:
            raise ProgressiveError("its segments overlap, or are days apart")
        self._durations[-1] = last

    @property
    def table(self) -> TrackTable:
        return TrackTable(
            self._init,
            self.starts[0] if self.starts else 0,
            self._durations,
            self._sizes,
            self._cts,
            self._sync,
            self._chunk_samples,
            self._chunk_sizes,
        )


@dataclass(frozen=True, slots=True)
class Movie:
    """Where the bytes of a file lie; the head itself is kept apart."""

    renditions: tuple[str, ...]
    head_size: int
    track: "array[int]"  # the four columns of its chunks, in their order: which of the renditions
    number: "array[int]"  # the segment
    offset: "array[int]"  # in the segment
    ends: "array[int]"  # of each chunk, from the end of the head

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self.head_size + (self.ends[-1] if self.ends else 0)

    def slices(self, start: int, stop: int) -> Iterator[Slice]:
        """Where the file's bytes start..stop-1 are, all of them behind the head."""
        at, stop = start - self.head_size, min(stop, self.size) - self.head_size
        chunk = bisect_right(self.ends, at)
        while at < stop:
            end = self.ends[chunk]
            begin = self.ends[chunk - 1] if chunk else 0
            rendition = self.renditions[self.track[chunk]]
            size = min(end, stop) - at
            yield Slice(rendition, self.number[chunk], self.offset[chunk] + at - begin, size)
            at += size
            chunk += 1

    def described(self) -> bytes:
        """The saved form: what `of_bytes` reads. The head is kept behind it."""
        sizes = [end - begin for begin, end in zip([0, *self.ends], self.ends, strict=False)]
        columns = (self.track, self.number, self.offset, array("Q", sizes))
        told = json.dumps({"renditions": self.renditions, "chunks": len(self.ends)}).encode()
        body = len(told).to_bytes(4, "little") + told + b"".join(map(_little_endian, columns))
        return _PREFIX.pack(MAGIC, VERSION, len(body), self.head_size, crc32(body)) + body

    @classmethod
    def of_bytes(cls, data: bytes) -> Self:
        """Of the first `described_size` bytes of the saved form. Raises DamagedError."""
        body_size, head_size, checksum = _prefix(data)
        body = data[_PREFIX.size : _PREFIX.size + body_size]
        if len(body) != body_size or crc32(body) != checksum:
            raise DamagedError("the saved head of a film is damaged")
        at = 4 + int.from_bytes(body[:4], "little")
        told: dict[str, Any] = json.loads(body[4:at])
        columns: list[array[int]] = []
        for typecode in _COLUMNS.values():
            size = array(typecode).itemsize * told["chunks"]
            columns.append(_of_little_endian(typecode, body[at : at + size]))
            at += size
        track, number, offset, sizes = columns
        return cls(tuple(told["renditions"]), head_size, track, number, offset, array("Q", accumulate(sizes)))


def described_size(start: bytes) -> int:
    """Bytes before the head, from the first PREFIX_BYTES of the saved form. Raises DamagedError."""
    return _PREFIX.size + _prefix(start)[0]


PREFIX_BYTES = _PREFIX.size


def _prefix(data: bytes) -> tuple[int, int, int]:
    """Bytes of the body and of the head, and the body's checksum."""
    if len(data) < _PREFIX.size:
        raise DamagedError("the saved head of a film is cut short")
    magic, version, body_size, head_size, checksum = _PREFIX.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise DamagedError(f"the saved head of a film is not of version {VERSION}")
    return body_size, head_size, checksum


def movie(tracks: Sequence[Collector]) -> tuple[Movie, bytes]:
    """The file of these tracks, and its head. Raises ProgressiveError, BoxError."""
    tables = _from_zero([track.table for track in tracks])
    if not tables or not all(table.sizes for table in tables):
        raise ProgressiveError("there is nothing in it")
    order = _interleaved(tracks, tables)
    seen = [0] * len(tracks)
    chosen, number, offset, sizes = array("B"), array("I"), array("Q"), array("Q")
    for track in order:
        at, seen[track] = seen[track], seen[track] + 1
        chosen.append(track)
        number.append(tracks[track].numbers[at])
        offset.append(tracks[track].offsets[at])
        sizes.append(tables[track].chunk_sizes[at])
    made = moov.head(tables, chosen)
    names = tuple(track.rendition for track in tracks)
    return Movie(names, len(made), chosen, number, offset, array("Q", accumulate(sizes))), made


def _from_zero(tables: Sequence[TrackTable]) -> list[TrackTable]:
    """All later by what the earliest begins before 0: the sound of a part that begins in the midst of a broadcast."""
    early = max((Fraction(-table.begin, table.timescale) for table in tables), default=Fraction(0))
    return [replace(table, begin=table.begin + round(max(early, Fraction(0)) * table.timescale)) for table in tables]


def _interleaved(tracks: Sequence[Collector], tables: Sequence[TrackTable]) -> Sequence[int]:
    """The track of each chunk, by the time that it begins."""
    begins = [
        (start / table.timescale, number)
        for number, (track, table) in enumerate(zip(tracks, tables, strict=True))
        for start in track.starts
    ]
    return array("B", [number for _, number in sorted(begins, key=lambda each: each[0])])


def _little_endian(values: "array[int]") -> bytes:
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def _of_little_endian(typecode: str, data: bytes) -> "array[int]":
    values = array(typecode)
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values
