"""H.264/AVC: the decoder configuration record, the sequence parameter set, length-prefixed access units.

Sources: ISO/IEC 14496-15 (avcC, sample entries), ITU-T H.264 (NAL units 7.3.1, SPS 7.3.2.1.1, VUI annex E).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from server.formats.bits import BitReader, BitsError
from server.formats.fmp4.box import box, visual_sample_entry
from server.formats.sample import VideoConfig

VIDEO_TIMESCALE = 90_000  # ticks a second: divides 24, 25, 30, 50 and 60 frames, and is MPEG-TS's own clock

NAL_SLICE, NAL_IDR, NAL_SPS, NAL_PPS = 1, 5, 7, 8

MAX_MACROBLOCKS = 1055  # a side of level 6.2's largest picture (H.264 table A-1): 16,880 pixels
MAX_CYCLE = 255  # num_ref_frames_in_pic_order_cnt_cycle (H.264 7.4.2.1.1)
MAX_SPS_ID = 31

# Profiles whose SPS has the chroma format and scaling lists (H.264 7.3.2.1.1).
HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})

# Those whose record ends in the chroma format and bit depths (ISO/IEC 14496-15 5.3.3.1.2).
RECORD_EXTENDED = frozenset({100, 110, 122, 144})

# H.264 table E-1, sample aspect ratios by aspect_ratio_idc.
SAMPLE_ASPECT_RATIOS = (
    (1, 1), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11),
    (80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip
EXTENDED_SAR = 255


class AvcError(ValueError):
    """The bytes are not the H.264 structure they claim to be."""


@dataclass(frozen=True, slots=True)
class AvcDecoderConfiguration:
    """The `avcC` record, which is also the AVC sequence header of FLV and RTMP (ISO/IEC 14496-15 5.3.3.1)."""

    profile: int  # profile_idc: 66 baseline, 77 main, 100 high
    compatibility: int  # constraint flags
    level: int  # level_idc, ten times the level
    length_size: int  # bytes of the length before each NAL unit: 1, 2 or 4
    sps: tuple[bytes, ...]  # NAL units with their header byte, at least one
    pps: tuple[bytes, ...]  # likewise

    @classmethod
    def parse(cls, data: bytes | memoryview) -> "AvcDecoderConfiguration":
        """Raises AvcError unless `data` is a record with at least one SPS and one PPS."""
        data = bytes(data)
        if len(data) < 7:
            raise AvcError(f"avcC of {len(data)} bytes")
        if data[0] != 1:
            raise AvcError(f"avcC version {data[0]}, not 1")
        length_size = (data[4] & 3) + 1
        if length_size == 3:
            raise AvcError("avcC with NAL unit lengths of 3 bytes")
        sps, position = _parameter_sets(data, 6, data[5] & 31, NAL_SPS)
        if position >= len(data):
            raise AvcError("avcC ends before its picture parameter sets")
        pps, _ = _parameter_sets(data, position + 1, data[position], NAL_PPS)
        return cls(data[1], data[2], data[3], length_size, sps, pps)

    @property
    def codec(self) -> str:
        """RFC 6381 3.3: avc1.PPCCLL."""
        return f"avc1.{self.profile:02x}{self.compatibility:02x}{self.level:02x}"


def record_of(sps: Sequence[bytes], pps: Sequence[bytes]) -> bytes:
    """The `avcC` record, with 4-byte lengths, of a raw stream's parameter sets. Raises AvcError."""
    if not sps or not pps:
        raise AvcError("a stream without its parameter sets")
    first = sps[0]
    if len(first) < 4:
        raise AvcError("not an SPS")
    head = b"\x01" + first[1:4] + bytes((0xFF, 0xE0 | len(sps) & 31))
    pieces = [head, *(len(unit).to_bytes(2, "big") + unit for unit in sps), bytes((len(pps),))]
    pieces += [len(unit).to_bytes(2, "big") + unit for unit in pps]
    if first[1] in RECORD_EXTENDED:
        pieces.append(_chroma_and_depth(first))
    return b"".join(pieces)


def _chroma_and_depth(sps: bytes) -> bytes:
    """The end of the record of a high profile: chroma format, bit depths, no SPS extension (5.3.3.1.2)."""
    bits = BitReader(_unescape(sps[1:]))
    try:
        bits.skip(24)
        bits.ue()
        chroma_format = bits.ue()
        if chroma_format == 3:
            bits.skip(1)
        depths = bits.ue(), bits.ue()
    except BitsError as error:
        raise AvcError(f"SPS: {error}") from None
    return bytes((0xFC | chroma_format & 3, 0xF8 | depths[0] & 7, 0xF8 | depths[1] & 7, 0))


