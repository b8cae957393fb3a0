"""One moof + mdat pair: a part of a live segment, or a whole segment (ISO/IEC 14496-12 8.8).

    moof
      mfhd  sequence
      traf
        tfhd  default-base-is-moof, default flags (and duration for sound)
        tfdt  v1, 64 bits
        trun  v1, signed composition offsets
    mdat

The layout is fixed and written in one `pack`: this runs for every part of every stream (2.6 µs a packet).
Callers keep to the ranges: 0 <= base < 2**64, durations and sizes < 2**32, |cts| < 2**31.
"""

from collections.abc import Sequence
from struct import Struct, pack

from server.formats.fmp4.init import TRACK_ID

# sample_flags (8.8.3.1): depends on no other sample, or depends on others and is no sync sample.
SYNC, NON_SYNC = 0x02000000, 0x01010000

DEFAULT_BASE_IS_MOOF = 0x020000
TFHD_DURATION, TFHD_FLAGS = 0x08, 0x20
TRUN_OFFSET, TRUN_FIRST_FLAGS = 0x1, 0x4
TRUN_DURATION, TRUN_SIZE, TRUN_FLAGS, TRUN_CTS = 0x100, 0x200, 0x400, 0x800
VERSION_1 = 0x01000000
MASK_32 = 0xFFFFFFFF

Payload = Sequence[bytes | memoryview]

_OPENING = Struct(">I4s I4sII I4s")  # moof, mfhd, traf
_TFHD = Struct(">I4sIII")
_TFHD_DURATION = Struct(">I4sIIII")
_TFDT = Struct(">I4sIQ")
_MDAT = Struct(">I4s")


def video_part(
    sequence: int,
    base: int,
    durations: Sequence[int],
    cts: Sequence[int],
    keys: Sequence[bool],
    payload: Payload,
    sizes: Sequence[int] | None = None,
) -> bytes:
    """moof + mdat of pictures; `durations`, `cts` and `keys` hold one item for each, in ticks.

    `base` is the decode time of the first picture. Each piece of `payload` is one access unit, unless `sizes`
    names the units' sizes apart (pieces read from a file in one go).
    """
    sizes = list(map(len, payload)) if sizes is None else sizes
    return b"".join((video_header(sequence, base, sizes, durations, cts, keys), *payload))


def audio_part(
    sequence: int,
    base: int,
    durations: int | Sequence[int],
    payload: Payload,
    sizes: Sequence[int] | None = None,
) -> bytes:
    """moof + mdat of sound frames, all of them sync samples; `durations` is one number when all are equal."""
    sizes = list(map(len, payload)) if sizes is None else sizes
    return b"".join((audio_header(sequence, base, sizes, durations), *payload))


def video_header(
    sequence: int,
    base: int,
    sizes: Sequence[int],
    durations: Sequence[int],
    cts: Sequence[int],
    keys: Sequence[bool],
) -> bytes:
    """moof and the header of the mdat whose payload is the access units in order."""
    if True in keys[1:]:
        return _video_header_with_flags(sequence, base, sizes, durations, cts, keys)
    count = len(sizes)
    rows = [0] * (3 * count)
    rows[0::3] = durations
    rows[1::3] = sizes
    rows[2::3] = [offset & MASK_32 for offset in cts]
    flags = VERSION_1 | TRUN_OFFSET | TRUN_FIRST_FLAGS | TRUN_DURATION | TRUN_SIZE | TRUN_CTS
    first = SYNC if keys[0] else NON_SYNC
    moof, head = _open(sequence, base, 24 + 12 * count, None, NON_SYNC)
    trun = pack(f">I4sIIII{3 * count}I", 24 + 12 * count, b"trun", flags, count, moof + 8, first, *rows)
    return head + trun + _MDAT.pack(8 + sum(sizes), b"mdat")


def _video_header_with_flags(
    sequence: int,
    base: int,
    sizes: Sequence[int],
    durations: Sequence[int],
    cts: Sequence[int],
    keys: Sequence[bool],
) -> bytes:
    """As video_header, with flags for each picture: key frames that are not the first, all-intra streams."""
    count = len(sizes)
    rows = [0] * (4 * count)
    rows[0::4] = durations
    rows[1::4] = sizes
    rows[2::4] = [SYNC if key else NON_SYNC for key in keys]
    rows[3::4] = [offset & MASK_32 for offset in cts]
    flags = VERSION_1 | TRUN_OFFSET | TRUN_DURATION | TRUN_SIZE | TRUN_FLAGS | TRUN_CTS
    moof, head = _open(sequence, base, 20 + 16 * count, None, NON_SYNC)
    trun = pack(f">I4sIII{4 * count}I", 20 + 16 * count, b"trun", flags, count, moof + 8, *rows)
    return head + trun + _MDAT.pack(8 + sum(sizes), b"mdat")


def audio_header(sequence: int, base: int, sizes: Sequence[int], durations: int | Sequence[int]) -> bytes:
    """moof and the header of the mdat whose payload is the frames in order."""
    count = len(sizes)
    if isinstance(durations, int):
        rows, flags, length = sizes, TRUN_OFFSET | TRUN_SIZE, 20 + 4 * count
        moof, head = _open(sequence, base, length, durations, SYNC)
    else:
        rows, flags, length = [0] * (2 * count), TRUN_OFFSET | TRUN_DURATION | TRUN_SIZE, 20 + 8 * count
        rows[0::2] = durations
        rows[1::2] = sizes
        moof, head = _open(sequence, base, length, None, SYNC)
    trun = pack(f">I4sIII{len(rows)}I", length, b"trun", flags, count, moof + 8, *rows)
    return head + trun + _MDAT.pack(8 + sum(sizes), b"mdat")


def _open(sequence: int, base: int, trun: int, duration: int | None, flags: int) -> tuple[int, bytes]:
    """The size of the moof that will hold a trun of `trun` bytes, and all of it before the trun."""
    if duration is None:
        tfhd = _TFHD.pack(20, b"tfhd", DEFAULT_BASE_IS_MOOF | TFHD_FLAGS, TRACK_ID, flags)
    else:
        tfhd = _TFHD_DURATION.pack(
            24, b"tfhd", DEFAULT_BASE_IS_MOOF | TFHD_DURATION | TFHD_FLAGS, TRACK_ID, duration, flags
        )
    traf = 8 + len(tfhd) + 20 + trun
    moof = 8 + 16 + traf
    opening = _OPENING.pack(moof, b"moof", 16, b"mfhd", 0, sequence & MASK_32, traf, b"traf")
    return moof, opening + tfhd + _TFDT.pack(20, b"tfdt", VERSION_1, base)
