"""A moof of our own as columns: what a table of all samples of a film is put together from.

`read` gives the same a sample at a time, with its bytes; a film of ten hours has millions.
"""

import sys
from array import array
from dataclasses import dataclass
from struct import error as StructError  # noqa: N812 - the class is named in lower case
from struct import unpack_from

from server.formats.fmp4.box import Box, BoxError, Buffer, find
from server.formats.fmp4.part import TRUN_CTS, TRUN_DURATION, TRUN_FLAGS, TRUN_SIZE
from server.formats.fmp4.read import NON_SYNC_BIT, read_defaults, read_trun_head


@dataclass(frozen=True, slots=True)
class Fragment:
    """One item of a column for each sample; ticks of the track."""

    base: int  # decode time of the first
    payload: int  # bytes from the beginning of the moof to the first sample
    durations: "array[int]"
    sizes: "array[int]"
    cts: "array[int]"  # empty where all are 0
    keys: tuple[int, ...] | None  # which are sync samples, from 0; None: all


def read_fragment(data: Buffer) -> Fragment:
    """Of the moof that `data` begins with. Raises BoxError."""
    try:
        return _read(data)
    except StructError as error:
        raise BoxError(f"moof: {error}") from None


def _read(data: Buffer) -> Fragment:
    traf = _need(data, b"moof", b"traf")
    tfhd, tfdt, trun = (_need(data, kind, within=traf) for kind in (b"tfhd", b"tfdt", b"trun"))
    (base,) = unpack_from(">Q" if data[tfdt.start] == 1 else ">I", data, tfdt.start + 4)
    duration, size, flags = read_defaults(data, tfhd)
    payload, first_flags, columns, count, at = read_trun_head(data, trun)
    rows = _numbers(data, at, len(columns) * count)
    table = {flag: rows[index :: len(columns)] for index, flag in enumerate(columns)}
    cts = array("i", table[TRUN_CTS].tobytes()) if TRUN_CTS in table else array("i")
    return Fragment(
        base=base,
        payload=payload,
        durations=table.get(TRUN_DURATION) or array("I", [duration]) * count,
        sizes=table.get(TRUN_SIZE) or array("I", [size]) * count,
        cts=cts if any(cts) else array("i"),
        keys=_keys(table.get(TRUN_FLAGS), flags, first_flags, count),
    )


def _need(data: Buffer, *path: bytes, within: Box | None = None) -> Box:
    found = find(data, *path) if within is None else find(data, *path, start=within.start, end=within.end)
    if found is None:
        raise BoxError(f"a moof without {path[-1]!r}")
    return found


def _numbers(data: Buffer, at: int, count: int) -> "array[int]":
    """Unsigned, of 32 bits."""
    numbers = array("I")
    numbers.frombytes(memoryview(data)[at : at + 4 * count])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _keys(told: "array[int] | None", default: int, first: int | None, count: int) -> tuple[int, ...] | None:
    if told is not None:
        keys = tuple(number for number, flags in enumerate(told) if not flags & NON_SYNC_BIT)
        return None if len(keys) == count else keys
    if not default & NON_SYNC_BIT:
        return None
    begins = first is not None and not first & NON_SYNC_BIT
    return (0,) if begins and count else ()
