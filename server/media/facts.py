"""What is in a source, as the probe says it and everyone who makes something of it reads it. Pure values, no libav.

Languages are BCP 47 tags, "" where none is told. Codecs are libav's names of formats (`h264`, `aac`, `pcm_s16le`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

UNKNOWN = "und"

Hdr = Literal["pq", "hlg", "dolby-vision"]


# Clocks of milliseconds make pictures uneven by one; other unevenness is meant.
UNEVEN_S, UNEVEN_SHARE = 0.0015, 0.15
UNEVEN_PICTURES = 0.02  # of all: fewer are losses
MIN_INTERVALS = 8


def uneven(gaps: Sequence[float]) -> bool:
    """Whether pictures with these times between them, in seconds, are of a variable frame rate."""
    if len(gaps) < MIN_INTERVALS:
        return False
    median = sorted(gaps)[len(gaps) // 2]
    slack = max(UNEVEN_S, median * UNEVEN_SHARE)
    return sum(abs(gap - median) > slack for gap in gaps) > len(gaps) * UNEVEN_PICTURES


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """The stream of pictures that is shown."""

    stream: int  # libav's index of it
    codec: str
    width: int  # as coded, before rotation and pixel shape
    height: int
    profile: str | None = None  # as people write it
    rfc6381: str | None = None  # where it can be passed through
    sar: tuple[int, int] = (1, 1)  # sample aspect ratio
    rotation: int = 0  # degrees clockwise that it is to be shown: 0, 90, 180, 270
    frame_rate: float | None = None  # pictures a second, on average
    base_rate: float | None = None  # the least rate that has a tick for every picture
    variable: bool = False  # the pictures are not evenly spaced
    pixel_format: str | None = None  # libav's
    bit_depth: int = 8
    primaries: str | None = None  # libav's names of the colours (ITU-T H.273), None: not told
    transfer: str | None = None
    space: str | None = None
    full_range: bool = False
    hdr: Hdr | None = None
    interlaced: bool = False
    field_order: Literal["top", "bottom"] | None = None  # which field is shown first
    alpha: bool = False
    key_interval_s: float | None = None  # the longest way between key frames, as far as was looked
    bit_rate: int | None = None
    language: str = ""
    title: str = ""
    unpassable: str | None = None  # why it can't be passed through; None: it can

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height in square pixels, upright."""
        width, height = round(self.width * self.sar[0] / self.sar[1]), self.height
        return (height, width) if self.rotation in (90, 270) else (width, height)


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """A stream of sound."""

    stream: int
    codec: str
    channels: int
    sample_rate: int
    layout: str = ""  # libav's name, such as 5.1(side)
    profile: str | None = None
    rfc6381: str | None = None
    language: str = ""
    title: str = ""
    default: bool = False
    bit_rate: int | None = None
    unpassable: str | None = None


@dataclass(frozen=True, slots=True)
class SubtitleFacts:
    """A stream of subtitles inside the file; of the bitmap kinds nothing is made."""

    stream: int
    codec: str
    kind: Literal["text", "bitmap"]
    language: str = ""
    title: str = ""
    default: bool = False
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Chapter:
    start_s: float
    end_s: float
    title: str = ""


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """All of a file. `sounds` are in the order of the file, the default one first."""

    container: str  # people's name
    duration_s: float
    bit_rate: int | None = None
    start_s: float = 0.0  # libav's time of the first picture or sound: what the presentation calls 0
    picture: PictureFacts | None = None
    sounds: tuple[SoundFacts, ...] = ()
    subtitles: tuple[SubtitleFacts, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    cover: int | None = None  # the stream of a still that is no video: a candidate for the poster
    left_out: tuple[str, ...] = ()  # streams that nothing can be made of, in words
    indexed: bool = False  # it is served by its own index (formats.fmp4.index)
    mended: bool = False  # its clock begins anew in the middle, as far as was looked

    @property
    def passable(self) -> bool:
        """Whether something of it can be shown without conversion."""
        main = self.picture or (self.sounds[0] if self.sounds else None)
        return main is not None and main.unpassable is None

    def to_event(self) -> dict[str, Any]:
        """For JSON; `of_event` has it back."""
        return asdict(self)

    @classmethod
    def of_event(cls, told: dict[str, Any]) -> Self:
        picture = told["picture"]
        return cls(
            **told
            | {
                "picture": picture and PictureFacts(**picture | {"sar": tuple(picture["sar"])}),
                "sounds": tuple(SoundFacts(**each) for each in told["sounds"]),
                "subtitles": tuple(SubtitleFacts(**each) for each in told["subtitles"]),
                "chapters": tuple(Chapter(**each) for each in told["chapters"]),
                "left_out": tuple(told["left_out"]),
            }
        )

    def media(self) -> dict[str, Any]:
        """What Video.media holds and the API shows."""
        return {
            "container": self.container,
            "duration": self.duration_s,
            "bit_rate": self.bit_rate,
            "streams": list(self._streams()),
            "chapters": [asdict(chapter) for chapter in self.chapters],
            "left_out": list(self.left_out),
        }

    def _streams(self) -> Iterator[dict[str, Any]]:
        if self.picture is not None:
            yield _told("video", self.picture)
        for sound in self.sounds:
            yield _told("audio", sound)
        for text in self.subtitles:
            yield _told("subtitle", text) | {"form": text.kind}


def _told(kind: str, facts: PictureFacts | SoundFacts | SubtitleFacts) -> dict[str, Any]:
    """The facts that are known, without what only the server's own work needs."""
    fields = {name: value for name, value in asdict(facts).items() if value not in (None, "")}
    for inner in ("stream", "unpassable"):
        fields.pop(inner, None)
    if "sar" in fields:
        fields["sar"] = list(fields["sar"])
    return fields | {"kind": kind, "language": facts.language or UNKNOWN}
