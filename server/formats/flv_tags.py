"""Writing the bodies of FLV audio and video tags, which are also the payloads of RTMP messages 8 and 9.

The other side of `flv`: H.264 and AAC in Adobe's layout, which everybody reads; every other codec, and every track
but the main one, in that of Enhanced RTMP. A codec is named by its sample entry's four characters.
"""

from collections.abc import Mapping

from server.formats import aac, opus
from server.formats.amf0 import Value
from server.formats.fmp4.box import BoxError, find
from server.formats.sample import AudioConfig, TrackConfig, VideoConfig

AUDIO, VIDEO = 8, 9  # types of tags, and of RTMP messages
VIDEO_CODECS = frozenset(("avc1", "hvc1", "av01", "vp09"))
AUDIO_CODECS = frozenset(("mp4a", "Opus", "fLaC", "ac-3", "ec-3"))

VISUAL_CHILDREN, SOUND_CHILDREN = 86, 36  # where the boxes of a sample entry begin (ISO/IEC 14496-12 12.1.3, 12.2.3)
RECORDS = {"avc1": b"avcC", "hvc1": b"hvcC", "av01": b"av1C", "vp09": b"vpcC", "Opus": b"dOps", "fLaC": b"dfLa"}
STREAMINFO = slice(8, None)  # of dfLa: behind the box's version and the block's header

_WITH_COMPOSITION_TIME = frozenset(("avc1", "hvc1"))
_KEY, _INTER = 0x10, 0x20
_ENHANCED = 0x80
_SEQUENCE_START, _CODED_FRAMES = 0, 1
_VIDEO_MULTITRACK, _AUDIO_MULTITRACK = 6, 5
_ENHANCED_AUDIO = 0x90  # SoundFormat 9
_AAC = 0xAF  # "44 kHz, 16 bits, stereo", whatever it is: the AudioSpecificConfig rules (E.4.2.1)
_LEGACY_IDS: Mapping[str, float] = {"avc1": 7, "mp4a": 10}  # videocodecid and audiocodecid of onMetaData


class FlvTagError(ValueError):
    """The track is of a codec that FLV tags can't carry."""


def fourcc(config: TrackConfig) -> str:
    """The codec in four characters. Raises FlvTagError."""
    found = config.sample_entry[4:8].decode("latin-1")
    if found not in (VIDEO_CODECS if isinstance(config, VideoConfig) else AUDIO_CODECS):
        raise FlvTagError(f"FLV can't carry {config.codec}")
    return found


def sequence_header(config: TrackConfig, track: int = 0) -> bytes:
    """The tag that must come before a track's frames. Raises FlvTagError."""
    codec, record = fourcc(config), _record(config)
    if isinstance(config, VideoConfig):
        if codec == "avc1" and not track:
            return b"\x17\0\0\0\0" + record
        return _video_head(codec, _KEY, _SEQUENCE_START, track) + record
    if codec == "mp4a" and not track:
        return bytes((_AAC, _SEQUENCE_START)) + record
    return _audio_head(codec, _SEQUENCE_START, track) + record


def video_tag(codec: str, key: bool, cts_ms: int, data: bytes | memoryview, track: int = 0) -> bytes:
    """One picture as a sample has it; `cts_ms` is left out where the codec has none."""
    kind = _KEY if key else _INTER
    cts = cts_ms.to_bytes(3, "big", signed=True) if codec in _WITH_COMPOSITION_TIME else b""
    if codec == "avc1" and not track:
        return b"".join((bytes((kind | 7, _CODED_FRAMES)), cts, data))
    return b"".join((_video_head(codec, kind, _CODED_FRAMES, track), cts, data))


def audio_tag(codec: str, data: bytes | memoryview, track: int = 0) -> bytes:
    """One frame of sound."""
    if codec == "mp4a" and not track:
        return b"".join((b"\xaf\x01", data))
    return b"".join((_audio_head(codec, _CODED_FRAMES, track), data))


def metadata(configs: Mapping[str, TrackConfig]) -> dict[str, Value]:
    """onMetaData of the main tracks, `video` and `audio`. Raises FlvTagError."""
    found: dict[str, Value] = {}
    video, audio = configs.get("video"), configs.get("audio")
    if isinstance(video, VideoConfig):
        found |= {"width": float(video.width), "height": float(video.height), "videocodecid": _number(video)}
    if isinstance(audio, AudioConfig):
        found |= {
            "audiosamplerate": float(audio.timescale),
            "stereo": audio.channels > 1,
            "audiochannels": float(audio.channels),
            "audiocodecid": _number(audio),
        }
    return found


def _number(config: TrackConfig) -> float:
    """The codec as onMetaData has it: Adobe's number, or the FourCC as one (Enhanced RTMP)."""
    codec = fourcc(config)
    return _LEGACY_IDS.get(codec) or float(int.from_bytes(codec.encode(), "big"))


def _video_head(codec: str, kind: int, packet: int, track: int) -> bytes:
    if track:  # one track in a multitrack tag
        return bytes((_ENHANCED | kind | _VIDEO_MULTITRACK, packet)) + codec.encode() + bytes((track,))
    return bytes((_ENHANCED | kind | packet,)) + codec.encode()


def _audio_head(codec: str, packet: int, track: int) -> bytes:
    if track:
        return bytes((_ENHANCED_AUDIO | _AUDIO_MULTITRACK, packet)) + codec.encode() + bytes((track,))
    return bytes((_ENHANCED_AUDIO | packet,)) + codec.encode()


def _record(config: TrackConfig) -> bytes:
    """What the codec's box in the sample entry holds, as RTMP has it."""
    codec, entry = fourcc(config), config.sample_entry
    try:
        if codec == "mp4a":
            return aac.asc_of(entry)
        if codec not in RECORDS:
            return b""  # AC-3 has none
        start = VISUAL_CHILDREN if isinstance(config, VideoConfig) else SOUND_CHILDREN
        box = find(entry, RECORDS[codec], start=start)
        if box is None:
            raise FlvTagError(f"a sample entry without {RECORDS[codec].decode()}")
        payload = entry[box.start : box.end]
        if codec == "Opus":
            return opus.OpusHead.of_dops(payload).write()
    except (aac.AacError, opus.OpusError, BoxError) as error:
        raise FlvTagError(str(error)) from None
    return payload[STREAMINFO] if codec == "fLaC" else payload
