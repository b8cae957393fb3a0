"""Media playlists, with the low-latency tags (RFC 8216bis 4.4.2 to 4.4.5).

A live playlist is rendered once for every part, so its text is made of blocks that do not change:

    header_lines(playlist)            few lines, anew each time
    segment_lines(segment)            once for each closed segment, kept by the caller
    open_segment_lines(segment)       the segment being cut
    tail_lines(playlist)              preload hint, rendition reports, end

`render` joins them. Every block ends with a line end. URIs are ours: they hold no quote and no line end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from server.formats.m3u8.attributes import DECIMALS, attribute_list, decimal, quoted

VERSION = 8  # EXT-X-MAP needs 6, EXT-X-GAP 8 (RFC 8216bis 8)
LOW_LATENCY_VERSION = 9  # EXT-X-SKIP

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A piece of a resource."""

    length: int
    start: int

    def __str__(self) -> str:
        return f"{self.length}@{self.start}"


@dataclass(frozen=True, slots=True)
class Map:
    """The init segment of the segments that follow."""

    uri: str
    byte_range: ByteRange | None = None


@dataclass(frozen=True, slots=True)
class Part:
    uri: str
    duration_s: float
    independent: bool = False  # begins with a key frame
    gap: bool = False  # known to be missing
    byte_range: ByteRange | None = None


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """The segment being cut: it has parts, and no duration or URI yet."""

    parts: tuple[Part, ...] = ()
    map: Map | None = None  # where it changes
    discontinuity: bool = False
    program_date_time_ms: int | None = None  # of its first picture, milliseconds since 1970 UTC


@dataclass(frozen=True, slots=True)
class Segment:
    uri: str
    duration_s: float
    parts: tuple[Part, ...] = ()
    map: Map | None = None  # where it changes
    discontinuity: bool = False
    program_date_time_ms: int | None = None
    gap: bool = False
    byte_range: ByteRange | None = None


@dataclass(frozen=True, slots=True)
class ServerControl:
    """What the server offers and where players should stay (4.4.3.8)."""

    can_block_reload: bool = False
    hold_back_s: float | None = None  # at least three target durations
    part_hold_back_s: float | None = None  # at least two part targets, better three
    can_skip_until_s: float | None = None  # at least six target durations


@dataclass(frozen=True, slots=True)
class PreloadHint:
    """The resource that will come next (4.4.5.3)."""

    uri: str
    type: Literal["PART", "MAP"] = "PART"


@dataclass(frozen=True, slots=True)
class RenditionReport:
    """How far another rendition's playlist is (4.4.5.4)."""

    uri: str
    last_msn: int
    last_part: int | None = None


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    target_duration_s: int
    media_sequence: int = 0
    discontinuity_sequence: int = 0
    playlist_type: Literal["VOD", "EVENT"] | None = None
    independent_segments: bool = False
    server_control: ServerControl | None = None
    part_target_s: float | None = None
    start_s: float | None = None  # where to begin, from the first segment on (4.4.2.2)
    skipped: int = 0  # of a delta update: the oldest segments that are left out
    map: Map | None = None  # in force at the first segment, where that does not change it
    segments: tuple[Segment, ...] = ()
    open_segment: OpenSegment | None = None
    preload_hint: PreloadHint | None = None
    rendition_reports: tuple[RenditionReport, ...] = ()
    ended: bool = False

    @property
    def version(self) -> int:
        return LOW_LATENCY_VERSION if self.server_control or self.skipped else VERSION

    def render(self, blocks: Iterable[str] | None = None, *, parts: bool = True) -> str:
        """The text of the playlist.

        `blocks` are the lines of `segments` and `open_segment` where the caller keeps them rendered; else
        they are rendered here, with the parts of closed segments or without.
        """
        if blocks is None:
            blocks = [segment_lines(segment, parts=parts) for segment in self.segments]
            if self.open_segment is not None:
                blocks.append(open_segment_lines(self.open_segment))
        return f"{header_lines(self)}{''.join(blocks)}{tail_lines(self)}"


