"""DASH manifests (ISO/IEC 23009-1), written: one period after the other, tracks apart, segments listed in time.

    MPD
      Period                    a stretch with one configuration of each track
        AdaptationSet           renditions that a player may switch between; one for the pictures, one for each sound,
                                one for the captions of each language
          Representation
            SegmentTemplate     names, by $Number$
              SegmentTimeline   when each begins, and for how long

Times within a segment timeline are ticks of its timescale; all others are seconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from xml.sax.saxutils import quoteattr

LIVE_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
CMAF_PROFILE = "urn:mpeg:dash:profile:cmaf:2019"
DIRECT_CLOCK = "urn:mpeg:dash:utc:direct:2014"  # the server's own time, in the manifest itself
ROLE = "urn:mpeg:dash:role:2011"
CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"

Attribute = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Timed:
    """A segment of a timeline."""

    start: int  # ticks
    duration: int


@dataclass(frozen=True, slots=True)
class Representation:
    """A rendition within a period; segment numbers count up from `first` without a hole."""

    id: str
    codec: str  # RFC 6381
    bandwidth: int  # bits a second
    timescale: int
    init: str  # URL, relative to the period's base
    media: str  # URL with $Number$
    first: int
    segments: Sequence[Timed]
    offset: int  # ticks of the period's start
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    sampling_rate: int = 0
    channels: int = 0
    early_s: float | None = None  # the last segment can be fetched so much before it is whole, and comes as it is made


@dataclass(frozen=True, slots=True)
class AdaptationSet:
    kind: Literal["video", "audio"]
    representations: Sequence[Representation]
    language: str = ""  # BCP 47
    label: str = ""
    main: bool = True  # else an alternate


@dataclass(frozen=True, slots=True)
class TextSet:
    """Captions, a WebVTT file for all of the period."""

    id: str
    uri: str  # relative to the base
    bandwidth: int
    language: str
    label: str = ""
    main: bool = False  # shown unless the viewer turns them off


@dataclass(frozen=True, slots=True)
class Period:
    id: str
    start_s: float
    sets: Sequence[AdaptationSet]
    duration_s: float | None = None  # None: up to the next one, or still going on
    texts: Sequence[TextSet] = ()


@dataclass(frozen=True, slots=True)
class Live:
    """What a manifest says that changes."""

    available_ms: int  # wall clock at second zero, milliseconds since 1970
    now_ms: int
    update_s: float  # ask again after
    window_s: float  # how far back segments are kept
    latency_s: float  # to be behind; from the end of what is there


@dataclass(frozen=True, slots=True)
class Mpd:
    periods: Sequence[Period]
    buffer_s: float  # with so much a player may start
    base: str = ""  # URL that all others are relative to
    live: Live | None = None
    duration_s: float | None = None  # of what does not change
    title: str = field(default="")

    def render(self) -> str:
        """The document."""
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + "".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield _open("MPD", 0, **self._attributes())
        if self.title:
            yield f"  <ProgramInformation>\n    <Title>{_text(self.title)}</Title>\n  </ProgramInformation>\n"
        if self.base:
            yield f"  <BaseURL>{_text(self.base)}</BaseURL>\n"
        if self.live:
            yield "  <ServiceDescription id=\"0\">\n"
            yield _empty("Latency", 4, target=round(self.live.latency_s * 1000))
            yield "  </ServiceDescription>\n"
        for period in self.periods:
            yield from _period(period)
        if self.live:
            yield _empty("UTCTiming", 2, schemeIdUri=DIRECT_CLOCK, value=_moment(self.live.now_ms))
        yield "</MPD>\n"

    def _attributes(self) -> dict[str, Attribute]:
        found: dict[str, Attribute] = {
            "xmlns": "urn:mpeg:dash:schema:mpd:2011",
            "profiles": f"{LIVE_PROFILE},{CMAF_PROFILE}",
            "type": "dynamic" if self.live else "static",
            "minBufferTime": _span(self.buffer_s),
        }
        if self.live:
            found |= {
                "availabilityStartTime": _moment(self.live.available_ms),
                "publishTime": _moment(self.live.now_ms),
                "minimumUpdatePeriod": _span(self.live.update_s),
                "timeShiftBufferDepth": _span(self.live.window_s),
                "suggestedPresentationDelay": _span(self.live.latency_s),
            }
        if self.duration_s is not None:
            found["mediaPresentationDuration"] = _span(self.duration_s)
        return found


def _period(period: Period) -> Iterator[str]:
    duration = None if period.duration_s is None else _span(period.duration_s)
    yield _open("Period", 2, id=period.id, start=_span(period.start_s), duration=duration)
    for number, each in enumerate(period.sets):
        yield from _set(number, each)
    for number, text in enumerate(period.texts, len(period.sets)):
        yield from _text_set(number, text)
    yield "  </Period>\n"


def _set(number: int, each: AdaptationSet) -> Iterator[str]:
    yield _open(
        "AdaptationSet", 4, id=number, contentType=each.kind, mimeType=f"{each.kind}/mp4", lang=each.language or None,
        segmentAlignment=True, startWithSAP=1,
    )  # fmt: skip
    if each.label:
        yield f"      <Label>{_text(each.label)}</Label>\n"
    yield _empty("Role", 6, schemeIdUri=ROLE, value="main" if each.main else "alternate")
    for representation in each.representations:
        yield from _representation(representation)
    yield "    </AdaptationSet>\n"


def _text_set(number: int, each: TextSet) -> Iterator[str]:
    yield _open("AdaptationSet", 4, id=number, contentType="text", mimeType="text/vtt", lang=each.language)
    if each.label:
        yield f"      <Label>{_text(each.label)}</Label>\n"
    yield _empty("Role", 6, schemeIdUri=ROLE, value="subtitle")
    if each.main:
        yield _empty("Role", 6, schemeIdUri=ROLE, value="main")
    yield _open("Representation", 6, id=each.id, bandwidth=each.bandwidth)
    yield f"        <BaseURL>{_text(each.uri)}</BaseURL>\n      </Representation>\n    </AdaptationSet>\n"


def _representation(each: Representation) -> Iterator[str]:
    yield _open(
        "Representation", 6, id=each.id, codecs=each.codec, bandwidth=each.bandwidth, width=each.width or None,
        height=each.height or None, frameRate=_rate(each.frame_rate), audioSamplingRate=each.sampling_rate or None,
    )  # fmt: skip
    if each.channels:
        yield _empty("AudioChannelConfiguration", 8, schemeIdUri=CHANNELS, value=each.channels)
    yield _open(
        "SegmentTemplate", 8, timescale=each.timescale, initialization=each.init, media=each.media,
        startNumber=each.first, presentationTimeOffset=each.offset or None, availabilityTimeOffset=each.early_s,
        availabilityTimeComplete=False if each.early_s is not None else None,
    )  # fmt: skip
    yield "          <SegmentTimeline>\n"
    yield from _timeline(each.segments)
    yield "          </SegmentTimeline>\n        </SegmentTemplate>\n      </Representation>\n"


def _timeline(segments: Sequence[Timed]) -> Iterator[str]:
    """Segments of one length in a row are one line; `t` stands where a segment does not follow the one before."""
    end: int | None = None
    index = 0
    while index < len(segments):
        first, last = segments[index], index
        while last + 1 < len(segments) and _follows(segments[last], segments[last + 1]):
            last += 1
        start = first.start if first.start != end else None
        yield _empty("S", 12, t=start, d=first.duration, r=last - index or None)
        end = segments[last].start + segments[last].duration
        index = last + 1


def _follows(before: Timed, after: Timed) -> bool:
    return after.duration == before.duration and after.start == before.start + before.duration


def _open(name: str, indent: int, **attributes: Attribute) -> str:
    return f"{' ' * indent}<{name}{_written(attributes)}>\n"


def _empty(name: str, indent: int, **attributes: Attribute) -> str:
    return f"{' ' * indent}<{name}{_written(attributes)}/>\n"


def _written(attributes: dict[str, Attribute]) -> str:
    return "".join(f" {name}={quoteattr(_value(value))}" for name, value in attributes.items() if value is not None)


def _value(value: Attribute) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _rate(frames: float) -> str | None:
    """As a whole number or a fraction (5.3.12.2): 29.97 is 30000/1001."""
    if not frames:
        return None
    if abs(frames - round(frames)) < 0.005:
        return str(round(frames))
    return f"{round(frames * 1001)}/1001"


def _span(seconds: float) -> str:
    return f"PT{seconds:.3f}".rstrip("0").rstrip(".") + "S"


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
