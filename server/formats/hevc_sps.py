"""The sequence parameter set of HEVC, as far as a packager wants to know it.

Source: ITU-T H.265: SPS 7.3.2.2.1, profile_tier_level 7.3.3, scaling lists 7.3.4, reference picture sets 7.3.7,
VUI annex E.2.1.
"""

from dataclasses import dataclass
from fractions import Fraction

from server.formats.avc import EXTENDED_SAR, SAMPLE_ASPECT_RATIOS
from server.formats.bits import BitReader, BitsError

NAL_SPS = 33

MAX_SIDE = 16_888  # pixels: the longest side of level 6.2 (H.265 A.4.1)
MAX_SPS_ID = 15
MAX_SUB_LAYERS_MINUS1 = 6
MAX_REFERENCE_SETS = 64  # num_short_term_ref_pic_sets (7.4.3.2.1)
MAX_REFERENCES = 16  # pictures in one set: sps_max_dec_pic_buffering_minus1 is at most 15
MAX_LONG_TERM = 32  # num_long_term_ref_pics_sps (7.4.3.2.1)
MAX_BIT_DEPTH = 15  # of what the three bits of a decoder configuration record can say
MAX_POC_BITS = 16  # log2_max_pic_order_cnt_lsb (7.4.3.2.1)


class HevcError(ValueError):
    """The bytes are not the HEVC structure they claim to be."""


@dataclass(frozen=True, slots=True)
class ProfileTierLevel:
    """The general part of profile_tier_level: 12 bytes that a decoder configuration record repeats."""

    space: int  # general_profile_space: 0
    tier: int  # 0 main, 1 high
    profile: int  # 1 main, 2 main 10, 3 main still picture, 4 range extensions
    compatibility: int  # 32 flags, the first one in the highest bit
    constraints: bytes  # 6 bytes
    level: int  # level_idc, thirty times the level

    @property
    def codec(self) -> str:
        """RFC 6381 with ISO/IEC 14496-15 E.3: hvc1.profile.compatibility.tier and level.constraints."""
        space = ("", "A", "B", "C")[self.space]
        reversed_flags = int(f"{self.compatibility:032b}"[::-1], 2)
        constraints = "".join(f".{byte:X}" for byte in self.constraints.rstrip(b"\0"))
        return f"hvc1.{space}{self.profile}.{reversed_flags:X}.{'LH'[self.tier]}{self.level}{constraints}"

    def write(self) -> bytes:
        head = self.space << 6 | self.tier << 5 | self.profile
        return bytes((head,)) + self.compatibility.to_bytes(4, "big") + self.constraints + bytes((self.level,))


def read_profile_tier_level(bits: BitReader) -> ProfileTierLevel:
    space, tier, profile = bits.u(2), bits.u(1), bits.u(5)
    return ProfileTierLevel(space, tier, profile, bits.u(32), bits.u(48).to_bytes(6, "big"), bits.u(8))


@dataclass(frozen=True, slots=True)
class SequenceParameterSet:
    """What the packager wants to know of an SPS."""

    profile_tier_level: ProfileTierLevel
    sub_layers: int  # temporal ones, 1 to 7
    nested: bool  # sps_temporal_id_nesting_flag
    chroma_format: int  # 1 is 4:2:0
    bit_depth: int  # of luma
    chroma_bit_depth: int
    width: int  # pixels within the conformance window
    height: int
    sar: tuple[int, int]  # sample aspect ratio; (1, 1) where the stream says nothing
    frame_rate: Fraction | None  # pictures a second by the VUI's timing, where told

    @classmethod
    def parse(cls, nal_unit: bytes) -> "SequenceParameterSet":
        """`nal_unit` begins with its two header bytes. Raises HevcError."""
        if len(nal_unit) < 4 or nal_unit[0] >> 1 & 63 != NAL_SPS:
            raise HevcError("not an SPS")
        try:
            return _read_sps(BitReader(nal_unit[2:].replace(b"\0\0\x03", b"\0\0")))
        except BitsError as error:
            raise HevcError(f"SPS: {error}") from None


def _read_sps(bits: BitReader) -> SequenceParameterSet:
    bits.skip(4)  # sps_video_parameter_set_id
    sub_layers_minus1 = bits.u(3)
    if sub_layers_minus1 > MAX_SUB_LAYERS_MINUS1:
        raise HevcError("SPS with 8 temporal sub-layers")
    nested = bits.flag()
    profile_tier_level = read_profile_tier_level(bits)
    _skip_sub_layers(bits, sub_layers_minus1)
    if bits.ue() > MAX_SPS_ID:
        raise HevcError("SPS id out of range")
    chroma_format, separate_planes = _read_chroma_format(bits)
    width, height = _read_size(bits, 0 if separate_planes else chroma_format)
    bit_depth, chroma_bit_depth = _bit_depth(bits), _bit_depth(bits)
    _skip_coding_tools(bits, sub_layers_minus1)
    sar, frame_rate = _read_vui(bits) if bits.flag() else ((1, 1), None)
    return SequenceParameterSet(
        profile_tier_level, sub_layers_minus1 + 1, nested, chroma_format, bit_depth, chroma_bit_depth,
        width, height, sar, frame_rate,
    )  # fmt: skip


