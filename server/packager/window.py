"""What can be watched of a live rendition: closed segments, the open one, and the bytes of the newest in memory.

Data only; `playlist` makes text of it. Changes are made by `live` and then published in one step: the version goes up
and all who wait are called. A waiter looks at the version, never at a pulse, so that none is missed.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from server.storage.journal import SegmentEntry

# "Clients MUST be able to download the Partial Segment for at least three Target Durations after the EXT-X-PART tag
# is removed from the Playlist." (RFC 8216bis 6.2.2) It is removed within three; parts older than all that are
# forgotten, their segment is not.
PARTS_KEPT = 6  # target durations
# Bytes stay in memory while players at the live edge ask for them: with segments of 2 s the open one and the last
# three, 4.5 MB on average at 5 Mbit/s, which are all whose parts are listed. What is older comes from its file, which
# the kernel has in memory anyway.
BYTES_KEPT = 1  # target durations after the segment's end, but not more than
BYTES_KEPT_AT_MOST = 24 << 20
UNWRITTEN_KEPT = 3  # target durations that a segment which the disk refused can still be watched; then it is a gap
SHORTEST_WINDOW = 3  # target durations: "the server MUST NOT remove a Media Segment … if that would produce a Playlist
# whose duration is less than three times the Target Duration"


class Part(NamedTuple):
    duration: int  # ticks
    independent: bool  # begins with a key frame
    offset: int  # of its bytes within the segment
    size: int


class OnDisk(Protocol):
    """How it goes with a segment's file."""

    written: bool
    failed: bool


@dataclass(slots=True)
class OpenSegment:
    """The segment that parts are added to."""

    msn: int
    start: int  # ticks
    timescale: int
    wall_ms: int
    generation: int
    discontinuity: bool
    on_disk: OnDisk
    parts: list[Part] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    end: int = 0
    size: int = 0

    def add(self, payload: bytes, end: int, independent: bool) -> Part:
        part = Part(end - (self.end if self.parts else self.start), independent, self.size, len(payload))
        self.parts.append(part)
        self.payloads.append(payload)
        self.end = end
        self.size += part.size
        return part

    @property
    def duration(self) -> int:
        return self.end - self.start if self.parts else 0

    @property
    def entry(self) -> SegmentEntry:
        """What the segment is if it is closed now; it has a part at least."""
        return SegmentEntry(
            msn=self.msn,
            start=self.start,
            duration=self.duration,
            timescale=self.timescale,
            wall_ms=self.wall_ms,
            generation=self.generation,
            discontinuity=self.discontinuity,
            independent=self.parts[0].independent,
            size=self.size,
        )


@dataclass(slots=True)
class _Held:
    """What is remembered of a closed segment while it is young."""

    parts: tuple[Part, ...]
    payloads: tuple[bytes, ...]  # () once the bytes are on disk only
    on_disk: OnDisk
    size: int
    end_s: float  # on the clock of `Window._played_s`


