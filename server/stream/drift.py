"""How a publisher's clock runs against the wall clock, and the epoch that follows it.

Media comes late by what the network adds, and never early. So the least lateness of a minute tells how the two clocks
stand to each other; the epoch is moved there slowly, so that dates of segments stay those of their neighbours.
"""

PERIOD_MS = 30_000  # the least lateness is that of the last one to two of these
SLACK_MS = 20  # not worth a word
SLEW_PER_MILLE = 1  # milliseconds for each second of media: 2 ms a segment, and clocks 1000 ppm off are followed


class WallClock:
    """The epoch of one generation, which begins with what its first sample says."""

    def __init__(self, epoch_ms: int, at_ms: int) -> None:
        """The media of output time `at_ms` has come when the epoch says so."""
        self.epoch_ms = epoch_ms
        self._period_ms = at_ms
        self._moved_ms = at_ms
        self._least: int | None = None  # epoch by the earliest sample of this period
        self._least_before: int | None = None

    def observe(self, at_ms: int, now_ms: int) -> bool:
        """A sample of output time `at_ms` has come; whether the epoch has moved."""
        epoch_ms = now_ms - at_ms
        self._least = epoch_ms if self._least is None else min(epoch_ms, self._least)
        if at_ms - self._period_ms >= PERIOD_MS:
            self._least_before, self._least, self._period_ms = self._least, None, at_ms
        return self._move(at_ms)

    def _move(self, at_ms: int) -> bool:
        steps = (at_ms - self._moved_ms) * SLEW_PER_MILLE // 1000
        if steps <= 0:
            return False
        self._moved_ms = at_ms
        if self._least_before is None:  # of less than a period not enough is known
            return False
        least = self._least_before if self._least is None else min(self._least, self._least_before)
        error_ms = least - self.epoch_ms
        if abs(error_ms) <= SLACK_MS:
            return False
        self.epoch_ms += max(-steps, min(steps, error_ms))
        return True
