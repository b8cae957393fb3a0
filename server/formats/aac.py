"""AAC: the AudioSpecificConfig, the sample entry that carries it, silent frames.

Sources: ISO/IEC 14496-3 (1.6.2.1 AudioSpecificConfig, 4.4.1 GASpecificConfig), ISO/IEC 14496-1 7.2.6
(descriptors), ISO/IEC 14496-14 (mp4a, esds).
"""

from dataclasses import dataclass, replace
from struct import pack

from server.formats.bits import BitReader, BitsError
from server.formats.fmp4.box import BoxError, audio_sample_entry, find, full_box
from server.formats.sample import AudioConfig

# Audio object types (ISO/IEC 14496-3 table 1.17).
AOT_MAIN, AOT_LC, AOT_LTP, AOT_SBR, AOT_PS, AOT_ESCAPE = 1, 2, 4, 5, 29, 31
# Those with a GASpecificConfig: 1024 or 960 samples a frame, and 512 or 480.
LONG_FRAME_TYPES = frozenset({1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22})
LOW_DELAY = 23
# What browsers decode, alone or as the core of HE-AAC.
PLAYABLE_TYPES = frozenset({AOT_MAIN, AOT_LC, AOT_LTP})

SAMPLE_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
ESCAPED_RATE = 15
# The table's ends; an escaped rate beyond them is no AAC that decoders take.
MIN_RATE, MAX_RATE = 7_350, 96_000

# Channels by channelConfiguration (table 1.19).
CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}

SBR_SYNC, PS_SYNC = 0x2B7, 0x548  # syncExtensionType (1.6.2.1)

MAX_ASC_BYTES = 64  # the longest real ones, with a program config, are about 40

# Descriptor tags of ISO/IEC 14496-1 table 1.
ES_DESCRIPTOR, DECODER_CONFIG, DECODER_SPECIFIC_INFO, SL_CONFIG = 3, 4, 5, 6
AAC_OBJECT_TYPE = 0x40  # objectTypeIndication: audio ISO/IEC 14496-3
BITS_PER_CHANNEL = 6144  # decoder input buffer, and so the most one frame may hold (ISO/IEC 14496-3 4.5.3.1)

# Raw AAC-LC frames of digital silence by channel configuration, from FFmpeg's native encoder (long window,
# no bands). They hold for every sample rate and for 1024 and 960 samples alike.
SILENCE = {
    1: bytes.fromhex("01182007"),
    2: bytes.fromhex("211004608c1c"),
    3: bytes.fromhex("011820010880230460e0"),
    4: bytes.fromhex("01182001088023046003182007"),
    5: bytes.fromhex("011820010880230460231004608c1c"),
    6: bytes.fromhex("011820010880230460231004608c0c230000e0"),
}


class AacError(ValueError):
    """The bytes are not the AAC structure they claim to be, or no AAC that can be carried."""


@dataclass(frozen=True, slots=True)
class AudioSpecificConfig:
    """The decoder configuration of AAC, which is also the AAC sequence header of FLV and RTMP."""

    object_type: int  # of the core coder: 2 is AAC-LC, also within HE-AAC
    rate: int  # hertz of the core coder: what a frame's samples count
    channel_configuration: int  # 0 where a program config element describes the channels
    channels: int  # of the core coder
    frame_length: int  # samples of the core coder in a frame
    sbr: bool = False  # HE-AAC: the output has twice the core's rate
    ps: bool = False  # HE-AAC v2: the output is stereo of a mono core
    extension_rate: int | None = None  # hertz of the output where SBR is told

    @classmethod
    def parse(cls, data: bytes | memoryview) -> "AudioSpecificConfig":
        """Raises AacError."""
        if len(data) > MAX_ASC_BYTES:
            raise AacError(f"AudioSpecificConfig of {len(data)} bytes")
        try:
            return _read_config(BitReader(bytes(data)))
        except BitsError as error:
            raise AacError(f"AudioSpecificConfig: {error}") from None

    @property
    def codec(self) -> str:
        """RFC 6381 3.3, naming the extension where there is one: players size their output by it."""
        return f"mp4a.40.{AOT_PS if self.ps else AOT_SBR if self.sbr else self.object_type}"

    @property
    def output_channels(self) -> int:
        return 2 if self.ps and self.channels == 1 else self.channels


def _read_config(bits: BitReader) -> AudioSpecificConfig:
    config = _read_core(bits)
    return config if config.sbr else _read_sync_extension(bits, config)


