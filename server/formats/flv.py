"""The bodies of FLV audio and video tags, which are also the payloads of RTMP messages 8 and 9.

Sources: Adobe, "Video File Format Specification", version 10.1, annex E.4.2 and E.4.3;
Veovera, "Enhanced RTMP" v2, for headers with a FourCC.

    video  | frame type 4 | codec 4 |  AVC: packet type 8, composition time SI24, data
           | 1 | frame type 3 | packet type 4 |  (ModEx …)  FourCC 32, (composition time SI24), data     Enhanced
    audio  | format 4 | rate 2 | size 1 | stereo 1 |  AAC: packet type 8, data
           | 9 (format) | packet type 4 |  (ModEx …)  FourCC 32, data                                    Enhanced
    tracks | header |  | multitrack type 4 | packet type 4 |  FourCC 32, then for each track
                       (FourCC 32 where they differ), track id 8, (size 24 where there are several), data

Times in a tag are milliseconds; the nanoseconds that a ModEx packet may add to them are left out. A codec that Sluice
does not take is named, so that a publisher can be told what was wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from server.formats import av1


class FlvError(ValueError):
    """The tag body does not parse."""


@dataclass(frozen=True, slots=True)
class VideoConfigRecord:
    """What the box of the codec holds: avcC, hvcC, av1C or vpcC; that of VP9 may begin with the box's version."""

    codec: str  # avc1, hvc1, av01 or vp09
    record: bytes
    track: int = 0


class VideoFrame(NamedTuple):
    """`data` is one access unit as in MP4 (of AV1 with its temporal delimiter), a view into the tag.

    `cts_ms` may be negative.
    """

    key: bool
    cts_ms: int
    data: memoryview
    codec: str = "avc1"
    track: int = 0


@dataclass(frozen=True, slots=True)
class VideoEnd:
    """End of sequence: no picture follows until the next configuration."""

    track: int = 0


@dataclass(frozen=True, slots=True)
class AudioConfigRecord:
    """AudioSpecificConfig of AAC, OpusHead, STREAMINFO of FLAC; empty for AC-3, which has none."""

    codec: str  # mp4a, Opus, fLaC, ac-3 or ec-3
    record: bytes
    track: int = 0


class AudioFrame(NamedTuple):
    """`data` is one coded frame, of AAC without ADTS."""

    data: bytes
    codec: str = "mp4a"
    track: int = 0


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A codec, or a way of packing it, that Sluice does not take; `codec` is a name for people."""

    codec: str
    track: int = 0


VideoTag = VideoConfigRecord | VideoFrame | VideoEnd | Unsupported
AudioTag = AudioConfigRecord | AudioFrame | Unsupported

_AVC = 7
_AAC = 10
_ENHANCED_AUDIO = 9  # SoundFormat that says: a FourCC follows
_KEY_FRAME = 1
_COMMAND_FRAME = 5  # "video info/command frame": a seek mark, no picture

# By CodecID. 12 and 13 were never standard, but many encoders send them, laid out as AVC is.
PLAIN_VIDEO: Mapping[int, str] = {_AVC: "avc1", 12: "hvc1", 13: "av01"}
VIDEO_CODECS: Mapping[int, str] = {
    1: "JPEG",
    2: "Sorenson H.263",
    3: "Screen video",
    4: "VP6",
    5: "VP6 with alpha",
    6: "Screen video 2",
    8: "H.263",
    9: "MPEG-4 part 2",
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

# By FourCC: those that are taken, and the names of others.
VIDEO_FOURCCS: Mapping[bytes, str] = {code.encode(): code for code in ("avc1", "hvc1", "av01", "vp09")}
AUDIO_FOURCCS: Mapping[bytes, str] = {code.encode(): code for code in ("mp4a", "Opus", "fLaC", "ac-3", "ec-3")}
FOURCC_NAMES: Mapping[bytes, str] = {b"vvc1": "VVC (vvc1)", b"vp08": "VP8 (vp08)", b".mp3": "MP3 (.mp3)"}
_WITH_COMPOSITION_TIME = frozenset(("avc1", "hvc1"))
_WITHOUT_RECORD = frozenset(("ac-3", "ec-3"))

# PacketType of an enhanced header; audio and video share these numbers where both have them.
_SEQUENCE_START = 0
_CODED_FRAMES = 1
_SEQUENCE_END = 2
_CODED_FRAMES_X = 3  # video: as CODED_FRAMES, composition time 0 left out
_TS_SEQUENCE_START = 5  # video: an MPEG-2 TS descriptor in place of the record
_VIDEO_MULTITRACK = 6
_AUDIO_MULTITRACK = 5
_MOD_EX = 7

_ONE_TRACK, _MANY_CODECS = 0, 2  # AvMultitrackType; 1 is many tracks of one codec
MAX_TRACKS = 32  # in one tag; more than are taken, so that the rest can be counted
MAX_MOD_EX = 8  # one behind the other; one is known


class _Part(NamedTuple):
    """One track's share of a tag: `start:end` of it, behind FourCC and track id."""

    packet: int
    fourcc: bytes
    track: int
    start: int
    end: int


