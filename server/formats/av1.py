"""AV1: open bitstream units (OBUs), the sequence header, the decoder configuration record.

Sources: "AV1 Bitstream & Decoding Process Specification" 5.3 (OBU header), 5.5 (sequence header), 5.9.2 (frame header);
"AV1 Codec ISO Media File Format Binding" 2.3 (av1C), 2.4 (samples), 5 (codec string); "Carriage of AV1 in MPEG-2 TS"
2.1 (video descriptor).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from server.formats.avc import VIDEO_TIMESCALE
from server.formats.bits import BitReader, BitsError
from server.formats.fmp4.box import box, visual_sample_entry
from server.formats.sample import VideoConfig

SEQUENCE_HEADER, TEMPORAL_DELIMITER, FRAME_HEADER, FRAME = 1, 2, 3, 6
DELIMITER = b"\x12\x00"  # as every encoder writes it: with a size, which is 0

MAX_OBUS = 512  # in a temporal unit: tiles and layers make tens
MAX_LEB128 = 5  # bytes that matter of eight: a size of 32 bits (4.10.5)
RECORD_VERSION = 0x81  # marker 1 and version 1
MAX_UVLC_ZEROS = 32
MAX_SIDE = 65_535  # pixels that a sample entry can say

DESCRIPTOR_TAG, DESCRIPTOR_BYTES = 0x80, 4

IDENTITY = (1, 13, 0)  # BT.709 primaries, sRGB, identity matrix: RGB, without subsampling
UNSPECIFIED = (2, 2, 2)


class Av1Error(ValueError):
    """The bytes are not the AV1 structure they claim to be."""


class Obu(NamedTuple):
    """Where an open bitstream unit lies in its temporal unit: header from `start`, payload `body:end`."""

    type: int
    start: int
    body: int
    end: int


def obus(data: bytes | memoryview) -> Iterator[Obu]:
    """The units in low-overhead format; one without a size takes the rest. Raises Av1Error."""
    at, end = 0, len(data)
    for _ in range(MAX_OBUS):
        if at >= end:
            return
        header = data[at]
        if header & 0x80:
            raise Av1Error("forbidden bit of an OBU header is set")
        body = at + (2 if header & 4 else 1)
        size, body = _leb128(data, body) if header & 2 else (end - body, body)
        if size < 0 or body + size > end:
            raise Av1Error("a temporal unit ends within an OBU")
        yield Obu(header >> 3 & 15, at, body, body + size)
        at = body + size
    if at < end:
        raise Av1Error(f"more than {MAX_OBUS} OBUs in a temporal unit")


def _leb128(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """The number, and the position behind it."""
    value = 0
    for index, byte in enumerate(data[at : at + MAX_LEB128]):
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, at + index + 1
    raise Av1Error("an OBU size that does not end")


def without_delimiters(unit: bytes | memoryview) -> bytes | memoryview:
    """A temporal unit as MP4 has it: "OBU_TEMPORAL_DELIMITER should be removed" (binding, 2.4)."""
    return unit[2:] if unit[:2] == DELIMITER else unit


def sequence_header(unit: bytes | memoryview) -> bytes | None:
    """The sequence header OBU of a temporal unit, which its key frames have. Raises Av1Error."""
    for found in obus(unit):
        if found.type == SEQUENCE_HEADER:
            return bytes(unit[found.start : found.end])
    return None


def has_key_frame(unit: bytes | memoryview) -> bool:
    """Whether a temporal unit may be begun with: a shown key frame behind its sequence header; False if broken."""
    headed = False
    try:
        for found in obus(unit):
            if found.type == SEQUENCE_HEADER:
                headed = True
            elif found.type in (FRAME, FRAME_HEADER) and found.body < found.end:
                # show_existing_frame 0, frame_type 0 (key), show_frame 1
                return headed and unit[found.body] >> 4 == 1
    except Av1Error:
        pass
    return False


@dataclass(frozen=True, slots=True)
class SequenceHeader:
    """What the packager wants to know of a sequence header."""

    profile: int  # 0 main, 1 high, 2 professional
    level: int  # seq_level_idx of the first operating point: 0 is 2.0, 5 is 3.1, 31 any
    tier: int
    width: int  # pixels of the largest frame
    height: int
    bit_depth: int
    monochrome: bool
    subsampling: tuple[int, int]
    sample_position: int
    colour: tuple[int, int, int]  # primaries, transfer, matrix (ISO/IEC 23091-4)
    full_range: bool

    @classmethod
    def parse(cls, obu: bytes) -> "SequenceHeader":
        """Of the whole OBU, with its header. Raises Av1Error."""
        found = next(obus(obu), None)
        if found is None or found.type != SEQUENCE_HEADER:
            raise Av1Error("not a sequence header")
        try:
            return _read_sequence_header(BitReader(obu[found.body : found.end]))
        except BitsError as error:
            raise Av1Error(f"sequence header: {error}") from None

    @property
    def codec(self) -> str:
        """RFC 6381 with the binding's 5: av01.profile.level and tier.bit depth, and the rest unless all is usual."""
        short = f"av01.{self.profile}.{self.level:02}{'MH'[self.tier]}.{self.bit_depth:02}"
        if self.colour == UNSPECIFIED and not self.monochrome and self.subsampling == (1, 1) and not self.full_range:
            return short
        chroma = f"{self.subsampling[0]}{self.subsampling[1]}{self.sample_position if all(self.subsampling) else 0}"
        colour = ".".join(f"{code:02}" for code in self.colour)
        return f"{short}.{int(self.monochrome)}.{chroma}.{colour}.{int(self.full_range)}"

    def record(self, obu: bytes) -> bytes:
        """The av1C record, with the sequence header itself in it."""
        depth = (self.bit_depth > 8) << 6 | (self.bit_depth == 12) << 5
        chroma = self.subsampling[0] << 3 | self.subsampling[1] << 2 | self.sample_position
        third = self.tier << 7 | depth | self.monochrome << 4 | chroma
        return bytes((RECORD_VERSION, self.profile << 5 | self.level, third, 0)) + obu


