"""One timeline for files whose clock begins anew in the middle: recordings of broadcasts, files joined byte by byte.

Pure.
"""

from fractions import Fraction

from server.media.containers import MPEG_PS, MPEG_TS, Container
from server.media.ticks import TIMESCALE

# Steps that no stream makes by itself.
BACK, FORWARD = -TIMESCALE, 10 * TIMESCALE


def is_broken(container: Container) -> bool:
    """Whether files of this kind may be put together of several; others have one clock, and its gaps are meant."""
    return container in (MPEG_TS, MPEG_PS)


class Clock:
    """libav's times as the presentation's; where a file's clock begins anew, it goes on for all tracks alike."""

    def __init__(self, start_s: float, mended: bool) -> None:
        self._start = round(start_s * TIMESCALE)
        self._mended = mended
        self.jumps = 0
        self._shift = 0
        self._of_track: dict[int, tuple[int, int, int]] = {}  # shift, latest time, the step to it
        self._scales: dict[int, tuple[int, int, int]] = {}  # a track's base is one; to ask a fraction is dear

    def at(self, track: int, ticks: int, base: Fraction) -> int:
        """Ticks of TIMESCALE from the presentation's begin, of libav's `ticks` of `base` seconds."""
        up, half, down = self._scales.get(track) or self._scale(track, base)
        time = (ticks * up + half) // down - self._start
        if not self._mended:
            return time
        shift, last, step = self._of_track.get(track, (self._shift, time + self._shift, 0))
        if not BACK < time + shift - last < FORWARD:
            if not BACK < time + self._shift - last < FORWARD:
                self._shift = last + step - time
                self.jumps += 1
            shift = self._shift
        time += shift
        self._of_track[track] = (shift, time, time - last) if time > last else (shift, last, step)
        return time

    def _scale(self, track: int, base: Fraction) -> tuple[int, int, int]:
        scale = self._scales[track] = base.numerator * TIMESCALE, base.denominator // 2, base.denominator
        return scale
