"""What a source turns out to be: pictures and bits a second, from its coded pictures. Pure."""

from collections import deque
from itertools import pairwise
from statistics import median

ENOUGH_PICTURES = 8  # to know how far apart they are
WINDOW_S = 8  # bits a second are those of so long
LEAST_S = 2  # before, a key frame and the little after it say too much


class Measure:
    """Of one generation; times in ticks."""

    def __init__(self, timescale: int) -> None:
        self._timescale = timescale
        self._recent: deque[tuple[int, int]] = deque()
        self._bytes = 0

    def add(self, dts: int, size: int) -> None:
        """A coded picture; decode times grow."""
        self._recent.append((dts, size))
        self._bytes += size
        while dts - self._recent[0][0] > WINDOW_S * self._timescale:
            self._bytes -= self._recent.popleft()[1]

    @property
    def frame_rate(self) -> float | None:
        """Pictures a second, by their usual distance; None before enough have come."""
        if len(self._recent) < ENOUGH_PICTURES:
            return None
        times = [dts for dts, _ in self._recent]
        step = median(after - before for before, after in pairwise(times))
        return self._timescale / step if step > 0 else None

    @property
    def bitrate(self) -> int | None:
        """Bits a second of the last seconds; None before there are any."""
        if not self._recent:
            return None
        span = self._recent[-1][0] - self._recent[0][0]
        if span < LEAST_S * self._timescale:
            return None
        return (self._bytes - self._recent[-1][1]) * 8 * self._timescale // span