def _read_sequence_header(bits: BitReader) -> SequenceHeader:
    profile = bits.u(3)
    if profile > 2:
        raise Av1Error(f"profile {profile}")
    bits.skip(1)  # still_picture
    reduced = bits.flag()
    level, tier = (bits.u(5), 0) if reduced else _read_operating_points(bits)
    width_bits, height_bits = bits.u(4) + 1, bits.u(4) + 1
    width, height = bits.u(width_bits) + 1, bits.u(height_bits) + 1
    if not reduced and bits.flag():  # frame id numbers
        bits.skip(7)
    bits.skip(3)  # 128x128 superblocks, filter intra, intra edge filter
    if not reduced:
        _skip_inter_tools(bits)
    bits.skip(3)  # super-resolution, CDEF, restoration
    if max(width, height) > MAX_SIDE:
        raise Av1Error(f"frames of {width}x{height} pixels, a side longer than {MAX_SIDE}")
    unread = SequenceHeader(profile, level, tier, width, height, 8, False, (1, 1), 0, UNSPECIFIED, False)
    return _read_colour(bits, unread)


def _read_operating_points(bits: BitReader) -> tuple[int, int]:
    """Level and tier of the first one."""
    delay_bits = 0
    if bits.flag():  # timing_info
        bits.skip(64)
        if bits.flag():
            _skip_uvlc(bits)
        if bits.flag():  # decoder_model_info
            delay_bits = bits.u(5) + 1
            bits.skip(42)
    display_delay = bits.flag()
    points = []
    for _ in range(bits.u(5) + 1):
        bits.skip(12)  # operating_point_idc
        level = bits.u(5)
        points.append((level, bits.u(1) if level > 7 else 0))
        if delay_bits and bits.flag():
            bits.skip(2 * delay_bits + 1)
        if display_delay and bits.flag():
            bits.skip(4)
    return points[0]