def _parameter_sets(data: bytes, position: int, count: int, nal_type: int) -> tuple[tuple[bytes, ...], int]:
    """`count` length-prefixed parameter sets from `position`; them and the position after."""
    name = "SPS" if nal_type == NAL_SPS else "PPS"
    if not count:
        raise AvcError(f"avcC without {name}")
    units = []
    for _ in range(count):
        end = position + 2 + int.from_bytes(data[position : position + 2], "big")
        unit = data[position + 2 : end]
        if end > len(data) or not unit:
            raise AvcError(f"avcC ends within its {name}")
        if unit[0] & 31 != nal_type:
            raise AvcError(f"avcC holds NAL unit type {unit[0] & 31} in place of a {name}")
        units.append(unit)
        position = end
    return tuple(units), position


@dataclass(frozen=True, slots=True)
class SequenceParameterSet:
    """What the packager wants to know of an SPS."""

    profile: int
    level: int
    width: int  # pixels after cropping
    height: int
    sar: tuple[int, int]  # sample aspect ratio; (1, 1) where the stream says nothing
    frame_rate: Fraction | None  # frames a second by the VUI's timing, where told
    interlaced: bool  # may hold field pictures

    @classmethod
    def parse(cls, nal_unit: bytes) -> "SequenceParameterSet":
        """`nal_unit` begins with its header byte. Raises AvcError."""
        if len(nal_unit) < 4 or nal_unit[0] & 31 != NAL_SPS:
            raise AvcError("not an SPS")
        try:
            return _read_sps(BitReader(_unescape(nal_unit[1:])))
        except BitsError as error:
            raise AvcError(f"SPS: {error}") from None


def _unescape(payload: bytes) -> bytes:
    """Without the emulation prevention bytes (H.264 7.3.1)."""
    return payload.replace(b"\0\0\x03", b"\0\0")


def _read_sps(bits: BitReader) -> SequenceParameterSet:
    profile = bits.u(8)
    bits.skip(8)
    level = bits.u(8)
    if bits.ue() > MAX_SPS_ID:
        raise AvcError("SPS id out of range")
    chroma_format = _read_chroma_format(bits) if profile in HIGH_PROFILES else 1
    bits.ue()  # log2_max_frame_num_minus4
    _skip_picture_order(bits)
    bits.ue()  # max_num_ref_frames
    bits.skip(1)
    width = _macroblocks(bits)
    map_units = _macroblocks(bits)
    frames_only = bits.flag()
    if not frames_only:
        bits.skip(1)
    bits.skip(1)
    height = map_units * (1 if frames_only else 2)
    left, right, top, bottom = _read_cropping(bits, chroma_format, frames_only)
    width, height = width * 16 - left - right, height * 16 - top - bottom
    if width <= 0 or height <= 0:
        raise AvcError("SPS crops the whole picture away")
    sar, frame_rate = _read_vui(bits) if bits.flag() else ((1, 1), None)
    return SequenceParameterSet(profile, level, width, height, sar, frame_rate, not frames_only)


def _macroblocks(bits: BitReader) -> int:
    count = bits.ue() + 1
    if count > MAX_MACROBLOCKS:
        raise AvcError(f"picture side of {count} macroblocks, more than {MAX_MACROBLOCKS}")
    return count


def _read_chroma_format(bits: BitReader) -> int:
    """chroma_format_idc, or 0 where the three planes are coded apart; skips bit depths and scaling lists."""
    chroma_format = bits.ue()
    if chroma_format > 3:
        raise AvcError(f"chroma format {chroma_format}")
    separate_planes = chroma_format == 3 and bits.flag()
    bits.ue()  # bit_depth_luma_minus8
    bits.ue()  # bit_depth_chroma_minus8
    bits.skip(1)
    if bits.flag():
        for index in range(12 if chroma_format == 3 else 8):
            if bits.flag():
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return 0 if separate_planes else chroma_format


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    """H.264 7.3.2.1.1.1: deltas until one makes the next scale 0."""
    scale = 8
    for _ in range(size):
        scale = (scale + bits.se()) % 256
        if not scale:
            return


