"""Pictures out of MPEG-TS: from byte streams with parameter sets in them to samples and configurations.

A unit of the demuxer is taken for one access unit, as every encoder known sends them.
"""

from typing import NamedTuple, Protocol

from server.formats import annexb, avc, hevc
from server.formats.avc import AvcError
from server.formats.bits import BitReader, BitsError
from server.formats.hevc import HevcError
from server.formats.sample import VideoConfig

MAX_SETS = 16  # parameter sets of a kind that are kept; encoders use one or two

MAX_UNITS = 4096  # NAL units of one picture: a slice for each row of macroblocks is a few hundred

_SEI, _AVC_DROPPED = 6, frozenset({9, 10, 11, 12, 13})  # delimiter, ends, filler, SPS extension
_RECOVERY_POINT = 6  # SEI payload type (H.264 D.1.8)
_HEVC_DROPPED = frozenset({35, 36, 37, 38})  # likewise


class Picture(NamedTuple):
    config: VideoConfig | None
    """None while no parameter sets have come."""
    key: bool
    data: bytes
    """b"" for what holds no slice."""


class Pictures(Protocol):
    """What one codec's reader does. Raises ValueError."""

    def read(self, stream: bytes) -> Picture: ...


class AvcPictures:
    """H.264."""

    def __init__(self) -> None:
        self._config: VideoConfig | None = None
        self._sps: dict[int, bytes] = {}
        self._pps: dict[int, bytes] = {}

    def read(self, stream: bytes) -> Picture:
        """Raises AvcError, AnnexBError."""
        kept: list[bytes] = []
        sps: list[bytes] = []
        pps: list[bytes] = []
        key = slices = recovery = False
        for unit in annexb.nal_units(stream, MAX_UNITS):
            kind = unit[0] & 31
            if 0 < kind <= avc.NAL_IDR:
                key = key or kind == avc.NAL_IDR
                slices = True
            elif kind == avc.NAL_SPS:
                sps.append(unit)
                continue
            elif kind == avc.NAL_PPS:
                pps.append(unit)
                continue
            elif kind in _AVC_DROPPED:
                continue
            elif kind == _SEI:
                recovery = recovery or unit[1:2] == bytes((_RECOVERY_POINT,))
            kept.append(unit)
        if sps or pps:
            self._take_sets(sps, pps)
        # an encoder with open GOPs says where one may begin by a recovery point beside its parameter sets
        key = key or (recovery and bool(sps))
        return Picture(self._config, key, annexb.length_prefixed(kept) if slices else b"")

    def _take_sets(self, sps: list[bytes], pps: list[bytes]) -> None:
        found_sps, found_pps = ({_id_of(unit, 24): unit for unit in sps}, {_id_of(unit, 0): unit for unit in pps})
        if not found_sps.keys().isdisjoint(self._sps) and any(
            self._sps.get(number) != unit for number, unit in found_sps.items()
        ):
            self._sps, self._pps = {}, {}  # another stream begins: nothing of the old one stays
        new_sps, new_pps = {**self._sps, **found_sps}, {**self._pps, **found_pps}
        if len(new_sps) > MAX_SETS or len(new_pps) > MAX_SETS:
            raise AvcError(f"more than {MAX_SETS} parameter sets")
        if (new_sps, new_pps) == (self._sps, self._pps):
            return
        self._sps, self._pps = new_sps, new_pps
        if new_sps and new_pps:
            self._config = avc.video_config(avc.record_of(list(new_sps.values()), list(new_pps.values())))


def _id_of(unit: bytes, skipped: int) -> int:
    """Of a parameter set, behind `skipped` bits and the header. Raises AvcError."""
    bits = BitReader(unit[1:16])
    try:
        bits.skip(skipped)
        return bits.ue()
    except BitsError:
        raise AvcError("a parameter set is cut off") from None


class HevcPictures:
    """H.265."""

    def __init__(self) -> None:
        self._config: VideoConfig | None = None
        self._sets: tuple[bytes, ...] = ()

    def read(self, stream: bytes) -> Picture:
        """Raises HevcError, AnnexBError."""
        kept: list[bytes] = []
        sets: list[bytes] = []
        slices = False
        for unit in annexb.nal_units(stream, MAX_UNITS):
            kind = hevc.nal_type(unit)
            if kind in hevc.PARAMETER_SETS:
                sets.append(unit)
            elif kind not in _HEVC_DROPPED:
                slices = slices or kind <= hevc.LAST_SLICE
                kept.append(unit)
        if sets:
            self._take_sets(sets)
        return Picture(self._config, hevc.is_irap(kept), annexb.length_prefixed(kept) if slices else b"")

    def _take_sets(self, sets: list[bytes]) -> None:
        """All three kinds come together before a random access point."""
        found = tuple(dict.fromkeys(sets))
        if found == self._sets or {hevc.nal_type(unit) for unit in found} != set(hevc.PARAMETER_SETS):
            return
        if len(found) > MAX_SETS:
            raise HevcError(f"more than {MAX_SETS} parameter sets")
        self._config = hevc.parameter_sets_config(found)
        self._sets = found