def _skip_sub_layers(bits: BitReader, sub_layers_minus1: int) -> None:
    """The profiles and levels of the temporal sub-layers."""
    present = [(bits.flag(), bits.flag()) for _ in range(sub_layers_minus1)]
    if sub_layers_minus1:
        bits.skip(2 * (8 - sub_layers_minus1))
    for profile, level in present:
        bits.skip((88 if profile else 0) + (8 if level else 0))


def _read_chroma_format(bits: BitReader) -> tuple[int, bool]:
    chroma_format = bits.ue()
    if chroma_format > 3:
        raise HevcError(f"chroma format {chroma_format}")
    return chroma_format, chroma_format == 3 and bits.flag()


def _read_size(bits: BitReader, chroma_array: int) -> tuple[int, int]:
    width, height = bits.ue(), bits.ue()
    if max(width, height) > MAX_SIDE:
        raise HevcError(f"picture of {width}x{height} pixels, a side longer than {MAX_SIDE}")
    if bits.flag():  # conformance window, in units of chroma samples (table 6-1)
        unit_x, unit_y = (2 if chroma_array in (1, 2) else 1), (2 if chroma_array == 1 else 1)
        width -= unit_x * (bits.ue() + bits.ue())
        height -= unit_y * (bits.ue() + bits.ue())
    if width <= 0 or height <= 0:
        raise HevcError("SPS leaves no picture")
    return width, height


def _bit_depth(bits: BitReader) -> int:
    depth = bits.ue() + 8
    if depth > MAX_BIT_DEPTH:
        raise HevcError(f"bit depth {depth}")
    return depth


def _skip_coding_tools(bits: BitReader, sub_layers_minus1: int) -> None:
    """From the picture order count to the last flag before the VUI."""
    poc_bits = bits.ue() + 4
    if poc_bits > MAX_POC_BITS:
        raise HevcError(f"picture order count of {poc_bits} bits")
    ordered = sub_layers_minus1 + 1 if bits.flag() else 1
    for _ in range(3 * ordered + 6):  # buffering, reordering, latency of each; block and transform sizes, depths
        bits.ue()
    if bits.flag() and bits.flag():  # scaling lists enabled, and present here
        _skip_scaling_lists(bits)
    bits.skip(2)  # asymmetric motion partitions, sample adaptive offset
    if bits.flag():  # PCM: bit depths, block sizes, loop filter
        bits.skip(8)
        bits.ue()
        bits.ue()
        bits.skip(1)
    _skip_reference_sets(bits)
    if bits.flag():
        count = _bounded(bits.ue(), MAX_LONG_TERM, "long-term reference pictures")
        bits.skip(count * (poc_bits + 1))
    bits.skip(2)  # temporal motion vector prediction, strong intra smoothing


def _skip_scaling_lists(bits: BitReader) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.flag():  # predicted from another list
                bits.ue()
                continue
            for _ in range(min(64, 1 << 4 + 2 * size) + (size > 1)):
                bits.se()


def _skip_reference_sets(bits: BitReader) -> None:
    pictures = 0  # in the set before, from which the next one may be predicted
    for index in range(_bounded(bits.ue(), MAX_REFERENCE_SETS, "reference picture sets")):
        if index and bits.flag():
            pictures = _predicted_set(bits, pictures)
            continue
        negative, positive = bits.ue(), bits.ue()
        pictures = _bounded(negative + positive, MAX_REFERENCES, "reference pictures in a set")
        for _ in range(pictures):
            bits.ue()
            bits.skip(1)


def _predicted_set(bits: BitReader, pictures: int) -> int:
    """inter_ref_pic_set_prediction (7.3.7): how many pictures the new set has."""
    bits.skip(1)
    bits.ue()
    kept = sum(1 for _ in range(pictures + 1) if bits.flag() or bits.flag())
    return _bounded(kept, MAX_REFERENCES, "reference pictures in a set")


def _bounded(count: int, most: int, name: str) -> int:
    if count > most:
        raise HevcError(f"{count} {name}, more than {most}")
    return count


def _read_vui(bits: BitReader) -> tuple[tuple[int, int], Fraction | None]:
    """Sample aspect ratio and picture rate; what follows them is left unread."""
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
    bits.skip(3)  # neutral chroma, field_seq, frame_field_info
    if bits.flag():  # default display window
        for _ in range(4):
            bits.ue()
    if not bits.flag():
        return sar, None
    units_in_tick, time_scale = bits.u(32), bits.u(32)
    if not units_in_tick or not time_scale:
        return sar, None
    return sar, Fraction(time_scale, units_in_tick)


def _read_sar(bits: BitReader) -> tuple[int, int]:
    index = bits.u(8)
    if index == EXTENDED_SAR:
        ratio = bits.u(16), bits.u(16)
        return ratio if all(ratio) else (1, 1)
    return SAMPLE_ASPECT_RATIOS[index] if index < len(SAMPLE_ASPECT_RATIOS) else (1, 1)
