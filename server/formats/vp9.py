"""VP9: the key frame's header, the codec configuration record.

Sources: "VP9 Bitstream & Decoding Process Specification" 6.2 (uncompressed header), annex A (levels);
"VP Codec ISO Media File Format Binding" (vpcC, codec string).
"""

from dataclasses import dataclass

from server.formats.avc import VIDEO_TIMESCALE
from server.formats.bits import BitReader, BitsError
from server.formats.fmp4.box import full_box, visual_sample_entry
from server.formats.sample import VideoConfig

SYNC_CODE = 0x498342
SRGB = 7  # color_space: RGB, without subsampling
RECORD_BYTES = 8
FULL_BOX = b"\x01\0\0\0"  # version 1 and flags, which encoders send before the record and the record's text leaves out

MAX_SIDE = 65_535  # pixels that a sample entry can say

# Levels by the luma samples of their largest picture (annex A).
LEVELS = (
    (36_864, 10), (73_728, 11), (122_880, 20), (245_760, 21), (552_960, 30), (983_040, 31), (2_228_224, 40),
    (8_912_896, 50), (35_651_584, 60),
)  # fmt: skip
BIGGEST_LEVEL = 62
LEVEL_NUMBERS = frozenset((10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 52, 60, 61, 62))

UNSPECIFIED = (2, 2, 2)
# Primaries, transfer and matrix (ISO/IEC 23001-8) by color_space, where a record does not say more.
COLOURS = {1: (5, 6, 5), 2: (1, 1, 1), 3: (6, 6, 6), 4: (7, 7, 7), 5: (9, 14, 9), SRGB: (1, 13, 0)}
SUBSAMPLING = {(1, 1): 1, (1, 0): 2, (0, 0): 3, (0, 1): 4}  # chroma_subsampling of the record; 0 is a position too


class Vp9Error(ValueError):
    """The bytes are not the VP9 structure they claim to be."""


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """What the uncompressed header of a key frame says."""

    profile: int
    bit_depth: int
    colour_space: int
    full_range: bool
    subsampling: tuple[int, int]
    width: int  # pixels
    height: int

    @classmethod
    def parse(cls, frame: bytes | memoryview) -> "KeyFrame":
        """Raises Vp9Error; also for a frame that is no key frame."""
        try:
            return _read_key_frame(BitReader(bytes(frame[:24])))
        except BitsError as error:
            raise Vp9Error(f"frame header: {error}") from None


def _read_key_frame(bits: BitReader) -> KeyFrame:
    profile = _read_profile(bits)
    if bits.flag() or bits.flag():  # show_existing_frame, or frame_type 1
        raise Vp9Error("not a key frame")
    bits.skip(2)  # show_frame, error_resilient_mode
    if bits.u(24) != SYNC_CODE:
        raise Vp9Error("a key frame without its sync code")
    depth = (12 if bits.flag() else 10) if profile >= 2 else 8
    space = bits.u(3)
    full_range, subsampling = True, (0, 0)
    if space != SRGB:
        full_range, subsampling = bits.flag(), (1, 1)
        if profile & 1:
            subsampling = (bits.u(1), bits.u(1))
            bits.skip(1)
    elif profile & 1:
        bits.skip(1)
    else:
        raise Vp9Error(f"RGB in profile {profile}")
    width, height = bits.u(16) + 1, bits.u(16) + 1
    if max(width, height) > MAX_SIDE:
        raise Vp9Error(f"a picture of {width}x{height} pixels, a side longer than {MAX_SIDE}")
    return KeyFrame(profile, depth, space, full_range, subsampling, width, height)


def _read_profile(bits: BitReader) -> int:
    if bits.u(2) != 2:
        raise Vp9Error("frame marker missing")
    profile = bits.u(1) | bits.u(1) << 1
    if profile == 3 and bits.flag():
        raise Vp9Error("a profile of the future")
    return profile


def is_key_frame(frame: bytes | memoryview) -> bool:
    """Whether a frame (or the first of a superframe) may be begun with; False for a broken one."""
    try:
        KeyFrame.parse(frame)
    except Vp9Error:
        return False
    return True


@dataclass(frozen=True, slots=True)
class VpCodecConfiguration:
    """The record within `vpcC`, which is also the VP9 sequence header of RTMP."""

    profile: int
    level: int  # ten times the level; 0 where the encoder doesn't know
    bit_depth: int
    chroma_subsampling: int  # 0 and 1: 4:2:0, 2: 4:2:2, 3: 4:4:4
    full_range: bool
    colour: tuple[int, int, int]  # primaries, transfer, matrix

    @classmethod
    def parse(cls, data: bytes | memoryview) -> "VpCodecConfiguration":
        """With or without the box's version before it. Raises Vp9Error."""
        data = bytes(data)
        if data[:4] == FULL_BOX and len(data) >= 4 + RECORD_BYTES:
            data = data[4:]
        if len(data) < RECORD_BYTES:
            raise Vp9Error(f"vpcC of {len(data)} bytes")
        third = data[2]
        return cls(data[0], data[1], third >> 4, third >> 1 & 7, bool(third & 1), (data[3], data[4], data[5]))

    @classmethod
    def of(cls, frame: KeyFrame) -> "VpCodecConfiguration":
        subsampling = SUBSAMPLING[frame.subsampling]
        colour = COLOURS.get(frame.colour_space, UNSPECIFIED)
        return cls(frame.profile, 0, frame.bit_depth, subsampling, frame.full_range, colour)

    def write(self) -> bytes:
        third = self.bit_depth << 4 | self.chroma_subsampling << 1 | self.full_range
        return bytes((self.profile, self.level, third, *self.colour, 0, 0))


def level_of(width: int, height: int) -> int:
    """The least level whose pictures are that large."""
    return next((level for samples, level in LEVELS if width * height <= samples), BIGGEST_LEVEL)


def video_config(
    key_frame: bytes | memoryview, record: bytes | memoryview | None = None, timescale: int = VIDEO_TIMESCALE
) -> VideoConfig:
    """The track that begins with this key frame: it alone tells the size. Raises Vp9Error.

    Of a record that came before it, the level and the colours are taken.
    """
    frame = KeyFrame.parse(key_frame)
    found = VpCodecConfiguration.of(frame)
    told = VpCodecConfiguration.parse(record) if record is not None else found
    level = told.level if told.level in LEVEL_NUMBERS else level_of(frame.width, frame.height)
    colour = told.colour if told.colour != UNSPECIFIED else found.colour
    same_chroma = (told.profile, told.bit_depth) == (found.profile, found.bit_depth)
    chroma = told.chroma_subsampling if same_chroma else found.chroma_subsampling
    final = VpCodecConfiguration(found.profile, level, found.bit_depth, chroma, found.full_range, colour)
    entry = visual_sample_entry(b"vp09", frame.width, frame.height, full_box(b"vpcC", 1, 0, final.write()))
    return VideoConfig(_codec(final), timescale, frame.width, frame.height, entry)


def _codec(record: VpCodecConfiguration) -> str:
    """vp09.profile.level.depth, and the rest unless all is usual."""
    short = f"vp09.{record.profile:02}.{record.level:02}.{record.bit_depth:02}"
    if record.colour in (UNSPECIFIED, (1, 1, 1)) and record.chroma_subsampling <= 1 and not record.full_range:
        return short
    colour = ".".join(f"{code:02}" for code in record.colour)
    return f"{short}.{record.chroma_subsampling:02}.{colour}.{int(record.full_range):02}"
