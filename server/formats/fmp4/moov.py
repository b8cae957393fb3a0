"""The head of a progressive file, for fast start: ftyp, a moov with every sample, the header of the one mdat.

    ftyp
    moov
      mvhd
      trak…  tkhd  edts { elst }  mdia { mdhd  hdlr  minf { vmhd|smhd  dinf  stbl } }
                                               stbl { stsd  stts  ctts  stss  stsc  stsz  stco|co64 }
    mdat     8 or 16 bytes of header, then the chunks in the order that they were given in

What does not change with the samples is taken from the tracks' init segments, as `init` wrote them.
Source: ISO/IEC 14496-12, chapter 8.
"""

import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from struct import pack, unpack_from

from server.formats.fmp4.box import Box, BoxError, box, find, full_box
from server.formats.fmp4.index import MAX_REORDER

# Of the movie's own headers; an mdat or an offset that needs more gets 64 bits.
LIMIT_32 = 1 << 32
SOUND_BRANDS, PICTURE_BRANDS = (b"M4A ", b"mp42", b"isom"), (b"isom", b"iso2", b"mp41", b"mp42")
NORMAL_RATE = 0x10000
UPRIGHT = pack(">9I", NORMAL_RATE, 0, 0, 0, NORMAL_RATE, 0, 0, 0, 1 << 30)
EMPTY_EDIT = -1


@dataclass(frozen=True, slots=True)
class TrackTable:
    """Every sample of a track, and the chunks that they come in; ticks of the track."""

    init: bytes
    begin: int  # decode time of the first sample
    durations: "array[int]"
    sizes: "array[int]"
    cts: "array[int]"  # empty where all are 0
    sync: "array[int] | None"  # which are sync samples, from 0; None: all
    chunk_samples: "array[int]"  # how many there are in each chunk
    chunk_sizes: "array[int]"  # bytes

    @property
    def timescale(self) -> int:
        """Ticks a second. Raises BoxError."""
        mdhd = _part(self.init, b"mdia", b"mdhd")
        return int(unpack_from(">I", self.init, mdhd.start + 12)[0])

    @property
    def kind(self) -> bytes:
        """The handler: vide, soun."""
        hdlr = _part(self.init, b"mdia", b"hdlr")
        return self.init[hdlr.start + 8 : hdlr.start + 12]

    @property
    def lead(self) -> int:
        """What is added to all composition offsets, so that none is negative: old players read them as unsigned."""
        return max(0, -min(self.cts, default=0))

    @property
    def shown(self) -> int:
        """From the beginning of the track to the end of the last picture."""
        total = end = sum(self.durations)
        for offset, duration in zip(reversed(self.cts[-MAX_REORDER:]), reversed(self.durations), strict=False):
            end = max(end, total + offset)
            total -= duration
        return end


def head(tracks: Sequence[TrackTable], chunks: Sequence[int]) -> bytes:
    """All before the payload of the mdat; `chunks` names the track of each chunk in the file's order. Raises BoxError.

    A track's chunks come in its own order.
    """
    payload = sum(sum(track.chunk_sizes) for track in tracks)
    kinds = {track.kind for track in tracks}
    brands = PICTURE_BRANDS if b"vide" in kinds else SOUND_BRANDS
    ftyp = box(b"ftyp", brands[0], bytes(4), *brands)
    mdat = pack(">I4sQ", 1, b"mdat", 16 + payload) if 8 + payload >= LIMIT_32 else pack(">I4s", 8 + payload, b"mdat")
    # As long as the tracks are, as if the payload began at 0: 64 bits wherever the end may be beyond 32.
    tables = [_tables(track) for track in tracks]
    wide = payload + sum(map(len, tables)) + 16 * len(chunks) + (1 << 20) >= LIMIT_32
    starts = _starts(tracks, chunks)
    # Without the tables, which are large: a box is as much longer as what is put into it.
    bare = _moov(tracks, [b"" for _ in tables], starts, 0, wide)
    size = len(ftyp) + len(bare) + sum(map(len, tables)) + len(mdat)
    return b"".join((ftyp, _moov(tracks, tables, starts, size, wide), mdat))


def _starts(tracks: Sequence[TrackTable], chunks: Sequence[int]) -> list["array[int]"]:
    """Where each track's chunks begin in the payload."""
    starts = [array("Q") for _ in tracks]
    sizes = [iter(track.chunk_sizes) for track in tracks]
    at = 0
    for track in chunks:
        starts[track].append(at)
        at += next(sizes[track])
    return starts


def _moov(
    tracks: Sequence[TrackTable], tables: Sequence[bytes], starts: Sequence["array[int]"], size: int, wide: bool
) -> bytes:
    # The sound's clock is the finer one: what a track waits for is told in these ticks.
    timescale = max(track.timescale for track in tracks)
    durations = [_movie_ticks(track.begin + track.shown, track, timescale) for track in tracks]
    traks = [
        _trak(track, number, timescale, duration, table + _offsets(begins, size, wide))
        for number, (track, duration, table, begins) in enumerate(
            zip(tracks, durations, tables, starts, strict=True), 1
        )
    ]
    return box(b"moov", _mvhd(timescale, max(durations), len(tracks) + 1), *traks)


