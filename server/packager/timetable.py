"""Where the master's segments begin and end, for the tracks that follow it, some of them seconds later."""

from collections import deque
from dataclasses import dataclass

KEPT = 64  # segments: two minutes, more than any track is waited for


@dataclass(slots=True)
class MasterSegment:
    """Times are ticks of the master."""

    msn: int
    generation: int
    discontinuities: int  # of the broadcast until now, one before this segment included
    timescale: int
    epoch_ms: int  # wall clock at output time zero
    start: int
    end: int | None = None  # None while it is open

    def ticks(self, at: int, timescale: int) -> int:
        return at if timescale == self.timescale else at * timescale // self.timescale


class Timetable:
    """The newest segments, oldest first."""

    def __init__(self) -> None:
        self._segments: deque[MasterSegment] = deque(maxlen=KEPT)

    def begin(self, segment: MasterSegment) -> None:
        self._segments.append(segment)

    def close(self, end: int) -> MasterSegment:
        segment = self._segments[-1]
        segment.end = end
        return segment

    def cancel(self) -> None:
        """The open segment comes to nothing."""
        if self._segments and self._segments[-1].end is None:
            self._segments.pop()

    def get(self, msn: int) -> MasterSegment | None:
        if not self._segments:
            return None
        index = msn - self._segments[0].msn
        return self._segments[index] if 0 <= index < len(self._segments) else None

    def since(self, generation: int, at: int, timescale: int) -> list[MasterSegment]:
        """The segments of a generation, from the one that holds the time `at` of a track on."""
        return [
            segment
            for segment in self._segments
            if segment.generation == generation
            and (segment.end is None or segment.ticks(segment.end, timescale) > at)
        ]

    def overdue(self, patience_s: float) -> int:
        """Number of the segment that the slowest may be at: what ended before is waited for no more."""
        number, now_s = 0, 0.0
        for segment in reversed(self._segments):
            if segment.end is None:
                continue
            end_s = segment.end / segment.timescale
            now_s = now_s or end_s
            if now_s - end_s > patience_s:
                return segment.msn + 1
            number = segment.msn
        return number
