"""The codecs by their many names: ours, libav's, the four characters of a sample entry, RFC 6381 strings."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from server.formats.sample import TrackConfig


@dataclass(frozen=True, slots=True)
class Codec:
    """One row; `fourccs` are sample entry types, the first the one to write."""

    name: str  # libav's, which the probe reports
    title: str  # for people
    kind: Literal["video", "audio", "text"]
    fourccs: tuple[str, ...]
    hls: bool  # may be carried in fragmented MP4 over HLS (Apple's authoring rules, and what hls.js plays)


CODECS: tuple[Codec, ...] = (
    Codec("h264", "H.264", "video", ("avc1", "avc3"), True),
    Codec("hevc", "HEVC", "video", ("hvc1", "hev1"), True),
    Codec("av1", "AV1", "video", ("av01",), True),
    Codec("vp9", "VP9", "video", ("vp09",), True),
    Codec("vp8", "VP8", "video", ("vp08",), False),
    Codec("mpeg4", "MPEG-4 Visual", "video", ("mp4v",), False),
    Codec("aac", "AAC", "audio", ("mp4a",), True),
    Codec("opus", "Opus", "audio", ("Opus",), True),
    Codec("flac", "FLAC", "audio", ("fLaC",), True),
    Codec("ac3", "AC-3", "audio", ("ac-3",), True),
    Codec("eac3", "E-AC-3", "audio", ("ec-3",), True),
    Codec("alac", "ALAC", "audio", ("alac",), True),
    Codec("mp3", "MP3", "audio", (".mp3",), False),
    Codec("webvtt", "WebVTT", "text", ("wvtt",), True),
)
BY_NAME = {codec.name: codec for codec in CODECS}
BY_FOURCC = {fourcc: codec for codec in CODECS for fourcc in codec.fourccs}

FOURCC_SPELLINGS = {"opus": "Opus", "flac": "fLaC"}  # RFC 6381 strings of these come in lower case too
MP3_IN_MP4 = ("mp4a.6b", "mp4a.69", "mp4a.40.34")  # object types of MPEG-1/2 audio layer III


def codec_of(rfc6381: str) -> Codec | None:
    """The row of an RFC 6381 string such as avc1.64001f; None for one that is unknown here."""
    if rfc6381.lower() in MP3_IN_MP4:
        return BY_NAME["mp3"]
    fourcc = rfc6381.partition(".")[0]
    return BY_FOURCC.get(fourcc) or BY_FOURCC.get(FOURCC_SPELLINGS.get(fourcc, ""))


def codecs_attribute(configs: Iterable[TrackConfig]) -> tuple[str, ...]:
    """The CODECS of tracks that play together: each once, pictures first."""
    ordered = sorted(configs, key=lambda config: config.kind != "video")
    return tuple(dict.fromkeys(config.codec for config in ordered))