def _movie_ticks(ticks: int, track: TrackTable, timescale: int) -> int:
    """Rounded up: an edit that ends too early would hide the last sample."""
    return -(-ticks * timescale // track.timescale)


def _mvhd(timescale: int, duration: int, next_track: int) -> bytes:
    times = _times(duration, pack(">I", timescale))
    fields = pack(">IH10x", NORMAL_RATE, 0x100)
    return full_box(b"mvhd", _version(duration), 0, times, fields, UPRIGHT, bytes(24), pack(">I", next_track))


def _version(duration: int) -> int:
    return int(duration >= LIMIT_32)


def _times(duration: int, between: bytes) -> bytes:
    """Creation and modification, which are not told, what the box has `between`, and the duration."""
    wide = _version(duration)
    return bytes(16 if wide else 8) + between + pack(">Q" if wide else ">I", duration)


def _trak(track: TrackTable, number: int, timescale: int, duration: int, stbl: bytes) -> bytes:
    return box(
        b"trak",
        _tkhd(track.init, number, duration),
        _edts(track, timescale),
        box(b"mdia", _mdhd(track), _whole(track.init, b"mdia", b"hdlr"), _minf(track.init, stbl)),
    )


def _tkhd(init: bytes, number: int, duration: int) -> bytes:
    """As in the init segment, where it is of version 0, but for number and duration."""
    told = _part(init, b"tkhd")
    flags = int.from_bytes(init[told.start + 1 : told.start + 4], "big")
    times = _times(duration, pack(">I4x", number))
    return full_box(b"tkhd", _version(duration), flags, times, init[told.start + 24 : told.end])


def _mdhd(track: TrackTable) -> bytes:
    told = _part(track.init, b"mdia", b"mdhd")
    duration = sum(track.durations)
    times = _times(duration, pack(">I", track.timescale))
    return full_box(b"mdhd", _version(duration), 0, times, track.init[told.start + 20 : told.end])


def _edts(track: TrackTable, timescale: int) -> bytes:
    """Nothing until the track begins, then its samples without the lead: shown when the segments are shown."""
    if not (track.begin or track.lead):
        return b""
    edits = [(_movie_ticks(track.shown, track, timescale), track.lead)]
    if delay := round(track.begin * timescale / track.timescale):
        edits.insert(0, (delay, EMPTY_EDIT))
    wide = any(length >= LIMIT_32 for length, _ in edits)
    rows = b"".join(pack(">QqI" if wide else ">IiI", length, start, NORMAL_RATE) for length, start in edits)
    return box(b"edts", full_box(b"elst", int(wide), 0, pack(">I", len(edits)), rows))


def _minf(init: bytes, stbl: bytes) -> bytes:
    kind = b"vmhd" if find(init, b"moov", b"trak", b"mdia", b"minf", b"vmhd") else b"smhd"
    header, dinf = (_whole(init, b"mdia", b"minf", name) for name in (kind, b"dinf"))
    return box(b"minf", header, dinf, box(b"stbl", stbl))


def _tables(track: TrackTable) -> bytes:
    """All that the stbl holds before the offsets of the chunks."""
    lead = track.lead
    parts = [_whole(track.init, b"mdia", b"minf", b"stbl", b"stsd"), _runs(b"stts", track.durations)]
    if track.cts:
        parts.append(_runs(b"ctts", map(lead.__add__, track.cts)))
    if track.sync is not None:
        parts.append(_column(b"stss", array("I", map((1).__add__, track.sync))))
    sizes = full_box(b"stsz", 0, 0, pack(">II", 0, len(track.sizes)), _big_endian(track.sizes))
    return b"".join([*parts, _chunk_runs(track.chunk_samples), sizes])


def _runs(kind: bytes, values: Iterable[int]) -> bytes:
    """Run-length coded: stts, ctts (8.6.1)."""
    rows = array("I")
    for value, group in groupby(values):
        rows.extend((sum(1 for _ in group), value))
    return full_box(kind, 0, 0, pack(">I", len(rows) // 2), _big_endian(rows))


def _column(kind: bytes, values: "array[int]") -> bytes:
    return full_box(kind, 0, 0, pack(">I", len(values)), _big_endian(values))


def _chunk_runs(samples: "array[int]") -> bytes:
    """stsc (8.7.4): the first chunk of each run of chunks of equally many samples."""
    rows = array("I")
    lengths = [(count, sum(1 for _ in group)) for count, group in groupby(samples)]
    firsts = accumulate((length for _, length in lengths), initial=1)
    for (count, _), first in zip(lengths, firsts, strict=False):
        rows.extend((first, count, 1))
    return full_box(b"stsc", 0, 0, pack(">I", len(lengths)), _big_endian(rows))


def _offsets(starts: "array[int]", before: int, wide: bool) -> bytes:
    return _column(b"co64" if wide else b"stco", array("Q" if wide else "I", map(before.__add__, starts)))


def _big_endian(values: "array[int]") -> bytes:
    if sys.byteorder == "little":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def _part(init: bytes, *path: bytes) -> Box:
    """A box of the track in an init segment. Raises BoxError."""
    found = find(init, b"moov", b"trak", *path)
    if found is None:
        raise BoxError(f"an init segment without {path[-1]!r}")
    return found


def _whole(init: bytes, *path: bytes) -> bytes:
    found = _part(init, *path)
    return init[found.offset : found.end]