def _read_core(bits: BitReader) -> AudioSpecificConfig:
    object_type, rate = _read_object_type(bits), _read_rate(bits)
    channel_configuration = bits.u(4)
    extension = object_type if object_type in (AOT_SBR, AOT_PS) else 0
    extension_rate = None
    if extension:  # explicit hierarchical signalling: the core's type comes after the extension's
        extension_rate = _read_rate(bits)
        object_type = _read_object_type(bits)
    frame_length, channels = _read_general_audio(bits, object_type, channel_configuration)
    config = AudioSpecificConfig(object_type, rate, channel_configuration, channels, frame_length)
    if extension:
        return replace(config, sbr=True, ps=extension == AOT_PS, extension_rate=extension_rate)
    return config


def read_embedded(bits: BitReader) -> tuple[bytes, AudioSpecificConfig]:
    """A configuration in the midst of other fields, its bits as bytes of their own. Raises AacError, BitsError.

    Extensions behind the core's are not looked for: other fields follow there.
    """
    before = bits.fork()
    config = _read_core(bits)
    size = before.left - bits.left
    asc = before.u(size) << -size % 8
    return asc.to_bytes(-(-size // 8), "big"), config


def _read_object_type(bits: BitReader) -> int:
    object_type = bits.u(5)
    return 32 + bits.u(6) if object_type == AOT_ESCAPE else object_type


def _read_rate(bits: BitReader) -> int:
    index = bits.u(4)
    if index == ESCAPED_RATE:
        rate = bits.u(24)
    elif index < len(SAMPLE_RATES):
        rate = SAMPLE_RATES[index]
    else:
        raise AacError(f"sampling frequency index {index}")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AacError(f"sample rate {rate} Hz")
    return rate


def _read_general_audio(bits: BitReader, object_type: int, channel_configuration: int) -> tuple[int, int]:
    """GASpecificConfig (4.4.1): samples in a frame, and channels."""
    if object_type not in LONG_FRAME_TYPES and object_type != LOW_DELAY:
        raise AacError(f"audio object type {object_type} is no AAC that is known here")
    short = bits.flag()
    if bits.flag():  # dependsOnCoreCoder
        bits.skip(14)
    extended = bits.flag()
    if channel_configuration == 0:
        channels = _read_program_config(bits)
    elif channel_configuration in CHANNELS:
        channels = CHANNELS[channel_configuration]
    else:
        raise AacError(f"channel configuration {channel_configuration}")
    if object_type in (6, 20):  # layerNr
        bits.skip(3)
    if extended:
        _skip_extension(bits, object_type)
    if object_type == LOW_DELAY:
        return 480 if short else 512, channels
    return 960 if short else 1024, channels


def _skip_extension(bits: BitReader, object_type: int) -> None:
    if object_type == 22:
        bits.skip(16)
    if object_type in (17, 19, 20, LOW_DELAY):
        bits.skip(3)
    bits.skip(1)


def _read_program_config(bits: BitReader) -> int:
    """program_config_element (4.4.1.1): the channels of its elements."""
    bits.skip(4 + 2 + 4)  # instance tag, object type, sampling frequency index
    outputs = [bits.u(4) for _ in ("front", "side", "back")]
    low_frequency, associated_data, coupling = bits.u(2), bits.u(3), bits.u(4)
    for mixdown in (4, 4, 3):  # mono, stereo, matrix
        if bits.flag():
            bits.skip(mixdown)
    channels = low_frequency
    for _ in range(sum(outputs)):
        channels += 2 if bits.flag() else 1  # a channel pair element or a single one
        bits.skip(4)
    bits.skip(4 * (low_frequency + associated_data) + 5 * coupling)
    bits.align()
    bits.skip(8 * bits.u(8))  # comment
    if not channels:
        raise AacError("program config without channels")
    return channels


def _read_sync_extension(bits: BitReader, config: AudioSpecificConfig) -> AudioSpecificConfig:
    """Backward compatible signalling of SBR and PS behind the core's configuration."""
    if bits.left < 16 or bits.u(11) != SBR_SYNC or _read_object_type(bits) != AOT_SBR or not bits.flag():
        return config
    extension_rate = _read_rate(bits)
    ps = bits.left >= 12 and bits.u(11) == PS_SYNC and bits.flag()
    return replace(config, sbr=True, ps=ps, extension_rate=extension_rate)


def audio_config(asc: bytes | memoryview) -> AudioConfig:
    """The track of an AudioSpecificConfig; its timescale is the core's sample rate. Raises AacError."""
    config = AudioSpecificConfig.parse(asc)
    if config.object_type not in PLAYABLE_TYPES:
        raise AacError(f"audio object type {config.object_type} is not played by browsers")
    entry = audio_sample_entry(b"mp4a", config.output_channels, config.rate, _esds(bytes(asc), config))
    return AudioConfig(config.codec, config.rate, config.output_channels, config.frame_length, entry)


def _esds(asc: bytes, config: AudioSpecificConfig) -> bytes:
    """Elementary stream descriptor; the greatest bit rate is the coder's limit, the average unknown (0)."""
    buffer_bits = BITS_PER_CHANNEL * config.channels
    max_bitrate = buffer_bits * config.rate // config.frame_length
    audio_stream = 5 << 2 | 1  # streamType, upStream 0, reserved 1
    fields = pack(">BB", AAC_OBJECT_TYPE, audio_stream) + (buffer_bits // 8).to_bytes(3, "big")
    decoder = fields + pack(">II", max_bitrate, 0) + _descriptor(DECODER_SPECIFIC_INFO, asc)
    stream = pack(">HB", 1, 0) + _descriptor(DECODER_CONFIG, decoder) + _descriptor(SL_CONFIG, b"\x02")
    return full_box(b"esds", 0, 0, _descriptor(ES_DESCRIPTOR, stream))


def _descriptor(tag: int, body: bytes) -> bytes:
    """ISO/IEC 14496-1 8.3.3, with the length in one byte: MAX_ASC_BYTES keeps every body under 128."""
    return bytes((tag, len(body))) + body


def asc_of(sample_entry: bytes | memoryview) -> bytes:
    """The AudioSpecificConfig within an `mp4a` sample entry, also QuickTime's. Raises AacError."""
    entry = bytes(sample_entry)
    version = int.from_bytes(entry[16:18], "big")
    children = {0: 36, 1: 52, 2: 72}.get(version)
    if children is None or len(entry) < children:
        raise AacError("not a sound sample entry")
    try:
        esds = find(entry, b"esds", start=children) or find(entry, b"wave", b"esds", start=children)
    except BoxError as error:
        raise AacError(f"sample entry: {error}") from None
    if esds is None:
        raise AacError("sample entry without esds")
    return _asc_of_esds(entry[esds.start + 4 : esds.end])


def _asc_of_esds(body: bytes) -> bytes:
    stream = _find_descriptor(body, ES_DESCRIPTOR)
    if len(stream) < 3:
        raise AacError("esds ends within its descriptor")
    skipped = 3
    flags = stream[2]
    if flags & 0x80:  # streamDependence
        skipped += 2
    if flags & 0x40:  # URL
        skipped += 1 + (stream[skipped] if skipped < len(stream) else 0)
    if flags & 0x20:  # OCR stream
        skipped += 2
    decoder = _find_descriptor(stream[skipped:], DECODER_CONFIG)
    if decoder[:1] != bytes((AAC_OBJECT_TYPE,)):
        raise AacError(f"object type {decoder[:1].hex() or 'missing'} is not AAC")
    return _find_descriptor(decoder[13:], DECODER_SPECIFIC_INFO)


def _find_descriptor(data: bytes, tag: int) -> bytes:
    """The body of the first descriptor of this tag. Raises AacError."""
    position = 0
    while position + 2 <= len(data):
        found = data[position]
        position, length = _descriptor_length(data, position + 1)
        if position + length > len(data):
            break
        if found == tag:
            return data[position : position + length]
        position += length
    raise AacError(f"esds without descriptor {tag}")


def _descriptor_length(data: bytes, position: int) -> tuple[int, int]:
    """Where the body begins, and its length, of which at most four bytes tell seven bits each."""
    length = 0
    for byte in data[position : position + 4]:
        position += 1
        length = length << 7 | byte & 0x7F
        if not byte & 0x80:
            break
    return position, length


def silent_frame(config: AudioConfig) -> bytes | None:
    """One raw frame of digital silence for the track's decoder; None where its layout has none here."""
    try:
        core = AudioSpecificConfig.parse(asc_of(config.sample_entry))
    except AacError:
        return None
    return SILENCE.get(core.channel_configuration)
