"""ADTS: AAC frames behind headers of their own, as MPEG-TS carries them (ISO/IEC 14496-3 1.A.2)."""

from dataclasses import dataclass

from server.formats.aac import SAMPLE_RATES, AacError, AudioSpecificConfig

HEADER = 7  # bytes; 9 with a CRC
FRAME_SAMPLES = 1024
MAX_FRAME = (1 << 13) - 1
SHAPE = b"\xff\xf9\xfd\xc0"  # of the first four bytes, what tells the configuration


@dataclass(frozen=True, slots=True)
class AdtsHeader:
    """The header of one frame."""

    asc: bytes  # the AudioSpecificConfig that says the same
    rate: int  # hertz
    size: int  # bytes of header and frame
    header: int  # bytes of the header

    @classmethod
    def parse(cls, data: bytes | memoryview) -> "AdtsHeader":
        """The header at the first byte of `data`, of which seven are needed. Raises AacError."""
        if len(data) < HEADER or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
            raise AacError("no ADTS header")
        index, channels = data[2] >> 2 & 15, (data[2] & 1) << 2 | data[3] >> 6
        header = HEADER if data[1] & 1 else HEADER + 2
        size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
        if index >= len(SAMPLE_RATES) or size < header:
            raise AacError("an ADTS header that makes no sense")
        if data[6] & 3:
            raise AacError("several AAC frames behind one ADTS header")
        if not channels:
            raise AacError("ADTS without a channel configuration")
        object_type = (data[2] >> 6) + 1
        asc = bytes((object_type << 3 | index >> 1, (index & 1) << 7 | channels << 3))
        return cls(asc, SAMPLE_RATES[index], size, header)


def write_header(config: AudioSpecificConfig, size: int) -> bytes:
    """The header before a raw frame of `size` bytes. Raises AacError for what ADTS can't say."""
    length = size + HEADER
    if config.object_type > 4 or config.rate not in SAMPLE_RATES or not 0 < config.channel_configuration < 8:
        raise AacError("a configuration that ADTS can't carry")
    if length > MAX_FRAME:
        raise AacError(f"an AAC frame of {size} bytes")
    index, channels = SAMPLE_RATES.index(config.rate), config.channel_configuration
    return bytes(
        (
            0xFF,
            0xF1,
            (config.object_type - 1) << 6 | index << 2 | channels >> 2,
            (channels & 3) << 6 | length >> 11,
            length >> 3 & 0xFF,
            (length & 7) << 5 | 0x1F,  # buffer fullness: unknown
            0xFC,
        )
    )
