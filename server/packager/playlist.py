"""The text of a rendition's media playlist, and the answers to requests that wait for a part of it.

A playlist is rendered at most once for each version of its window, whoever asks. Of its text,

    header      target duration, server control, numbers               anew each time
    body        the closed segments, without their parts               grows at the end, is cut at the front
    parts       of the last segments, and the open one                 replace the end of the body
    tail        preload hint, rendition reports                        anew each time

so that 30 minutes of segments cost one line each, once.
"""

import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from server.formats.m3u8.media import (
    Map,
    MediaPlaylist,
    OpenSegment,
    Part,
    PreloadHint,
    RenditionReport,
    Segment,
    ServerControl,
    header_lines,
    open_segment_lines,
    part_line,
    segment_lines,
    tail_lines,
)
from server.packager import window as live
from server.storage.journal import SegmentEntry

# "EXT-X-PART tags SHOULD be removed from the Playlist after they are greater than three Target Durations from the end"
# (RFC 8216bis 6.2.2); strict parsers also refuse them before the last three segments, the open one, be it only a hint,
# among them.
PARTS_LISTED_SEGMENTS = 2  # closed ones
PARTS_LISTED = 3  # target durations
HOLD_BACK = 3  # target durations, the least that is legal
SKIP_UNTIL = 6  # target durations, the least that is legal
LEAST_PART_HOLD_BACK = 2  # part targets
AHEAD = 2  # segments past the last that may be asked for, "the server SHOULD immediately return Bad Request" beyond
ADVANCE_PARTS = 3  # "The Advance Part Limit is three divided by the Part Target Duration if the Part Target Duration
# is less than one second, or three otherwise."
BLOCKED = 3  # target durations until a blocked request is given up with 503
GZIP = 1, zlib.DEFLATED, 28, 6  # level, method, 4 KiB window with a gzip header, memory: lines repeat closely;
# 0.3 ms for 30 minutes, twice as fast as the defaults and no larger


@dataclass(frozen=True, slots=True)
class Serve:
    """The playlist as it is."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again at the next version; after `timeout_s` in all the answer is 503."""

    timeout_s: float


@dataclass(frozen=True, slots=True)
class Refuse:
    status: int
    reason: str


Decision = Serve | Wait | Refuse

SERVE = Serve()


def decide(window: live.Window, msn: int | None, part: int | None) -> Decision:
    """What to do with a playlist request that carries _HLS_msn and _HLS_part (RFC 8216bis 6.2.5.2)."""
    if msn is None:
        if part is not None:
            return Refuse(400, "_HLS_part needs _HLS_msn")
        # A playlist of parts only is legal, but hls.js 1.7 takes it for an empty one and then goes astray: who does
        # not ask for a part by number gets the first playlist with the first whole segment.
        return SERVE if window.closed or window.ended else Wait(BLOCKED * window.target_duration_s)
    if msn < 0 or (part is not None and part < 0):
        return Refuse(400, "_HLS_msn and _HLS_part count from 0")
    if window.ended or window.has(msn, part):
        return SERVE
    last_msn, last_part = window.last
    if msn > last_msn + AHEAD:
        return Refuse(400, f"_HLS_msn is too far ahead of {last_msn}")
    if part is not None and part > _advance_limit(window) + (last_part or 0 if msn == last_msn else 0):
        return Refuse(400, "_HLS_part is too far ahead")
    return Wait(BLOCKED * window.target_duration_s)