def _skip_picture_order(bits: BitReader) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.skip(1)
        bits.se()
        bits.se()
        cycle = bits.ue()
        if cycle > MAX_CYCLE:
            raise AvcError(f"picture order cycle of {cycle} frames")
        for _ in range(cycle):
            bits.se()
    elif kind > 2:
        raise AvcError(f"picture order count type {kind}")


def _read_cropping(bits: BitReader, chroma_format: int, frames_only: bool) -> tuple[int, int, int, int]:
    """Left, right, top, bottom in luma samples (H.264 7-19 to 7-22)."""
    if not bits.flag():
        return 0, 0, 0, 0
    unit_x = 2 if chroma_format in (1, 2) else 1
    unit_y = (2 if chroma_format == 1 else 1) * (1 if frames_only else 2)
    left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
    return left * unit_x, right * unit_x, top * unit_y, bottom * unit_y


def _read_vui(bits: BitReader) -> tuple[tuple[int, int], Fraction | None]:
    """Sample aspect ratio and frame rate; what follows them is left unread (H.264 E.1.1)."""
    sar = _read_sar(bits) if bits.flag() else (1, 1)
    if bits.flag():  # overscan_info
        bits.skip(1)
    if bits.flag():  # video_signal_type
        bits.skip(4)
        if bits.flag():
            bits.skip(24)
    if bits.flag():  # chroma_loc_info
        bits.ue()
        bits.ue()
    if not bits.flag():
        return sar, None
    units_in_tick, time_scale = bits.u(32), bits.u(32)
    if not units_in_tick or not time_scale:
        return sar, None
    return sar, Fraction(time_scale, 2 * units_in_tick)  # a tick is a field's time (E.2.1)


def _read_sar(bits: BitReader) -> tuple[int, int]:
    index = bits.u(8)
    if index == EXTENDED_SAR:
        ratio = bits.u(16), bits.u(16)
        return ratio if all(ratio) else (1, 1)
    return SAMPLE_ASPECT_RATIOS[index] if index < len(SAMPLE_ASPECT_RATIOS) else (1, 1)


def video_config(avcc: bytes | memoryview, timescale: int = VIDEO_TIMESCALE) -> VideoConfig:
    """The track of an `avcC` record. Raises AvcError.

    The sample entry declares 4-byte NAL unit lengths; units of another size go through `four_byte_lengths`.
    """
    record = AvcDecoderConfiguration.parse(avcc)
    sps = SequenceParameterSet.parse(record.sps[0])
    avcc = bytes(avcc)
    entry = visual_sample_entry(
        b"avc1",
        sps.width,
        sps.height,
        box(b"avcC", avcc[:4], bytes([avcc[4] | 3]), avcc[5:]),
        box(b"pasp", sps.sar[0].to_bytes(4, "big"), sps.sar[1].to_bytes(4, "big")),
    )
    return VideoConfig(record.codec, timescale, sps.width, sps.height, entry, sps.sar)


def nal_units(unit: bytes | memoryview, length_size: int = 4) -> Iterator[memoryview]:
    """The NAL units of a length-prefixed access unit, header byte first. Raises AvcError at one cut off."""
    view = memoryview(unit)
    position, end = 0, len(view)
    while position < end:
        start = position + length_size
        position = start + int.from_bytes(view[position:start], "big")
        if position > end or start > end:
            raise AvcError("access unit ends within a NAL unit")
        yield view[start:position]


def has_idr(unit: bytes | memoryview, length_size: int = 4) -> bool:
    """Whether a length-prefixed access unit is an IDR picture; False for a broken one.

    The first slice decides: all slices of an IDR picture are IDR slices (H.264 7.4.1.2.4).
    """
    try:
        for nal in nal_units(unit, length_size):
            if nal and NAL_SLICE <= nal[0] & 31 <= NAL_IDR:
                return nal[0] & 31 == NAL_IDR
    except AvcError:
        pass
    return False


def four_byte_lengths(unit: bytes | memoryview, length_size: int) -> bytes | memoryview:
    """The access unit with 4-byte NAL unit lengths, whatever their size was. Raises AvcError."""
    if length_size == 4:
        return unit
    pieces: list[bytes | memoryview] = []
    for nal in nal_units(unit, length_size):
        pieces += (len(nal).to_bytes(4, "big"), nal)
    return b"".join(pieces)
