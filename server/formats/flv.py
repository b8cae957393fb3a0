"""The bodies of FLV audio and video tags, which are also the payloads of RTMP messages 8 and 9.

Sources: Adobe, "Video File Format Specification", version 10.1, annex E.4.2 and E.4.3;
Veovera, "Enhanced RTMP" v2, for headers with a FourCC.

    video  | frame type 4 | codec 4 |  AVC: packet type 8, composition time SI24, data
           | 1 | frame type 3 | packet type 4 |  FourCC 32, (composition time SI24), data     Enhanced
    audio  | format 4 | rate 2 | size 1 | stereo 1 |  AAC: packet type 8, data
           | 9 (format) | packet type 4 |  FourCC 32, data                                    Enhanced

Times in a tag are milliseconds. Only AVC and AAC become values; every other codec is named, so that a
publisher can be told what was wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class FlvError(ValueError):
    """The tag body does not parse."""


@dataclass(frozen=True, slots=True)
class VideoConfigRecord:
    """`avcc` is an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""

    avcc: bytes


class VideoFrame(NamedTuple):
    """`data` is one access unit with length prefixes, a view into the tag; `cts_ms` may be negative."""

    key: bool
    cts_ms: int
    data: memoryview


@dataclass(frozen=True, slots=True)
class VideoEnd:
    """End of sequence: no picture follows until the next configuration."""


@dataclass(frozen=True, slots=True)
class AudioConfigRecord:
    """`asc` is an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1)."""

    asc: bytes


class AudioFrame(NamedTuple):
    """`data` is one raw AAC frame, without ADTS."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A codec, or a way of packing it, that Sluice does not take; `codec` is a name for people."""

    codec: str


VideoTag = VideoConfigRecord | VideoFrame | VideoEnd | Unsupported
AudioTag = AudioConfigRecord | AudioFrame | Unsupported

_AVC = 7
_AAC = 10
_ENHANCED_AUDIO = 9  # SoundFormat that says: a FourCC follows
_KEY_FRAME = 1
_COMMAND_FRAME = 5  # "video info/command frame": a seek mark, no picture

VIDEO_CODECS: Mapping[int, str] = {
    1: "JPEG",
    2: "Sorenson H.263",
    3: "Screen video",
    4: "VP6",
    5: "VP6 with alpha",
    6: "Screen video 2",
    8: "H.263",
    9: "MPEG-4 part 2",
    12: "HEVC (codec id 12)",  # never standard, but sent by many encoders before Enhanced RTMP
    13: "AV1 (codec id 13)",
}
AUDIO_FORMATS: Mapping[int, str] = {
    0: "PCM",
    1: "ADPCM",
    2: "MP3",
    3: "PCM, little-endian",
    4: "Nellymoser 16 kHz",
    5: "Nellymoser 8 kHz",
    6: "Nellymoser",
    7: "G.711 A-law",
    8: "G.711 mu-law",
    11: "Speex",
    13: "Opus (format 13)",
    14: "MP3 8 kHz",
    15: "device-specific sound",
}
FOURCC_NAMES: Mapping[bytes, str] = {
    b"hvc1": "HEVC (hvc1)",
    b"vvc1": "VVC (vvc1)",
    b"av01": "AV1 (av01)",
    b"vp08": "VP8 (vp08)",
    b"vp09": "VP9 (vp09)",
    b"Opus": "Opus",
    b"fLaC": "FLAC (fLaC)",
    b"ac-3": "AC-3 (ac-3)",
    b"ec-3": "E-AC-3 (ec-3)",
    b".mp3": "MP3 (.mp3)",
}

# PacketType of an enhanced header; audio and video share these numbers where both have them.
_SEQUENCE_START = 0
_CODED_FRAMES = 1
_SEQUENCE_END = 2
_CODED_FRAMES_X = 3  # video: as CODED_FRAMES, composition time 0 left out
_UNSUPPORTED_VIDEO_PACKETS: Mapping[int, str] = {
    5: "MPEG-2 TS sequence start",
    6: "multitrack video",
    7: "ModEx packet",
}
_UNSUPPORTED_AUDIO_PACKETS: Mapping[int, str] = {5: "multitrack audio", 7: "ModEx packet"}


def parse_video(payload: bytes) -> VideoTag | None:
    """The value of a video tag's body, or None for one without a picture (a seek mark, colour metadata)."""
    if len(payload) > 5 and payload[1] == 1 and ((first := payload[0]) == 0x27 or first == 0x17):
        cts_ms = int.from_bytes(payload[2:5], "big", signed=True)
        return VideoFrame(first == 0x17, cts_ms, memoryview(payload)[5:])
    return _video(payload)


