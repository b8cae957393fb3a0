"""How long a part is, chosen so that every part can be legal (RFC 8216bis 4.4.4.9).

"The duration of a Partial Segment MUST be less than or equal to the Part Target Duration. The duration of each
Partial Segment MUST be at least 85% of the Part Target Duration, with the exception of Partial Segments with the
INDEPENDENT attribute set to YES and the final Partial Segment of any Parent Segment."

Parts hold whole frames, so the target is chosen from the frames seen: parts of `nominal` length are wanted, and the
target is the longest whole number of frames of which they are still 85 %. The slack takes the pictures that a
variable frame rate leaves out. Timestamps in milliseconds make each end of a part uncertain by one.
"""

from collections.abc import Sequence
from typing import NamedTuple

JITTER_MS = 2  # a millisecond at each end
SHORTEST_PERCENT = 85
MAX_STRETCH_PERCENT = 120  # of the wanted length: more only where whole frames leave no choice, up to
MAX_TARGET_MS = 1_200  # a part target of a very slow frame rate; beyond, parts can't be legal anyway


class PartTarget(NamedTuple):
    """Ticks."""

    nominal: int  # what parts are cut nearest to
    longest: int  # EXT-X-PART-INF

    @property
    def shortest(self) -> int:
        return -(-self.longest * SHORTEST_PERCENT // 100)

    def at(self, timescale: int, other: int) -> "PartTarget":
        """The same length in ticks of another timescale, rounded down so that no part is longer."""
        return PartTarget(max(1, self.nominal * other // timescale), max(1, self.longest * other // timescale))


def video_part_target(wanted: int, timescale: int, durations: Sequence[int]) -> PartTarget:
    """The target for pictures whose durations are like those seen; all in ticks, `durations` may be empty."""
    frame = _typical(durations) or max(1, wanted // 10)
    frames = max(1, (wanted + frame // 2) // frame)
    jitter = JITTER_MS * timescale // 1000
    nominal = frames * frame
    limit = max(wanted * MAX_STRETCH_PERCENT // 100, min(nominal + jitter, MAX_TARGET_MS * timescale // 1000))
    longest = next(
        (
            longest
            for count in range(frames * 100 // SHORTEST_PERCENT, frames, -1)
            if (longest := count * frame + jitter) * SHORTEST_PERCENT <= (nominal - jitter) * 100 and longest <= limit
        ),
        min(nominal + jitter, limit),
    )
    return PartTarget(min(nominal, longest), _whole_ms(longest, timescale))


def audio_part_target(wanted: int, frame: int) -> PartTarget:
    """The target for sound that is cut about every `wanted` ticks: such a part holds one frame more at most."""
    frames = wanted // frame + 1
    return PartTarget(max(1, (wanted + frame // 2) // frame) * frame, frames * frame)


def _typical(durations: Sequence[int]) -> int:
    """The mean without the extremes: one picture left out at the start should not count."""
    middle = sorted(durations)
    if len(middle) > 4:
        middle = middle[1:-1]
    return sum(middle) // len(middle) if middle else 0


def _whole_ms(ticks: int, timescale: int) -> int:
    """Rounded up, so that the decimals of a playlist hold it."""
    return -(-ticks * 1000 // timescale) * timescale // 1000
