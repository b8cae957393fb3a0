"""Reading back the parts that `part` wrote, also from a file that a crash cut short."""

from collections.abc import Iterator
from struct import error as StructError  # noqa: N812 - the class is named in lower case
from struct import unpack_from
from typing import NamedTuple

from server.formats.fmp4.box import Box, BoxError, Buffer, box_at, find
from server.formats.fmp4.part import (
    TRUN_CTS,
    TRUN_DURATION,
    TRUN_FIRST_FLAGS,
    TRUN_FLAGS,
    TRUN_OFFSET,
    TRUN_SIZE,
)
from server.formats.sample import Sample

NON_SYNC_BIT = 0x00010000  # sample_is_non_sync_sample (ISO/IEC 14496-12 8.8.3.1)
TFHD_FIELDS = ((0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4), (0x20, 4))  # flag and size, in the order they follow


class PartInfo(NamedTuple):
    """A moof + mdat pair within the data it was read from; times in the track's ticks."""

    offset: int  # of the moof
    size: int  # of both boxes
    sequence: int
    base: int  # decode time of the first sample
    duration: int
    samples: int
    independent: bool  # begins with a sync sample


class _Row(NamedTuple):
    duration: int
    size: int
    flags: int
    cts: int


class _Fragment(NamedTuple):
    sequence: int
    base: int
    payload: int  # offset of the first sample, from the moof
    rows: list[_Row]


def read_parts(data: Buffer) -> list[PartInfo]:
    """The whole parts at the beginning of `data`; stops at one that is incomplete or not ours."""
    return [info for info, _ in _parts(data)]


def read_samples(data: Buffer) -> list[Sample]:
    """Every sample of the whole parts at the beginning of `data`, its bytes copied out."""
    view = memoryview(data)
    samples = []
    for info, fragment in _parts(data):
        dts, position = info.base, info.offset + fragment.payload
        for row in fragment.rows:
            body = bytes(view[position : position + row.size])
            samples.append(Sample(dts, row.cts, not row.flags & NON_SYNC_BIT, body))
            dts += row.duration
            position += row.size
    return samples


def _parts(data: Buffer) -> Iterator[tuple[PartInfo, _Fragment]]:
    offset, end = 0, len(data)
    while moof := box_at(data, offset, end):
        mdat = box_at(data, moof.end, end)
        if moof.type != b"moof" or mdat is None or mdat.type != b"mdat":
            return
        try:
            fragment = _read_moof(data, moof)
        except (BoxError, StructError):
            return
        first = offset + fragment.payload
        last = first + sum(row.size for row in fragment.rows)
        if not fragment.rows or first < mdat.start or last > mdat.end:
            return
        yield _info(offset, mdat.end - offset, fragment), fragment
        offset = mdat.end


def _info(offset: int, size: int, fragment: _Fragment) -> PartInfo:
    rows = fragment.rows
    return PartInfo(
        offset=offset,
        size=size,
        sequence=fragment.sequence,
        base=fragment.base,
        duration=sum(row.duration for row in rows),
        samples=len(rows),
        independent=not rows[0].flags & NON_SYNC_BIT,
    )


def _read_moof(data: Buffer, moof: Box) -> _Fragment:
    """Raises BoxError or struct.error where the moof is not one of ours."""
    mfhd = _child(data, moof, b"mfhd")
    traf = _child(data, moof, b"traf")
    tfdt = _child(data, traf, b"tfdt")
    (sequence,) = unpack_from(">I", data, mfhd.start + 4)
    (base,) = unpack_from(">Q" if data[tfdt.start] == 1 else ">I", data, tfdt.start + 4)
    defaults = _Row(*read_defaults(data, _child(data, traf, b"tfhd")), 0)
    payload, rows = _read_trun(data, _child(data, traf, b"trun"), defaults)
    return _Fragment(sequence, base, payload, rows)


def _child(data: Buffer, parent: Box, kind: bytes) -> Box:
    found = find(data, kind, start=parent.start, end=parent.end)
    if found is None:
        raise BoxError(f"{parent.type!r} without {kind!r}")
    return found


def read_defaults(data: Buffer, tfhd: Box) -> tuple[int, int, int]:
    """Duration, size and flags of the fragment's samples that have none of their own. Raises struct.error."""
    (present,) = unpack_from(">I", data, tfhd.start)
    position = tfhd.start + 8
    values = {}
    for flag, size in TFHD_FIELDS:
        if present & flag:
            (values[flag],) = unpack_from(">Q" if size == 8 else ">I", data, position)
            position += size
    return values.get(0x8, 0), values.get(0x10, 0), values.get(0x20, 0)


class TrunHead(NamedTuple):
    payload: int  # bytes from the beginning of the moof to the first sample
    first_flags: int | None  # of the first sample, in place of the column's
    columns: list[int]  # TRUN_ flags of what each row of the table holds, in its order
    rows: int
    position: int  # of the table in the data


def read_trun_head(data: Buffer, trun: Box) -> TrunHead:
    """What a trun says before its table, which is all there. Raises BoxError, struct.error."""
    present, count = unpack_from(">II", data, trun.start)
    position = trun.start + 8
    payload, first_flags = 0, None
    if present & TRUN_OFFSET:
        (payload,) = unpack_from(">i", data, position)
        position += 4
    if present & TRUN_FIRST_FLAGS:
        (first_flags,) = unpack_from(">I", data, position)
        position += 4
    columns = [flag for flag in (TRUN_DURATION, TRUN_SIZE, TRUN_FLAGS, TRUN_CTS) if present & flag]
    if position + 4 * len(columns) * count > trun.end or (not columns and count):
        raise BoxError("trun holds fewer samples than it says")
    return TrunHead(payload, first_flags, columns, count, position)


def _read_trun(data: Buffer, trun: Box, defaults: _Row) -> tuple[int, list[_Row]]:
    """Offset of the first sample's bytes from the moof, and the samples."""
    payload, first_flags, columns, count, position = read_trun_head(data, trun)
    values = unpack_from(f">{len(columns) * count}I", data, position)
    table = {flag: values[index :: len(columns)] for index, flag in enumerate(columns)}
    durations = table.get(TRUN_DURATION, (defaults.duration,) * count)
    sizes = table.get(TRUN_SIZE, (defaults.size,) * count)
    flags = list(table.get(TRUN_FLAGS, (defaults.flags,) * count))
    if first_flags is not None and flags:
        flags[0] = first_flags
    cts = [value - (value >> 31 << 32) for value in table.get(TRUN_CTS, (0,) * count)]
    return payload, [_Row(*row) for row in zip(durations, sizes, flags, cts, strict=True)]
