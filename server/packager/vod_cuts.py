"""Where a finished track is cut into segments. Times are ticks of the track's timescale."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence

# Shorter segments cost requests without starting sooner; the last one may be as short as this before it is merged.
MIN_SEGMENT_S = 2.0


def key_cuts(times: Sequence[int], end: int, timescale: int, target_s: float) -> list[int]:
    """Which of the key frames shown at `times` (rising) begin a segment: the first, and those nearest `target_s` on.

    No segment is shorter than MIN_SEGMENT_S, but for the only one; `end` is when the track ends.
    """
    least, target = round(MIN_SEGMENT_S * timescale), round(target_s * timescale)
    cuts = [0]
    while True:
        ideal = times[cuts[-1]] + target
        earliest = bisect_left(times, times[cuts[-1]] + least, cuts[-1] + 1)
        if earliest == len(times):
            break
        after = bisect_left(times, ideal, earliest)
        before, after = max(earliest, after - 1), min(after, len(times) - 1)
        nearest = before if abs(times[before] - ideal) <= abs(times[after] - ideal) else after
        if abs(end - ideal) <= abs(times[nearest] - ideal):
            break
        cuts.append(nearest)
    if len(cuts) > 1 and end - times[cuts[-1]] < least:
        cuts.pop()
    return cuts


def steady_times(start: int, end: int, timescale: int, target_s: float) -> list[int]:
    """Times after `start` and before `end`, `target_s` apart; what is left at the end is not a runt."""
    step, least = round(target_s * timescale), round(MIN_SEGMENT_S * timescale)
    return list(range(start + step, end - least + 1, step))


def frame_cuts(dts: "array[int]", first: int, last: int, times: Sequence[int]) -> list[int]:
    """The frames first..last-1 that begin nearest to `times` (rising); frames begin at `dts`, one more than there are.

    The result rises too, but may repeat a frame where there is none between two times.
    """
    cuts = []
    for time in times:
        at = bisect_left(dts, time, first, last)
        # Nearest of the two around `time`; the end of the last frame is a candidate too.
        if at > first and time - dts[at - 1] < dts[at] - time:
            at -= 1
        cuts.append(at)
        first = at
    return cuts
