"""FLAC: STREAMINFO, the sample entry that carries it, how long a frame lasts.

Sources: RFC 9639 8.2 (STREAMINFO), 9.1 (frame header); "Encapsulation of FLAC in ISO Base Media File Format" 3.3.
"""

from dataclasses import dataclass

from server.formats.bits import BitReader
from server.formats.fmp4.box import audio_sample_entry, full_box
from server.formats.sample import AudioConfig

MARKER = b"fLaC"
STREAMINFO_BYTES = 34
MIN_BLOCK = 16  # samples in a frame (RFC 9639 8.2)
LAST_BLOCK = 0x80  # of the metadata blocks

# Samples in a frame by the block size code of its header; 6 and 7 say it in a byte or two of their own.
BLOCK_SIZES = {
    1: 192,
    **{code: 576 << code - 2 for code in range(2, 6)},
    **{code: 256 << code - 8 for code in range(8, 16)},
}
CODED_NUMBER_BYTES = {0: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7}  # by the ones that its first byte begins with


class FlacError(ValueError):
    """The bytes are not the FLAC structure they claim to be, or no FLAC that can be carried."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """The metadata block that begins every FLAC stream, and is its sequence header in RTMP."""

    min_block: int  # samples in a frame
    max_block: int
    rate: int  # hertz
    channels: int
    bits: int  # of a sample
    block: bytes  # all of it, without its header, but for what is known only at the end: sizes, length, checksum

    @classmethod
    def parse(cls, data: bytes | memoryview) -> "StreamInfo":
        """With or without the stream marker and the block header before it. Raises FlacError."""
        data = bytes(data)
        if data[:4] == MARKER:
            data = data[4:]
        if len(data) >= 4 + STREAMINFO_BYTES and data[0] & 0x7F == 0 and data[1:4] == b"\0\0\x22":
            data = data[4:]
        if len(data) < STREAMINFO_BYTES:
            raise FlacError(f"STREAMINFO of {len(data)} bytes")
        bits = BitReader(data[:18])
        min_block, max_block = bits.u(16), bits.u(16)
        bits.skip(48)  # frame sizes
        rate, channels, depth = bits.u(20), bits.u(3) + 1, bits.u(5) + 1
        if not MIN_BLOCK <= min_block <= max_block:
            raise FlacError(f"blocks of {min_block} to {max_block} samples")
        if not rate:
            raise FlacError("STREAMINFO without a sample rate")
        block = data[:4] + bytes(6) + data[10:13] + bytes((data[13] & 0xF0,)) + bytes(20)
        return cls(min_block, max_block, rate, channels, depth, block)


def audio_config(streaminfo: bytes | memoryview, frame_length: int | None = None) -> AudioConfig:
    """The track of a STREAMINFO, whose frames last `frame_length` samples (its greatest block). Raises FlacError."""
    info = StreamInfo.parse(streaminfo)
    header = bytes((LAST_BLOCK,)) + STREAMINFO_BYTES.to_bytes(3, "big")
    entry = audio_sample_entry(
        b"fLaC", info.channels, info.rate, full_box(b"dfLa", 0, 0, header, info.block), bits=info.bits
    )
    return AudioConfig("fLaC", info.rate, info.channels, frame_length or info.max_block, entry)


def frame_samples(frame: bytes | memoryview) -> int:
    """How many samples of each channel a frame holds. Raises FlacError."""
    if len(frame) < 6 or frame[0] != 0xFF or frame[1] & 0xFE != 0xF8:
        raise FlacError("no frame header")
    code = frame[2] >> 4
    if samples := BLOCK_SIZES.get(code):
        return samples
    ones = f"{frame[4]:08b}".index("0") if frame[4] != 0xFF else 8
    number = CODED_NUMBER_BYTES.get(ones)
    size = {6: 1, 7: 2}.get(code)
    if number is None or size is None or len(frame) < 4 + number + size:
        raise FlacError(f"block size code {code} can't be read")
    return int.from_bytes(frame[4 + number : 4 + number + size], "big") + 1