def header_lines(playlist: MediaPlaylist) -> str:
    """From #EXTM3U to the init segment."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{playlist.version}"]
    lines.append(f"#EXT-X-TARGETDURATION:{playlist.target_duration_s}")
    if playlist.playlist_type:
        lines.append(f"#EXT-X-PLAYLIST-TYPE:{playlist.playlist_type}")
    if playlist.independent_segments:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    if playlist.start_s is not None:
        lines.append(f"#EXT-X-START:TIME-OFFSET={decimal(playlist.start_s)}")
    if playlist.server_control:
        lines.append(_server_control_line(playlist.server_control))
    if playlist.part_target_s is not None:
        lines.append(f"#EXT-X-PART-INF:PART-TARGET={decimal(playlist.part_target_s)}")
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}")
    if playlist.discontinuity_sequence:
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{playlist.discontinuity_sequence}")
    if playlist.skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={playlist.skipped}")
    if playlist.map:
        lines.append(map_line(playlist.map))
    return "\n".join(lines) + "\n"


def _server_control_line(control: ServerControl) -> str:
    seconds = (
        ("PART-HOLD-BACK", control.part_hold_back_s),
        ("HOLD-BACK", control.hold_back_s),
        ("CAN-SKIP-UNTIL", control.can_skip_until_s),
    )
    attributes = [("CAN-BLOCK-RELOAD", "YES" if control.can_block_reload else None)]
    attributes += [(name, None if value is None else decimal(value)) for name, value in seconds]
    return f"#EXT-X-SERVER-CONTROL:{attribute_list(attributes)}"


def segment_lines(segment: Segment, *, parts: bool = True) -> str:
    """The lines of a closed segment; its parts are listed only near the live edge (RFC 8216bis 6.2.2)."""
    lines = _opening_lines(segment)
    if parts:
        lines += [part_line(part) for part in segment.parts]
    if segment.gap:
        lines.append("#EXT-X-GAP")
    lines.append(f"#EXTINF:{segment.duration_s:.{DECIMALS}f},")
    if segment.byte_range:
        lines.append(f"#EXT-X-BYTERANGE:{segment.byte_range}")
    lines.append(segment.uri)
    return "\n".join(lines) + "\n"


def open_segment_lines(segment: OpenSegment) -> str:
    lines = _opening_lines(segment) + [part_line(part) for part in segment.parts]
    return "\n".join(lines) + "\n" if lines else ""


def _opening_lines(segment: Segment | OpenSegment) -> list[str]:
    lines = []
    if segment.discontinuity:
        lines.append("#EXT-X-DISCONTINUITY")
    if segment.map:
        lines.append(map_line(segment.map))
    if segment.program_date_time_ms is not None:
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{_date_time(segment.program_date_time_ms)}")
    return lines


def _date_time(epoch_ms: int) -> str:
    moment = EPOCH + timedelta(milliseconds=epoch_ms)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def map_line(init: Map) -> str:
    attributes = f"URI={quoted(init.uri)}"
    return f"#EXT-X-MAP:{attributes}" + (f',BYTERANGE="{init.byte_range}"' if init.byte_range else "")


def part_line(part: Part) -> str:
    """Without its line end."""
    line = f'#EXT-X-PART:DURATION={part.duration_s:.{DECIMALS}f},URI="{part.uri}"'
    if part.byte_range:
        line += f',BYTERANGE="{part.byte_range}"'
    if part.independent:
        line += ",INDEPENDENT=YES"
    return line + ",GAP=YES" if part.gap else line


def tail_lines(playlist: MediaPlaylist) -> str:
    """What follows the last segment or part."""
    lines = []
    if hint := playlist.preload_hint:
        lines.append(f"#EXT-X-PRELOAD-HINT:TYPE={hint.type},URI={quoted(hint.uri)}")
    lines += [_rendition_report_line(report) for report in playlist.rendition_reports]
    if playlist.ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n" if lines else ""


def _rendition_report_line(report: RenditionReport) -> str:
    line = f"#EXT-X-RENDITION-REPORT:URI={quoted(report.uri)},LAST-MSN={report.last_msn}"
    return line if report.last_part is None else f"{line},LAST-PART={report.last_part}"
