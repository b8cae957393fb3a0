"""HEVC: the decoder configuration record, tracks of it, length-prefixed access units.

Sources: ISO/IEC 14496-15 8.3 (hvcC, sample entries), ITU-T H.265 7.3.1 (NAL units), 7.4.2.2 (their types).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from server.formats.avc import VIDEO_TIMESCALE, AvcError, nal_units
from server.formats.bits import BitReader, BitsError
from server.formats.fmp4.box import box, visual_sample_entry
from server.formats.hevc_sps import (
    NAL_SPS,
    HevcError,
    ProfileTierLevel,
    SequenceParameterSet,
    read_profile_tier_level,
)
from server.formats.sample import VideoConfig

__all__ = [
    "HevcDecoderConfiguration", "HevcError", "ProfileTierLevel", "SequenceParameterSet", "has_irap", "is_irap",
    "nal_type", "parameter_sets_config", "video_config",
]  # fmt: skip

NAL_VPS, NAL_PPS, NAL_DELIMITER = 32, 34, 35
PARAMETER_SETS = (NAL_VPS, NAL_SPS, NAL_PPS)
SEI = (39, 40)
USER_DATA = b"\x05"  # user_data_unregistered (H.265 D.2.1): the encoder's advertisement of itself, some 2 KB
NAL_NAMES = {NAL_VPS: "VPS", NAL_SPS: "SPS", NAL_PPS: "PPS"}
# Intra random access points: BLA, IDR, CRA and two reserved ones; what is below 32 is a slice (table 7-1).
FIRST_IRAP, LAST_IRAP, LAST_SLICE = 16, 23, 31

HEADER_BYTES = 23  # of the record, before its arrays
MAX_ARRAYS = 16  # real records have three to five
COMPLETE = 0x80  # array_completeness: no such NAL unit is in the samples, as hvc1 asks for


@dataclass(frozen=True, slots=True)
class HevcDecoderConfiguration:
    """The `hvcC` record, which is also the HEVC sequence header of RTMP (ISO/IEC 14496-15 8.3.3.1)."""

    profile_tier_level: ProfileTierLevel
    chroma_format: int
    bit_depth: int
    chroma_bit_depth: int
    sub_layers: int
    nested: bool
    length_size: int  # bytes of the length before each NAL unit: 1, 2 or 4
    units: tuple[bytes, ...]  # parameter sets, and SEI messages that tell of the picture, in the encoder's order

    @classmethod
    def parse(cls, data: bytes | memoryview) -> "HevcDecoderConfiguration":
        """Raises HevcError unless `data` is a record with a VPS, an SPS and a PPS."""
        data = bytes(data)
        if len(data) < HEADER_BYTES:
            raise HevcError(f"hvcC of {len(data)} bytes")
        if data[0] != 1:
            raise HevcError(f"hvcC version {data[0]}, not 1")
        length_size = (data[21] & 3) + 1
        if length_size == 3:
            raise HevcError("hvcC with NAL unit lengths of 3 bytes")
        units = _read_arrays(data)
        _demand_all(units, "hvcC")
        try:
            profile_tier_level = read_profile_tier_level(BitReader(data[1:13]))
        except BitsError as error:  # twelve bytes are always there
            raise HevcError(f"hvcC: {error}") from None
        nested, sub_layers = bool(data[21] & 4), data[21] >> 3 & 7
        return cls(
            profile_tier_level, data[16] & 3, (data[17] & 7) + 8, (data[18] & 7) + 8, sub_layers, nested,
            length_size, units,
        )  # fmt: skip

    @classmethod
    def of(cls, units: Iterable[bytes]) -> "HevcDecoderConfiguration":
        """The record of these parameter sets, as raw streams and MPEG-TS have them. Raises HevcError."""
        kept = tuple(unit for unit in units if unit and nal_type(unit) in PARAMETER_SETS)
        _demand_all(kept, "stream")
        sps = SequenceParameterSet.parse(next(unit for unit in kept if nal_type(unit) == NAL_SPS))
        return cls(
            sps.profile_tier_level, sps.chroma_format, sps.bit_depth, sps.chroma_bit_depth, sps.sub_layers, sps.nested,
            4, kept,
        )  # fmt: skip

    def write(self) -> bytes:
        """The record for samples with 4-byte lengths and no parameter sets in them.

        Of what no decoder needs (segmentation, parallelism, frame rate) it says "unknown".
        """
        layers = self.sub_layers << 3 | self.nested << 2 | 3
        kinds = sorted({nal_type(unit) for unit in self.units})
        head = b"".join(
            (
                b"\x01",
                self.profile_tier_level.write(),
                b"\xf0\x00\xfc",  # min_spatial_segmentation_idc and parallelismType 0, behind their reserved bits
                bytes((0xFC | self.chroma_format, 0xF8 | self.bit_depth - 8 & 7, 0xF8 | self.chroma_bit_depth - 8 & 7)),
                bytes((0, 0, layers, len(kinds))),
            )
        )
        return head + b"".join(_array(kind, [u for u in self.units if nal_type(u) == kind]) for kind in kinds)

    @property
    def codec(self) -> str:
        return self.profile_tier_level.codec

    @property
    def sps(self) -> bytes:
        return next(unit for unit in self.units if nal_type(unit) == NAL_SPS)


def nal_type(unit: bytes | memoryview) -> int:
    return unit[0] >> 1 & 63


def _array(kind: int, units: Sequence[bytes]) -> bytes:
    complete = COMPLETE if kind in PARAMETER_SETS else 0
    listed = b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)
    return bytes((complete | kind,)) + len(units).to_bytes(2, "big") + listed


def _read_arrays(data: bytes) -> tuple[bytes, ...]:
    count, position = data[22], HEADER_BYTES
    if count > MAX_ARRAYS:
        raise HevcError(f"hvcC with {count} arrays, more than {MAX_ARRAYS}")
    units: list[bytes] = []
    for _ in range(count):
        kind, number = data[position : position + 1], int.from_bytes(data[position + 1 : position + 3], "big")
        if not kind:
            raise HevcError("hvcC ends before its arrays")
        position += 3
        for _ in range(number):
            end = position + 2 + int.from_bytes(data[position : position + 2], "big")
            unit = data[position + 2 : end]
            if end > len(data) or len(unit) < 2:
                raise HevcError("hvcC ends within a NAL unit")
            if nal_type(unit) != kind[0] & 63:
                raise HevcError(f"hvcC holds NAL unit type {nal_type(unit)} in the array of type {kind[0] & 63}")
            if kind[0] & 63 not in SEI or unit[2:3] != USER_DATA:
                units.append(unit)
            position = end
    return tuple(units)


def _demand_all(units: Iterable[bytes], what: str) -> None:
    kinds = {nal_type(unit) for unit in units}
    missing = [NAL_NAMES[kind] for kind in PARAMETER_SETS if kind not in kinds]
    if missing:
        raise HevcError(f"{what} without {' and '.join(missing)}")


def video_config(hvcc: bytes | memoryview, timescale: int = VIDEO_TIMESCALE) -> VideoConfig:
    """The track of an `hvcC` record. Raises HevcError.

    The sample entry declares 4-byte NAL unit lengths; units of another size go through `avc.four_byte_lengths`.
    """
    return _track(HevcDecoderConfiguration.parse(hvcc), timescale)


def parameter_sets_config(units: Iterable[bytes], timescale: int = VIDEO_TIMESCALE) -> VideoConfig:
    """The track of a raw stream's VPS, SPS and PPS; other NAL units among them are left out. Raises HevcError."""
    return _track(HevcDecoderConfiguration.of(units), timescale)


def _track(record: HevcDecoderConfiguration, timescale: int) -> VideoConfig:
    sps = SequenceParameterSet.parse(record.sps)
    entry = visual_sample_entry(
        b"hvc1",
        sps.width,
        sps.height,
        box(b"hvcC", record.write()),
        box(b"pasp", sps.sar[0].to_bytes(4, "big"), sps.sar[1].to_bytes(4, "big")),
    )
    return VideoConfig(record.codec, timescale, sps.width, sps.height, entry, sps.sar)


def is_irap(units: Iterable[bytes | memoryview]) -> bool:
    """Whether these NAL units are a picture to begin with: all its slices are of one kind (H.265 7.4.2.2)."""
    for unit in units:
        if unit and nal_type(unit) <= LAST_SLICE:
            return FIRST_IRAP <= nal_type(unit) <= LAST_IRAP
    return False


def has_irap(unit: bytes | memoryview, length_size: int = 4) -> bool:
    """As is_irap, for a length-prefixed access unit; False for a broken one."""
    try:
        return is_irap(nal_units(unit, length_size))
    except AvcError:
        return False