def parse_video(payload: bytes) -> VideoFrame | list[VideoTag]:
    """The picture in a video tag's body; a list where it is not just that: empty (a seek mark, colour), or of any kind.

    Raises FlvError.
    """
    if len(payload) > 5 and payload[1] == 1 and ((first := payload[0]) == 0x27 or first == 0x17):
        cts_ms = int.from_bytes(payload[2:5], "big", signed=True)
        return VideoFrame(first == 0x17, cts_ms, memoryview(payload)[5:])
    if not payload:
        raise FlvError("video tag is empty")
    return _enhanced_video(payload) if payload[0] & 0x80 else _plain_video(payload)


def parse_audio(payload: bytes) -> AudioFrame | list[AudioTag]:
    """As parse_video; the list is empty for a tag without sound (empty, channel layout)."""
    if len(payload) > 2 and payload[1] == 1 and payload[0] >> 4 == _AAC:
        return AudioFrame(payload[2:])
    if not payload:
        raise FlvError("audio tag is empty")
    return _enhanced_audio(payload) if payload[0] >> 4 == _ENHANCED_AUDIO else _plain_audio(payload)


# --- without a FourCC


def _plain_video(payload: bytes) -> list[VideoTag]:
    kind, number = payload[0] >> 4, payload[0] & 15
    if kind == _COMMAND_FRAME:
        return []
    codec = PLAIN_VIDEO.get(number)
    if codec is None:
        return [Unsupported(VIDEO_CODECS.get(number, f"video codec {number}"))]
    if len(payload) < 5:
        raise FlvError(f"{codec} tag of {len(payload)} bytes")
    packet = payload[1]
    if packet == _SEQUENCE_START:
        return [_video_record(codec, payload[5:], 0)]
    if packet == _CODED_FRAMES:
        data = memoryview(payload)[5:]
        return [VideoFrame(kind == _KEY_FRAME, _si24(payload, 2), data, codec)] if data else []
    if packet == _SEQUENCE_END:
        return [VideoEnd()]
    raise FlvError(f"{codec} packet type {packet}")


def _plain_audio(payload: bytes) -> list[AudioTag]:
    sound = payload[0] >> 4
    if sound != _AAC:
        return [Unsupported(AUDIO_FORMATS.get(sound, f"sound format {sound}"))]
    if len(payload) < 2:
        raise FlvError("AAC tag of 1 byte")
    packet = payload[1]
    if packet == _SEQUENCE_START:
        return [_audio_record("mp4a", payload[2:], 0)]
    if packet == _CODED_FRAMES:
        return [AudioFrame(payload[2:])] if len(payload) > 2 else []
    raise FlvError(f"AAC packet type {packet}")


def _si24(payload: bytes, at: int) -> int:
    return int.from_bytes(payload[at : at + 3], "big", signed=True)


def _video_record(codec: str, record: bytes, track: int) -> VideoConfigRecord:
    if not record:
        raise FlvError(f"{codec} sequence header is empty")
    return VideoConfigRecord(codec, record, track)


def _audio_record(codec: str, record: bytes, track: int) -> AudioConfigRecord:
    if not record and codec not in _WITHOUT_RECORD:
        raise FlvError(f"{codec} sequence header is empty")
    return AudioConfigRecord(codec, record, track)


# --- Enhanced RTMP


def _enhanced_video(payload: bytes) -> list[VideoTag]:
    kind, packet = payload[0] >> 4 & 7, payload[0] & 15
    packet, at = _behind_mod_ex(payload, packet)
    if kind == _COMMAND_FRAME:
        return []  # also colour metadata, which encoders send in one
    parts = _parts(payload, packet, at, _VIDEO_MULTITRACK)
    return [tag for part in parts if (tag := _video_of(payload, part, kind == _KEY_FRAME)) is not None]


def _enhanced_audio(payload: bytes) -> list[AudioTag]:
    packet, at = _behind_mod_ex(payload, payload[0] & 15)
    parts = _parts(payload, packet, at, _AUDIO_MULTITRACK)
    return [tag for part in parts if (tag := _audio_of(payload, part)) is not None]