class Window:
    """Segments of one rendition, numbered without holes from `first_msn` on."""

    def __init__(
        self,
        target_duration_s: int,
        dvr_window_s: float,
        *,
        low_latency: bool = True,
        first_msn: int = 0,
        discontinuity_sequence: int = 0,
    ) -> None:
        self.target_duration_s = target_duration_s
        self.low_latency = low_latency
        self.part_target_s: float | None = None  # set before the first part
        self.closed: deque[SegmentEntry] = deque()
        self.open: OpenSegment | None = None
        self.first_msn = first_msn  # of `closed`, or of what will come
        self.discontinuity_sequence = discontinuity_sequence  # of the segment first_msn
        self.ended = False
        self.version = 0  # goes up with every publication
        self.rewrites = 0  # goes up when a closed segment turns out to be a gap
        self.duration_s = 0.0  # of the closed segments
        self._played_s = 0.0  # of all segments ever closed
        self.window_s = max(dvr_window_s, SHORTEST_WINDOW * target_duration_s)
        self._held: dict[int, _Held] = {}  # oldest first
        self._held_bytes = 0
        self._dependent = 0  # closed segments that don't begin with a key frame
        self._generation: int | None = None  # of the last segment
        self._waiters: set[Callable[[], None]] = set()

    # --- reading

    @property
    def next_msn(self) -> int:
        """Of the segment that follows the closed ones, open or not."""
        return self.first_msn + len(self.closed)

    @property
    def started(self) -> bool:
        return bool(self.closed) or self.open is not None

    @property
    def part_count(self) -> int:
        """Parts that can be watched: in the open segment and the ones still remembered."""
        return sum(len(held.parts) for held in self._held.values()) + (len(self.open.parts) if self.open else 0)

    @property
    def independent(self) -> bool:
        """Whether every segment begins with a key frame (EXT-X-INDEPENDENT-SEGMENTS)."""
        opening = self.open.parts[:1] if self.open else ()
        return self._dependent == 0 and all(part.independent for part in opening)

    @property
    def closed_end_s(self) -> float:
        """The end of the closed segments, on the clock of `end_s`."""
        return self._played_s

    @property
    def end_s(self) -> float:
        """The window's end, on a clock that counts the media ever added."""
        return self._played_s + (self.open.duration / self.open.timescale if self.open else 0.0)

    @property
    def last(self) -> tuple[int, int | None]:
        """Media sequence number of the last segment that has parts or is closed, and its last part if known."""
        if self.open is not None:
            return self.open.msn, len(self.open.parts) - 1
        msn = self.next_msn - 1
        parts = self.parts(msn)
        return msn, len(parts) - 1 if parts else None

    def segment(self, msn: int) -> SegmentEntry | None:
        """A closed segment of the window."""
        index = msn - self.first_msn
        return self.closed[index] if 0 <= index < len(self.closed) else None

    def parts(self, msn: int) -> Sequence[Part]:
        """The parts of a segment, as far as it has them and they are remembered."""
        if self.open is not None and self.open.msn == msn:
            return self.open.parts
        held = self._held.get(msn)
        return held.parts if held else ()

    def payloads(self, msn: int) -> Sequence[bytes]:
        """The bytes of a segment's parts, as far as they are in memory."""
        if self.open is not None and self.open.msn == msn:
            return self.open.payloads
        held = self._held.get(msn)
        return held.payloads if held else ()

    def has(self, msn: int, part: int | None) -> bool:
        """Whether the playlist holds this part, or for None the whole segment (RFC 8216bis 6.2.5.2)."""
        if not self.low_latency:
            part = None
        if msn < self.next_msn:
            # "If the client requests a Part Index greater than that of the final Partial Segment of the Parent
            # Segment, the server MUST treat the request as one for Part Index 0 of the following Parent Segment."
            past_the_end = part is not None and msn == self.next_msn - 1 and part >= max(1, len(self.parts(msn)))
            return not past_the_end or self.open is not None
        if part is None or self.open is None or self.open.msn != msn:
            return False
        return part < len(self.open.parts)

    # --- waiting

    @property
    def waiters(self) -> int:
        return len(self._waiters)

    def subscribe(self, waiter: Callable[[], None]) -> Callable[[], None]:
        """Calls `waiter` once, at the next publication; answers what cancels that."""
        self._waiters.add(waiter)
        return lambda: self._waiters.discard(waiter)

    def publish(self) -> None:
        """Makes the changes since the last publication seen."""
        self.version += 1
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            waiter()

    # --- changing; nobody sees it before `publish`

    def begin_segment(
        self, start: int, timescale: int, wall_ms: int, generation: int, on_disk: OnDisk
    ) -> OpenSegment:
        self.open = OpenSegment(
            self.next_msn, start, timescale, wall_ms, generation, self._follows_break(generation), on_disk, end=start
        )
        self._generation = generation
        return self.open

    def _follows_break(self, generation: int) -> bool:
        return self._generation is not None and self._generation != generation

    def close_segment(self) -> SegmentEntry | None:
        """Closes the open segment, if there is one."""
        segment, self.open = self.open, None
        if segment is None:
            return None
        entry = segment.entry
        self._append(entry)
        self._held[entry.msn] = _Held(
            tuple(segment.parts), tuple(segment.payloads), segment.on_disk, segment.size, self._played_s
        )
        self._held_bytes += segment.size
        return entry

    def add_gap(self, start: int, duration: int, timescale: int, wall_ms: int, generation: int) -> SegmentEntry:
        """A segment of which this rendition has nothing, so that numbers stay those of the others."""
        entry = SegmentEntry(
            self.next_msn, start, duration, timescale, wall_ms, generation, self._follows_break(generation),
            independent=True, size=0, gap=True,
        )  # fmt: skip
        self._generation = generation
        self._append(entry)
        return entry

    def restore(self, segments: Sequence[SegmentEntry]) -> None:
        """Takes up what was closed before a restart; once, before anything is added."""
        if not segments:
            return
        self.first_msn = segments[0].msn
        for entry in segments:
            self._append(entry)
        self._generation = segments[-1].generation

    def _append(self, entry: SegmentEntry) -> None:
        self.closed.append(entry)
        self.duration_s += entry.duration_s
        self._played_s += entry.duration_s
        self._dependent += not entry.independent

    def trim(self) -> list[SegmentEntry]:
        """Lets go of bytes, parts and segments that are too old; answers the segments that left."""
        self._release_bytes()
        self._forget_parts()
        gone = []
        while self.closed and self.duration_s - self.closed[0].duration_s >= self.window_s:
            gone.append(self._drop_first())
        return gone

    def _release_bytes(self) -> None:
        end_s = self.end_s
        for msn, held in self._held.items():
            age = (end_s - held.end_s) / self.target_duration_s
            if not held.payloads:
                continue
            if age <= BYTES_KEPT and self._held_bytes <= BYTES_KEPT_AT_MOST:
                break
            if held.on_disk.written or (held.on_disk.failed and age > UNWRITTEN_KEPT):
                held.payloads = ()
                self._held_bytes -= held.size
                if held.on_disk.failed:
                    self._turn_into_gap(msn)

    def _turn_into_gap(self, msn: int) -> None:
        index = msn - self.first_msn
        if 0 <= index < len(self.closed):
            self.closed[index] = replace(self.closed[index], gap=True, size=0)
            self.rewrites += 1

    def _forget_parts(self) -> None:
        oldest_s = self.end_s - PARTS_KEPT * self.target_duration_s
        for msn in [msn for msn, held in self._held.items() if held.end_s < oldest_s and not held.payloads]:
            del self._held[msn]

    def _drop_first(self) -> SegmentEntry:
        entry = self.closed.popleft()
        self.first_msn += 1
        self.duration_s -= entry.duration_s
        self._dependent -= not entry.independent
        self.discontinuity_sequence += entry.discontinuity
        return entry

    def end(self) -> None:
        """Nothing will be added."""
        self.ended = True