def _skip_uvlc(bits: BitReader) -> None:
    zeros = 0
    while not bits.flag():
        zeros += 1
        if zeros > MAX_UVLC_ZEROS:
            raise Av1Error("a variable length code that does not end")
    if zeros < MAX_UVLC_ZEROS:
        bits.skip(zeros)


def _skip_inter_tools(bits: BitReader) -> None:
    bits.skip(4)  # inter-intra compound, masked compound, warped motion, dual filter
    order_hint = bits.flag()
    if order_hint:
        bits.skip(2)
    screen_content = 2 if bits.flag() else bits.u(1)  # 2: each frame says
    if screen_content and not bits.flag():
        bits.skip(1)  # force_integer_mv
    if order_hint:
        bits.skip(3)


def _read_colour(bits: BitReader, header: SequenceHeader) -> SequenceHeader:
    """color_config (5.5.2)."""
    high = bits.flag()
    twelve = header.profile == 2 and high and bits.flag()
    depth = 12 if twelve else 10 if high else 8
    monochrome = header.profile != 1 and bits.flag()
    colour = (bits.u(8), bits.u(8), bits.u(8)) if bits.flag() else UNSPECIFIED
    position, full_range, subsampling = 0, True, (0, 0)
    if monochrome:
        full_range, subsampling = bits.flag(), (1, 1)
    elif colour != IDENTITY:
        full_range = bits.flag()
        subsampling = _read_subsampling(bits, header.profile, depth)
        if subsampling == (1, 1):
            position = bits.u(2)
    return SequenceHeader(
        header.profile, header.level, header.tier, header.width, header.height, depth, monochrome, subsampling,
        position, colour, full_range,
    )  # fmt: skip


def _read_subsampling(bits: BitReader, profile: int, depth: int) -> tuple[int, int]:
    if profile < 2:
        return (1, 1) if profile == 0 else (0, 0)
    if depth < 12:
        return 1, 0
    horizontal = bits.u(1)
    return horizontal, bits.u(1) if horizontal else 0


def config_header(av1c: bytes | memoryview) -> bytes | None:
    """The sequence header in an `av1C` record, None if it is to come in the first key frame. Raises Av1Error."""
    av1c = bytes(av1c)
    if len(av1c) < 4:
        raise Av1Error(f"av1C of {len(av1c)} bytes")
    if av1c[0] != RECORD_VERSION:
        raise Av1Error(f"av1C begins with {av1c[0]:#04x}, not {RECORD_VERSION:#04x}")
    return sequence_header(av1c[4:])


def descriptor_record(descriptor: bytes | memoryview) -> bytes:
    """The `av1C` record, without a sequence header, in an MPEG-2 TS video descriptor. Raises Av1Error."""
    descriptor = bytes(descriptor)
    if len(descriptor) < 2 + DESCRIPTOR_BYTES or descriptor[:2] != bytes((DESCRIPTOR_TAG, DESCRIPTOR_BYTES)):
        raise Av1Error("not an AV1 video descriptor")
    return descriptor[2 : 2 + DESCRIPTOR_BYTES]


def video_config(av1c: bytes | memoryview, timescale: int = VIDEO_TIMESCALE) -> VideoConfig:
    """The track of an `av1C` record that has a sequence header. Raises Av1Error."""
    header = config_header(av1c)
    if header is None:
        raise Av1Error("av1C without a sequence header")
    return header_config(header, timescale)


def header_config(obu: bytes, timescale: int = VIDEO_TIMESCALE) -> VideoConfig:
    """The track of a sequence header OBU. Raises Av1Error."""
    header = SequenceHeader.parse(obu)
    entry = visual_sample_entry(b"av01", header.width, header.height, box(b"av1C", header.record(obu)))
    return VideoConfig(header.codec, timescale, header.width, header.height, entry)
