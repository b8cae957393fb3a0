"""What a child that encodes is told, and what it says of what it made. Pure; JSON on the way.

Times are ticks of TIMESCALE from the presentation's start, where the first picture or sound is 0. Segment n is shown
from cuts[n] to cuts[n + 1].
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from server.media import ticks
from server.media.ladder import Rung
from server.media.tone import Transfer
from server.media.watermarks import Watermark

TIMESCALE = ticks.TIMESCALE
RATES = (48_000, 44_100)  # that sound is encoded with; other rates become the first
LOOKAHEAD = 10  # what libx264 veryfast has


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source is read: by our own index, or by libav as one container."""

    demuxer: str = ""  # libav's
    stream: int = 0  # libav's index of it
    start_s: float = 0.0  # libav's time that the presentation calls 0
    indexed: bool = False
    offset: int = 0  # of an indexed track: presentation time is that of its sample and this, in the track's ticks
    mended: bool = False  # its clock begins anew in the middle: what comes then is put behind what was


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done to pictures before they are scaled."""

    rotation: int = 0  # degrees clockwise
    interlaced: bool = False
    crop: tuple[int, int, int, int] | None = None  # x, y, width, height of the coded picture
    coded: tuple[int, int] | None = None  # width and height that `crop` is told of; None: whatever the pictures have
    lines: int = 0  # that a watermark's pixels are told of: of what is shown, upright; 0: whatever there are
    hdr: Transfer | None = None  # what of, it is toned down to standard range
    watermark: Watermark | None = None  # its image comes beside the order
    inside: tuple[int, int] | None = None  # size that pictures are scaled to, in the middle of a rendition's black

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        crop, coded, mark, inside = told["crop"], told.get("coded"), told["watermark"], told.get("inside")
        return cls(
            **{
                **told,
                "crop": tuple(crop) if crop else None,
                "coded": tuple(coded) if coded else None,
                "watermark": Watermark(**mark) if mark else None,
                "inside": tuple(inside) if inside else None,
            }
        )


@dataclass(frozen=True, slots=True)
class PictureOrder:
    """Segments first..last of these renditions."""

    reading: Reading
    rungs: tuple[Rung, ...]
    cuts: tuple[int, ...]  # those from cuts[first] to cuts[last + 1], and no others
    first: int
    treatment: Treatment = field(default_factory=Treatment)
    encoder: str = "libx264"
    preset: str = "veryfast"
    quality: float = 23.0  # CRF under each rung's ceiling, which rungs may have finer; both in the encoder's steps
    threads: int = 0  # of each encoder; 0: as many as its pictures ask for
    begins: tuple[int, ...] = ()  # of each rung: the first segment that is written; those before are there already
    # Width and height at which tones are mapped and watermarks put on, for all rungs at once. None: of the largest.
    stage: tuple[int, int] | None = None
    lookahead: int = LOOKAHEAD  # pictures that an encoder may hold back
    # Every segment begins at its very cut: a picture that is no further from it, ticks, is shown at it, else the one
    # before is repeated there. None: segments begin with the first picture after their cuts.
    slack: int | None = None
    look: tuple[int, ...] | None = None  # colours that encoders are told, as encoders.Look; None: those of the pictures
    sets: int = 0  # id of libx264's parameter sets: what is to share a track has others

    @property
    def last(self) -> int:
        return self.first + len(self.cuts) - 2

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        return cls(
            **{
                **told,
                "reading": Reading(**told["reading"]),
                "rungs": tuple(Rung(**{**rung, "sar": tuple(rung["sar"])}) for rung in told["rungs"]),
                "cuts": tuple(told["cuts"]),
                "begins": tuple(told["begins"]),
                "stage": tuple(told["stage"]) if told["stage"] else None,
                "look": told["look"] and tuple(told["look"]),
                "treatment": Treatment.of_json(told["treatment"]),
            }
        )


@dataclass(frozen=True, slots=True)
class SoundOrder:
    """A whole track of sound, as AAC."""

    reading: Reading
    cuts: tuple[int, ...]  # from 0 to the end
    rendition: str
    first: int = 0  # segments before it are there already
    channels: int = 2  # 1 or 2
    length_s: float = 0.0  # that it may have, where pictures end before
    bitrate: int = 128_000

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        return cls(**{**told, "reading": Reading(**told["reading"]), "cuts": tuple(told["cuts"])})


@dataclass(frozen=True, slots=True)
class Described:
    """A rendition's init segment, before its first segment."""

    rendition: str
    init: bytes
    codec: str  # RFC 6381
    timescale: int
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    channels: int = 0
    look: tuple[int, ...] = ()  # colours that the encoder was told, as encoders.Look


@dataclass(frozen=True, slots=True)
class Segment:
    """A whole segment in the rendition's file; times in the rendition's own ticks."""

    rendition: str
    number: int
    start: int
    duration: int
    size: int
