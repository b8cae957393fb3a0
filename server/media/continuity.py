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


class _Track:
    """One track's base, as numbers, since to ask a fraction is dear; and where it is."""

    __slots__ = ("down", "half", "last", "shift", "step", "up")

    def __init__(self, base: Fraction) -> None:
        self.up, self.half, self.down = base.numerator * TIMESCALE, base.denominator // 2, base.denominator
        self.shift = self.step = 0
        self.last: int | None = None  # the latest time; None: none yet


class Clock:
    """libav's times as the presentation's; where a file's clock begins anew, it goes on for all tracks alike."""

    def __init__(self, start_s: float, mended: bool) -> None:
        self._start = round(start_s * TIMESCALE)
        self._mended = mended
        self.jumps = 0
        self._shift = 0
        self._tracks: dict[int, _Track] = {}

    def at(self, track: int, ticks: int, base: Fraction) -> int:
        """Ticks of TIMESCALE from the presentation's begin, of libav's `ticks` of `base` seconds."""
        known = self._tracks.get(track)
        if known is None:
            known = self._tracks[track] = _Track(base)
        time = (ticks * known.up + known.half) // known.down - self._start
        return self._mend(known, time) if self._mended else time

    def _mend(self, track: _Track, time: int) -> int:
        last = track.last
        if last is None:
            track.shift = self._shift
            track.last = last = time + track.shift
        elif not BACK < time + track.shift - last < FORWARD:
            if not BACK < time + self._shift - last < FORWARD:
                self._shift = last + track.step - time
                self.jumps += 1
            track.shift = self._shift
        time += track.shift
        if time > last:
            track.last, track.step = time, time - last
        return time