def _behind_mod_ex(payload: bytes, packet: int) -> tuple[int, int]:
    """The packet type behind any number of ModEx packets, and where it goes on.

    Each: size 8 (255: size 16 follows), that many and one bytes of data, ModEx type 4, packet type 4.
    """
    at = 1
    for _ in range(MAX_MOD_EX):
        if packet != _MOD_EX:
            return packet, at
        size = int.from_bytes(payload[at : at + 1], "big") + 1
        at += 1
        if size == 256:
            size = int.from_bytes(payload[at : at + 2], "big") + 1
            at += 2
        at += size
        if at >= len(payload):
            raise FlvError("a tag ends within a ModEx packet")
        packet = payload[at] & 15
        at += 1
    raise FlvError(f"more than {MAX_MOD_EX} ModEx packets")


def _parts(payload: bytes, packet: int, at: int, multitrack: int) -> Iterator[_Part]:
    if packet != multitrack:
        yield _Part(packet, _fourcc(payload, at), 0, at + 4, len(payload))
        return
    if at >= len(payload):
        raise FlvError("a multitrack tag ends within its header")
    kind, packet = payload[at] >> 4, payload[at] & 15
    if kind > _MANY_CODECS or packet == multitrack:
        raise FlvError(f"multitrack type {kind} of packet type {packet}")
    at += 1
    fourcc = b""
    if kind != _MANY_CODECS:
        fourcc = _fourcc(payload, at)
        at += 4
    for _ in range(MAX_TRACKS):
        part = _track(payload, at, kind, packet, fourcc)
        yield part
        at = part.end
        if at >= len(payload):
            return
    raise FlvError(f"more than {MAX_TRACKS} tracks in a tag")


def _track(payload: bytes, at: int, kind: int, packet: int, fourcc: bytes) -> _Part:
    if kind == _MANY_CODECS:
        fourcc = _fourcc(payload, at)
        at += 4
    if at >= len(payload):
        raise FlvError("a multitrack tag ends before a track id")
    track, start, end = payload[at], at + 1, len(payload)
    if kind != _ONE_TRACK:
        start += 3
        end = start + int.from_bytes(payload[at + 1 : start], "big")
        if start > len(payload) or end > len(payload):
            raise FlvError(f"a multitrack tag ends within track {track}")
    return _Part(packet, fourcc, track, start, end)


def _fourcc(payload: bytes, at: int) -> bytes:
    if len(payload) < at + 4:
        raise FlvError("a tag ends before its FourCC")
    return payload[at : at + 4]


def _video_of(payload: bytes, part: _Part, key: bool) -> VideoTag | None:
    packet, fourcc, track, start, end = part
    codec = VIDEO_FOURCCS.get(fourcc)
    if codec is None:
        return Unsupported(_codec_name(fourcc), track)
    if packet in (_CODED_FRAMES, _CODED_FRAMES_X):
        cts_ms = 0
        if packet == _CODED_FRAMES and codec in _WITH_COMPOSITION_TIME:
            if start + 3 > end:
                raise FlvError(f"{codec} tag ends within its composition time")
            cts_ms = _si24(payload, start)
            start += 3
        return VideoFrame(key, cts_ms, memoryview(payload)[start:end], codec, track) if end > start else None
    if packet == _SEQUENCE_START:
        return _video_record(codec, payload[start:end], track)
    if packet == _TS_SEQUENCE_START:
        return _described(codec, payload[start:end], track)
    if packet == _SEQUENCE_END:
        return VideoEnd(track)
    return None  # metadata; and "process unknown packet types as if they were absent"


def _described(codec: str, descriptor: bytes, track: int) -> VideoTag:
    """Enhanced RTMP knows descriptors of AV1 only."""
    if codec != "av01":
        return Unsupported(f"MPEG-2 TS descriptor of {codec}", track)
    try:
        return VideoConfigRecord(codec, av1.descriptor_record(descriptor), track)
    except av1.Av1Error as error:
        raise FlvError(str(error)) from None


def _audio_of(payload: bytes, part: _Part) -> AudioTag | None:
    packet, fourcc, track, start, end = part
    codec = AUDIO_FOURCCS.get(fourcc)
    if codec is None:
        return Unsupported(_codec_name(fourcc), track)
    if packet == _CODED_FRAMES:
        return AudioFrame(payload[start:end], codec, track) if end > start else None
    if packet == _SEQUENCE_START:
        return _audio_record(codec, payload[start:end], track)
    return None  # end of sequence, channel layout


def _codec_name(fourcc: bytes) -> str:
    return FOURCC_NAMES.get(fourcc) or f"codec {fourcc.decode('ascii', 'backslashreplace')!r}"