def parse_audio(payload: bytes) -> AudioTag | None:
    """The value of an audio tag's body, or None for one without a frame (empty, channel layout)."""
    if len(payload) > 2 and payload[1] == 1 and payload[0] >> 4 == _AAC:
        return AudioFrame(payload[2:])
    return _audio(payload)


def _si24(payload: bytes, at: int) -> int:
    return int.from_bytes(payload[at : at + 3], "big", signed=True)


def _video(payload: bytes) -> VideoTag | None:
    if not payload:
        raise FlvError("video tag is empty")
    if payload[0] & 0x80:
        return _enhanced_video(payload)
    kind, codec = payload[0] >> 4, payload[0] & 15
    if kind == _COMMAND_FRAME:
        return None
    if codec != _AVC:
        return Unsupported(VIDEO_CODECS.get(codec, f"video codec {codec}"))
    if len(payload) < 5:
        raise FlvError(f"AVC tag of {len(payload)} bytes")
    return _avc(payload[1], kind == _KEY_FRAME, _si24(payload, 2), payload, 5)


def _avc(packet: int, key: bool, cts_ms: int, payload: bytes, at: int) -> VideoTag | None:
    """AVC packet types 0 to 2 are also the first three of the enhanced ones."""
    if packet == _SEQUENCE_START:
        if len(payload) == at:
            raise FlvError("AVC sequence header is empty")
        return VideoConfigRecord(payload[at:])
    if packet == _CODED_FRAMES:
        return VideoFrame(key, cts_ms, memoryview(payload)[at:]) if len(payload) > at else None
    if packet == _SEQUENCE_END:
        return VideoEnd()
    raise FlvError(f"AVC packet type {packet}")


def _enhanced_video(payload: bytes) -> VideoTag | None:
    kind, packet = payload[0] >> 4 & 7, payload[0] & 15
    if kind == _COMMAND_FRAME:
        return None
    if packet in _UNSUPPORTED_VIDEO_PACKETS:
        return Unsupported(_UNSUPPORTED_VIDEO_PACKETS[packet])
    fourcc = _fourcc(payload, "video")
    if fourcc != b"avc1":
        return Unsupported(_codec_name(fourcc))
    if packet == _CODED_FRAMES:
        if len(payload) < 8:
            raise FlvError(f"enhanced AVC tag of {len(payload)} bytes")
        return _avc(packet, kind == _KEY_FRAME, _si24(payload, 5), payload, 8)
    if packet == _CODED_FRAMES_X:
        return _avc(_CODED_FRAMES, kind == _KEY_FRAME, 0, payload, 5)
    if packet in (_SEQUENCE_START, _SEQUENCE_END):
        return _avc(packet, kind == _KEY_FRAME, 0, payload, 5)
    return None  # metadata such as colorInfo; and "process unknown packet types as if they were absent"


def _audio(payload: bytes) -> AudioTag | None:
    if not payload:
        raise FlvError("audio tag is empty")
    sound = payload[0] >> 4
    if sound == _ENHANCED_AUDIO:
        return _enhanced_audio(payload)
    if sound != _AAC:
        return Unsupported(AUDIO_FORMATS.get(sound, f"sound format {sound}"))
    if len(payload) < 2:
        raise FlvError("AAC tag of 1 byte")
    return _aac(payload[1], payload, 2)


def _aac(packet: int, payload: bytes, at: int) -> AudioTag | None:
    if packet == _SEQUENCE_START:
        if len(payload) == at:
            raise FlvError("AAC sequence header is empty")
        return AudioConfigRecord(payload[at:])
    if packet == _CODED_FRAMES:
        return AudioFrame(payload[at:]) if len(payload) > at else None
    raise FlvError(f"AAC packet type {packet}")


def _enhanced_audio(payload: bytes) -> AudioTag | None:
    packet = payload[0] & 15
    if packet in _UNSUPPORTED_AUDIO_PACKETS:
        return Unsupported(_UNSUPPORTED_AUDIO_PACKETS[packet])
    fourcc = _fourcc(payload, "audio")
    if fourcc != b"mp4a":
        return Unsupported(_codec_name(fourcc))
    if packet in (_SEQUENCE_START, _CODED_FRAMES):
        return _aac(packet, payload, 5)
    return None  # end of sequence, channel layout


def _fourcc(payload: bytes, kind: str) -> bytes:
    if len(payload) < 5:
        raise FlvError(f"enhanced {kind} tag of {len(payload)} bytes")
    return payload[1:5]


def _codec_name(fourcc: bytes) -> str:
    return FOURCC_NAMES.get(fourcc) or f"codec {fourcc.decode('ascii', 'backslashreplace')!r}"
