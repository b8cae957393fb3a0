"""The values that every format, the timeline and the packager speak in: samples and track configurations."""

from dataclasses import dataclass
from typing import NamedTuple


class Sample(NamedTuple):
    """One coded picture or audio frame.

    `dts` and `cts` are ticks of the track's timescale; the presentation time is `dts + cts`.
    `data` is a picture (NAL units with 4-byte lengths for H.264 and HEVC, a temporal unit without its delimiter for
    AV1, a frame for VP9) or one raw frame of sound.
    """

    dts: int
    cts: int
    key: bool
    data: bytes | memoryview

    @property
    def pts(self) -> int:
        return self.dts + self.cts


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """What a decoder needs before the first picture; equal configurations need no new init segment."""

    codec: str  # RFC 6381, such as avc1.64001f
    timescale: int  # ticks a second
    width: int  # coded picture after cropping, pixels
    height: int
    sample_entry: bytes  # the whole stsd entry box (avc1 with avcC and pasp)
    sar: tuple[int, int] = (1, 1)  # sample aspect ratio
    rotation: int = 0  # degrees clockwise the picture is to be shown: 0, 90, 180, 270
    language: str = ""  # as the publisher says it: BCP 47 or ISO 639
    title: str = ""  # what people read, where there are several tracks

    @property
    def kind(self) -> str:
        return "video"


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """As VideoConfig, for sound."""

    codec: str  # RFC 6381, such as mp4a.40.2
    timescale: int  # the sample rate of the coded frames, hertz
    channels: int
    frame_length: int  # samples in a frame, in timescale ticks (1024 for AAC-LC); 0: only their timestamps tell
    sample_entry: bytes
    language: str = ""  # as of pictures
    title: str = ""

    @property
    def kind(self) -> str:
        return "audio"


TrackConfig = VideoConfig | AudioConfig
