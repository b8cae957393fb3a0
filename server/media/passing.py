"""Which streams can be copied into fragmented MP4 as they are, and their configurations. No libav: bytes come in.

What browsers decode decides, and what the container carries; the reason against a stream is a sentence.
"""

from collections.abc import Callable
from dataclasses import dataclass

from server.formats import ac3, annexb, av1, avc, flac, hevc, opus, vp9
from server.formats.aac import AacError, audio_config
from server.formats.adts import AdtsHeader
from server.formats.annexb import AnnexBError
from server.formats.avc import AvcDecoderConfiguration, AvcError
from server.formats.fmp4.movie import MAX_GOP_S, MAX_PIXELS, WEB_PROFILES
from server.formats.hevc_sps import HevcError
from server.formats.sample import AudioConfig, VideoConfig

MAX_UNITS = 4096  # NAL units of a picture: slices of the largest level, and more
HEVC_PROFILES = ("1", "2")  # main and main 10 (H.265 A.3), the first field of the RFC 6381 string after hvc1
FORMAT_ERRORS = (
    AacError, AvcError, HevcError, AnnexBError, av1.Av1Error, vp9.Vp9Error, opus.OpusError, flac.FlacError,
    ac3.Ac3Error,
)  # fmt: skip


class Unpassable(Exception):
    """The stream can't be passed through; `reason` is a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Coded:
    """A stream as a demuxer gives it: its codec, the private data of the container, its first whole packet."""

    codec: str
    extradata: bytes
    first: bytes


def video_config(coded: Coded) -> VideoConfig:
    """The track that passes the pictures through. Raises Unpassable."""
    maker = VIDEO.get(coded.codec)
    if maker is None:
        raise _not_carried(coded)
    try:
        return maker(coded)
    except FORMAT_ERRORS as error:
        raise _odd(coded, error) from error


def sound_config(coded: Coded) -> AudioConfig:
    """The same of sound. Raises Unpassable."""
    maker = SOUND.get(coded.codec)
    if maker is None:
        raise _not_carried(coded)
    try:
        return maker(coded)
    except FORMAT_ERRORS as error:
        raise _odd(coded, error) from error


def _not_carried(coded: Coded) -> Unpassable:
    return Unpassable(f"browsers do not play {coded.codec} in fragmented MP4")


def _odd(coded: Coded, error: Exception) -> Unpassable:
    return Unpassable(f"its {coded.codec} can't be carried in fragmented MP4: {error}")


def is_byte_stream(coded: Coded) -> bool:
    """Whether H.264 or HEVC come with start codes rather than lengths (no avcC or hvcC, which begin with 1)."""
    return coded.extradata[:1] != b"\x01"


def _avc(coded: Coded) -> VideoConfig:
    record = coded.extradata
    if is_byte_stream(coded):
        units = annexb.nal_units(coded.extradata, MAX_UNITS) + annexb.nal_units(coded.first, MAX_UNITS)
        sps = [unit for unit in units if unit[0] & 31 == avc.NAL_SPS]
        pps = [unit for unit in units if unit[0] & 31 == avc.NAL_PPS]
        record = avc.record_of(list(dict.fromkeys(sps)), list(dict.fromkeys(pps)))
    profile = AvcDecoderConfiguration.parse(record).profile
    if profile not in WEB_PROFILES:
        raise Unpassable(f"browsers do not play H.264 profile {profile} (10-bit, 4:2:2 or the like)")
    return _sized(avc.video_config(record))


def _hevc(coded: Coded) -> VideoConfig:
    if is_byte_stream(coded):
        units = annexb.nal_units(coded.extradata, MAX_UNITS) + annexb.nal_units(coded.first, MAX_UNITS)
        config = hevc.parameter_sets_config(dict.fromkeys(units))
    else:
        config = hevc.video_config(coded.extradata)
    if config.codec.split(".")[1] not in HEVC_PROFILES:
        raise Unpassable(f"browsers do not play this profile of HEVC ({config.codec})")
    return _sized(config)


def _av1(coded: Coded) -> VideoConfig:
    header = av1.config_header(coded.extradata) if coded.extradata else None
    header = header or av1.sequence_header(coded.first)
    if header is None:
        raise Unpassable("its first picture is no key frame of AV1")
    config = av1.header_config(header)
    if not config.codec.startswith("av01.0."):
        raise Unpassable(f"browsers do not play this profile of AV1 ({config.codec})")
    return _sized(config)


def _vp9(coded: Coded) -> VideoConfig:
    config = vp9.video_config(coded.first)
    if config.codec[5:7] not in ("00", "02"):
        raise Unpassable(f"browsers do not play this profile of VP9 ({config.codec})")
    return _sized(config)


def _sized(config: VideoConfig) -> VideoConfig:
    if config.width * config.height > MAX_PIXELS:
        raise Unpassable(f"its pictures of {config.width}×{config.height} are larger than browsers play")
    return config


def _aac(coded: Coded) -> AudioConfig:
    return audio_config(coded.extradata or AdtsHeader.parse(coded.first).asc)


def _opus(coded: Coded) -> AudioConfig:
    return opus.audio_config(coded.extradata, opus.packet_samples(coded.first))


def _flac(coded: Coded) -> AudioConfig:
    return flac.audio_config(coded.extradata[-flac.STREAMINFO_BYTES :])


def _ac3(coded: Coded) -> AudioConfig:
    return ac3.audio_config(coded.first)


VIDEO: dict[str, Callable[[Coded], VideoConfig]] = {"h264": _avc, "hevc": _hevc, "av1": _av1, "vp9": _vp9}
SOUND: dict[str, Callable[[Coded], AudioConfig]] = {
    "aac": _aac, "opus": _opus, "flac": _flac, "ac3": _ac3, "eac3": _ac3,
}  # fmt: skip


def check_keys(interval_s: float | None) -> None:
    """Raise Unpassable where key frames are too far apart for segments."""
    if interval_s is not None and interval_s > MAX_GOP_S:
        raise Unpassable(f"its key frames are up to {interval_s:.1f} s apart, more than {MAX_GOP_S} s")
