"""Multivariant playlists: the variants of a stream, and the renditions they share (RFC 8216bis 4.4.6)."""

from dataclasses import dataclass
from typing import Literal

from server.formats.m3u8.attributes import attribute_list, label, quoted
from server.formats.m3u8.media import VERSION

YES = "YES"


@dataclass(frozen=True, slots=True)
class Variant:
    """EXT-X-STREAM-INF; rates in bits a second, those of its audio group included."""

    uri: str
    bandwidth: int  # of the heaviest segment
    codecs: tuple[str, ...]  # RFC 6381, of the variant and of its groups
    average_bandwidth: int | None = None
    resolution: tuple[int, int] | None = None  # pixels to show, width and height
    frame_rate: float | None = None  # the greatest, frames a second
    audio: str | None = None  # group ids
    subtitles: str | None = None
    closed_captions: Literal["NONE"] | None = None


@dataclass(frozen=True, slots=True)
class Rendition:
    """EXT-X-MEDIA."""

    type: Literal["AUDIO", "SUBTITLES"]
    group: str
    name: str  # what the viewer reads
    uri: str | None = None  # None where the variants hold the sound themselves
    language: str | None = None  # BCP 47
    default: bool = False
    autoselect: bool = False
    forced: bool = False  # subtitles that are always shown
    channels: int | None = None
    characteristics: tuple[str, ...] = ()  # such as public.accessibility.transcribes-spoken-dialog


@dataclass(frozen=True, slots=True)
class MultivariantPlaylist:
    variants: tuple[Variant, ...]  # the first is the one to begin with
    renditions: tuple[Rendition, ...] = ()
    independent_segments: bool = False

    def render(self) -> str:
        lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}"]
        if self.independent_segments:
            lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
        lines += [rendition_line(rendition) for rendition in self.renditions]
        for variant in self.variants:
            lines += (variant_line(variant), variant.uri)
        return "\n".join(lines) + "\n"


def variant_line(variant: Variant) -> str:
    """EXT-X-STREAM-INF, without the URI on the next line."""
    attributes = (
        ("BANDWIDTH", str(variant.bandwidth)),
        ("AVERAGE-BANDWIDTH", None if variant.average_bandwidth is None else str(variant.average_bandwidth)),
        ("CODECS", quoted(",".join(variant.codecs)) if variant.codecs else None),
        ("RESOLUTION", "{}x{}".format(*variant.resolution) if variant.resolution else None),
        ("FRAME-RATE", f"{variant.frame_rate:.3f}" if variant.frame_rate else None),
        ("AUDIO", quoted(variant.audio) if variant.audio else None),
        ("SUBTITLES", quoted(variant.subtitles) if variant.subtitles else None),
        ("CLOSED-CAPTIONS", variant.closed_captions),
    )
    return f"#EXT-X-STREAM-INF:{attribute_list(attributes)}"


def rendition_line(rendition: Rendition) -> str:
    characteristics = ",".join(rendition.characteristics)
    attributes = (
        ("TYPE", rendition.type),
        ("GROUP-ID", quoted(rendition.group)),
        ("NAME", label(rendition.name)),
        ("LANGUAGE", quoted(rendition.language) if rendition.language else None),
        ("DEFAULT", YES if rendition.default else None),
        # "If the AUTOSELECT attribute is present, its value MUST be YES if the value of DEFAULT is YES."
        ("AUTOSELECT", YES if rendition.autoselect or rendition.default else None),
        ("FORCED", YES if rendition.forced else None),
        ("CHANNELS", quoted(str(rendition.channels)) if rendition.channels else None),
        ("CHARACTERISTICS", quoted(characteristics) if characteristics else None),
        ("URI", None if rendition.uri is None else quoted(rendition.uri)),
    )
    return f"#EXT-X-MEDIA:{attribute_list(attributes)}"