def _advance_limit(window: live.Window) -> int:
    target_s = window.part_target_s or 1.0
    return int(-(-ADVANCE_PARTS // min(target_s, 1.0)))


def segment_uri(msn: int) -> str:
    return f"{msn}.m4s"


def part_uri(msn: int, part: int) -> str:
    return f"{msn}.{part}.m4s"


def init_uri(generation: int) -> str:
    return f"init-{generation}.mp4"


_HeaderKey = tuple[int, int, bool, float | None, int, int | None]  # what changes of all that a header says


class _Block(NamedTuple):
    """A closed segment within the body."""

    length: int  # bytes of its lines
    generation: int | None  # whose init segment is in force before it
    sets_map: bool  # its own lines name one


class Playlist:
    """Text of one window; `reports` tells how far the other renditions are, asked at each rendering."""

    def __init__(
        self,
        window: live.Window,
        part_hold_back_s: float | None,
        reports: Callable[[], Sequence[RenditionReport]] = tuple,
    ) -> None:
        self.renders = 0  # full and delta, for metrics
        self._window = window
        self._part_hold_back_s = part_hold_back_s
        self._reports = reports
        self._body = bytearray()
        self._blocks: deque[_Block] = deque()
        self._first_msn = window.first_msn  # of the body
        self._generation: int | None = None  # whose init segment is in force after the body
        self._rewrites = 0
        self._with_parts: dict[int, str] = {}  # the last closed segments' lines with their parts
        self._open: tuple[int, list[str]] = -1, []  # the open segment's number and lines
        self._headers: dict[_HeaderKey, str] = {}
        self._cache: dict[tuple[bool, bool], bytes] = {}
        self._version = -1

    def text(self, *, delta: bool = False, gzipped: bool = False) -> bytes:
        """The playlist as of the window's version; `delta` leaves out what `_HLS_skip=YES` allows to."""
        if self._version != self._window.version:
            self._cache.clear()
            self._version = self._window.version
        text = self._cache.get((delta, gzipped))
        if text is None:
            text = _gzip(self.text(delta=delta)) if gzipped else self._render(delta)
            self._cache[delta, gzipped] = text
        return text

    def _render(self, delta: bool) -> bytes:
        self.renders += 1
        self._catch_up()
        skipped = self._skippable() if delta else 0
        with_parts = self._lines_with_parts()
        end = len(self._body) - sum(self._blocks[-index - 1].length for index in range(len(with_parts)))
        start = self._offset_of(skipped)
        recent = "".join(with_parts) + self._open_lines()
        with memoryview(self._body) as body:
            return b"".join((self._header(skipped).encode(), body[start:end], recent.encode(), self._tail().encode()))

    # --- the body

    def _catch_up(self) -> None:
        """Makes the body hold the window's closed segments."""
        window = self._window
        if self._rewrites != window.rewrites or not self._blocks:
            self._body.clear()
            self._blocks.clear()
            self._first_msn, self._generation, self._rewrites = window.first_msn, None, window.rewrites
        gone = 0
        while self._blocks and self._first_msn < window.first_msn:
            gone += self._blocks.popleft().length
            self._first_msn += 1
        del self._body[:gone]
        if not self._blocks:
            self._first_msn = window.first_msn
        for msn in range(self._first_msn + len(self._blocks), window.next_msn):
            entry = window.segment(msn)
            if entry is not None:
                self._append(entry)

    def _append(self, entry: SegmentEntry) -> None:
        sets_map = not entry.gap and entry.generation != self._generation
        lines = segment_lines(_segment(entry, sets_map), parts=False).encode()
        self._blocks.append(_Block(len(lines), self._generation, sets_map))
        self._body += lines
        if sets_map:
            self._generation = entry.generation

    def _offset_of(self, index: int) -> int:
        """Where the lines of the segment `index` begin, counted from the nearer end."""
        blocks = self._blocks
        if index == 0:
            return 0
        return len(self._body) - sum(blocks[-back].length for back in range(1, len(blocks) - index + 1))

    def _skippable(self) -> int:
        """How many segments are older than CAN-SKIP-UNTIL: "the Skip Boundary" (RFC 8216bis 4.4.3.8, 6.2.5.1)."""
        window, left_s = self._window, 0.0
        until_s = SKIP_UNTIL * window.target_duration_s
        if window.open is not None:
            left_s = window.open.duration / window.open.timescale
        for back, entry in enumerate(reversed(window.closed)):
            if left_s >= until_s:
                return len(window.closed) - back
            left_s += entry.duration_s
        return 0

    # --- the newest

    def _lines_with_parts(self) -> list[str]:
        """The last closed segments, oldest first, as long as their parts are listed."""
        window = self._window
        if not window.low_latency or window.ended:
            return []
        listed: dict[int, str] = {}
        from_end_s = window.end_s - window.closed_end_s
        for back in range(1, min(PARTS_LISTED_SEGMENTS, len(self._blocks)) + 1):
            entry = window.closed[-back]
            from_end_s += entry.duration_s
            if from_end_s > PARTS_LISTED * window.target_duration_s:
                break
            lines = self._with_parts.get(entry.msn)
            listed[entry.msn] = lines or self._lines_of(entry, self._blocks[-back].sets_map)
        self._with_parts = listed
        return list(listed.values())[::-1]

    def _lines_of(self, entry: SegmentEntry, sets_map: bool) -> str:
        parts = self._window.parts(entry.msn)
        listed = tuple(_part(entry.msn, index, part, entry.timescale) for index, part in enumerate(parts))
        return segment_lines(_segment(entry, sets_map, listed))

    def _open_lines(self) -> str:
        segment = self._window.open
        if segment is None or not self._window.low_latency:
            return ""
        msn, lines = self._open
        if msn != segment.msn:
            sets_map = segment.generation != self._generation
            opening = OpenSegment(
                (), Map(init_uri(segment.generation)) if sets_map else None, segment.discontinuity, segment.wall_ms
            )
            lines = [open_segment_lines(opening)]
            self._open = segment.msn, lines
        for index in range(len(lines) - 1, len(segment.parts)):
            lines.append(part_line(_part(segment.msn, index, segment.parts[index], segment.timescale)) + "\n")
        return "".join(lines)

    # --- around

    def _header(self, skipped: int) -> str:
        window, first = self._window, self._blocks[0] if self._blocks else None
        in_force = first.generation if first and not first.sets_map else None
        key = (
            window.first_msn, window.discontinuity_sequence, window.independent, window.part_target_s, skipped, in_force
        )  # fmt: skip
        header = self._headers.get(key)
        if header is None:
            if len(self._headers) > 1:  # full and delta
                self._headers.clear()
            header = self._headers[key] = self._make_header(skipped, in_force)
        return header

    def _make_header(self, skipped: int, in_force: int | None) -> str:
        window = self._window
        low_latency, target_s = window.low_latency, window.target_duration_s
        control = ServerControl(
            can_block_reload=True,
            hold_back_s=HOLD_BACK * target_s,
            part_hold_back_s=self._hold_back_s() if low_latency else None,
            can_skip_until_s=SKIP_UNTIL * target_s,
        )
        return header_lines(
            MediaPlaylist(
                target_duration_s=target_s,
                media_sequence=window.first_msn,
                discontinuity_sequence=window.discontinuity_sequence,
                independent_segments=window.independent,
                server_control=control,
                part_target_s=window.part_target_s if low_latency else None,
                skipped=skipped,
                map=Map(init_uri(in_force)) if in_force is not None and not skipped else None,
            )
        )

    def _hold_back_s(self) -> float | None:
        part_target_s = self._window.part_target_s
        if self._part_hold_back_s is None or part_target_s is None:
            return None
        return max(self._part_hold_back_s, LEAST_PART_HOLD_BACK * part_target_s)

    def _tail(self) -> str:
        window = self._window
        if window.ended:
            return tail_lines(MediaPlaylist(target_duration_s=window.target_duration_s, ended=True))
        hint = None
        if window.low_latency:
            parts = len(window.open.parts) if window.open else 0
            hint = PreloadHint(part_uri(window.next_msn, parts))
        reports = tuple(self._reports())
        return tail_lines(
            MediaPlaylist(target_duration_s=window.target_duration_s, preload_hint=hint, rendition_reports=reports)
        )


def _segment(entry: SegmentEntry, sets_map: bool, parts: tuple[Part, ...] = ()) -> Segment:
    return Segment(
        segment_uri(entry.msn),
        entry.duration_s,
        parts,
        Map(init_uri(entry.generation)) if sets_map else None,
        entry.discontinuity,
        entry.wall_ms,
        entry.gap,
    )


def _part(msn: int, index: int, part: live.Part, timescale: int) -> Part:
    return Part(part_uri(msn, index), part.duration / timescale, part.independent)


def _gzip(text: bytes) -> bytes:
    compressor = zlib.compressobj(*GZIP)
    return compressor.compress(text) + compressor.flush()
