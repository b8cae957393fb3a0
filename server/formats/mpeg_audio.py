"""MPEG audio, layers I to III (MP1, MP2, MP3): the header of a frame.

Sources: ISO/IEC 11172-3 2.4.2.3, ISO/IEC 13818-3 2.4.2.3 (half the rates); "MPEG 2.5" (a quarter) is a custom.
"""

from dataclasses import dataclass

RATES = (44_100, 48_000, 32_000)  # of MPEG 1
# Kilobits a second by bitrate_index, of MPEG 1 layers I to III, then of MPEG 2 layer I, then layers II and III.
BIT_RATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
VERSIONS = {3: (1, 0), 2: (2, 1), 0: (2, 2)}  # by the ID bits: the table to use, and how often the rate is halved
MONO = 3


class MpegAudioError(ValueError):
    """The bytes are no MPEG audio frame."""


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """The four bytes before every frame."""

    layer: int  # 1 to 3
    rate: int  # hertz
    bit_rate: int  # bits a second
    channels: int
    samples: int  # of each channel in the frame
    size: int  # bytes of the whole frame

    @classmethod
    def parse(cls, data: bytes | memoryview) -> "FrameHeader":
        """The header at the first byte of `data`. Raises MpegAudioError."""
        if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
            raise MpegAudioError("no sync word")
        version, layer = VERSIONS.get(data[1] >> 3 & 3), 4 - (data[1] >> 1 & 3)
        bit_rate_index, rate_index, padding = data[2] >> 4, data[2] >> 2 & 3, data[2] >> 1 & 1
        if version is None or layer == 4 or rate_index == 3 or bit_rate_index in (0, 15):
            raise MpegAudioError(f"header {bytes(data[:4]).hex()}")
        table, halved = version
        rate = RATES[rate_index] >> halved
        bit_rate = BIT_RATES[table, layer][bit_rate_index - 1] * 1000
        samples = 384 if layer == 1 else 576 if layer == 3 and table == 2 else 1152
        if layer == 1:
            size = (12 * bit_rate // rate + padding) * 4
        else:
            size = samples // 8 * bit_rate // rate + padding
        return cls(layer, rate, bit_rate, 1 if data[3] >> 6 == MONO else 2, samples, size)
