"""Opus: the identification header, the sample entry that carries it, how long a packet lasts, silence.

Sources: RFC 6716 3.1 (TOC byte), RFC 7845 5.1 (identification header), "Encapsulation of Opus in ISO Base Media
File Format" 4.3.2 (dOps).
"""

from dataclasses import dataclass
from struct import Struct

from server.formats.fmp4.box import audio_sample_entry, box
from server.formats.sample import AudioConfig

RATE = 48_000  # hertz: what every Opus decoder counts in, whatever it was made from
MAGIC = b"OpusHead"
FRAME_20_MS = 960
MAX_PACKET = 5_760  # 120 ms (RFC 6716 2.1.4)
MAX_HEAD = 21 + 255  # bytes: the header with the longest channel mapping

# Samples in a frame by the configuration number, upper five bits of the TOC byte (RFC 6716 table 2).
FRAME_SAMPLES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4

# One packet of a coder at rest: CELT, full band, 20 ms, one empty frame, which decoders conceal as silence
# (RFC 6716 2.1.9 calls it DTX). Mono and stereo differ by one bit of the TOC byte.
SILENCE = {1: b"\xf8\xff\xfe", 2: b"\xfc\xff\xfe"}

_HEAD = Struct("<BBHIhB")
_DOPS = Struct(">BBHIhB")


class OpusError(ValueError):
    """The bytes are not the Opus structure they claim to be."""


@dataclass(frozen=True, slots=True)
class OpusHead:
    """The identification header, which is also the Opus sequence header of RTMP."""

    channels: int
    pre_skip: int  # samples at 48 kHz to throw away at the start
    input_rate: int  # hertz of what was coded; for people
    gain: int  # Q7.8 decibels
    mapping: bytes  # family, and of any but family 0: stream count, coupled count, one byte a channel

    @classmethod
    def parse(cls, data: bytes | memoryview) -> "OpusHead":
        """Raises OpusError."""
        data = bytes(data)
        if data[:8] != MAGIC:
            raise OpusError("not an OpusHead")
        if len(data) < 19:
            raise OpusError(f"OpusHead of {len(data)} bytes")
        version, channels, pre_skip, input_rate, gain, family = _HEAD.unpack_from(data, 8)
        if version >> 4:
            raise OpusError(f"OpusHead version {version}")
        return cls(channels, pre_skip, input_rate, gain, _mapping(family, channels, data[18:]))

    @classmethod
    def of_dops(cls, data: bytes | memoryview) -> "OpusHead":
        """Of the payload of a dOps box. Raises OpusError."""
        data = bytes(data)
        if len(data) < _DOPS.size:
            raise OpusError(f"dOps of {len(data)} bytes")
        version, channels, pre_skip, input_rate, gain, family = _DOPS.unpack_from(data)
        if version:
            raise OpusError(f"dOps version {version}")
        return cls(channels, pre_skip, input_rate, gain, _mapping(family, channels, data[10:]))

    @classmethod
    def of(cls, channels: int, pre_skip: int = 0) -> "OpusHead":
        """Of a stream that has none, as in MPEG-TS; mono or stereo."""
        if channels not in (1, 2):
            raise OpusError(f"{channels} channels need a mapping")
        return cls(channels, pre_skip, RATE, 0, b"\0")

    def write(self) -> bytes:
        fields = _HEAD.pack(1, self.channels, self.pre_skip, self.input_rate, self.gain, self.mapping[0])
        return MAGIC + fields + self.mapping[1:]

    def dops(self) -> bytes:
        """The payload of the dOps box: the same fields, the other way around."""
        fields = _DOPS.pack(0, self.channels, self.pre_skip, self.input_rate, self.gain, self.mapping[0])
        return fields + self.mapping[1:]


def _mapping(family: int, channels: int, data: bytes) -> bytes:
    """RFC 7845 5.1.1; `data` begins with the family."""
    if family == 0:
        if channels not in (1, 2):
            raise OpusError(f"{channels} channels in mapping family 0")
        return b"\0"
    if not channels:
        raise OpusError("OpusHead without channels")
    mapping = data[: 3 + channels]
    if len(mapping) < 3 + channels:
        raise OpusError("OpusHead ends within its channel mapping")
    streams, coupled = mapping[1], mapping[2]
    if not streams or coupled > streams or streams + coupled > 255:
        raise OpusError(f"{streams} streams of which {coupled} are coupled")
    if any(index >= streams + coupled and index != 255 for index in mapping[3:]):
        raise OpusError("a channel of no stream")
    return mapping


def audio_config(head: bytes | memoryview, frame_length: int = FRAME_20_MS) -> AudioConfig:
    """The track of an identification header, whose packets last `frame_length` samples. Raises OpusError.

    The header does not tell how long packets are: `packet_samples` of the first one does.
    """
    return track(OpusHead.parse(head), frame_length)


def track(head: OpusHead, frame_length: int = FRAME_20_MS) -> AudioConfig:
    """As audio_config, of a parsed header."""
    entry = audio_sample_entry(b"Opus", head.channels, RATE, box(b"dOps", head.dops()))
    return AudioConfig("Opus", RATE, head.channels, frame_length, entry)


def packet_samples(packet: bytes | memoryview) -> int:
    """How long a packet lasts, in samples at 48 kHz. Raises OpusError."""
    if not packet:
        raise OpusError("an empty packet")
    toc = packet[0]
    code = toc & 3
    if code == 3 and len(packet) < 2:
        raise OpusError("a packet ends before its frame count")
    frames = (1, 2, 2, packet[1] & 63 if code == 3 else 0)[code]
    samples = FRAME_SAMPLES[toc >> 3] * frames
    if not 0 < samples <= MAX_PACKET:
        raise OpusError(f"a packet of {samples} samples")
    return samples
