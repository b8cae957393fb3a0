"""How long an answer takes (the draft, 4.10)."""

INITIAL_US, INITIAL_VARIANCE_US = 100_000, 50_000
"""Before the first measurement; a peer that reports these has measured nothing."""

MAX_US = 10_000_000
"""A peer that reports more is taken to mean this."""


class RoundTrip:
    """Smoothed, with its variance; of one connection, both directions."""

    __slots__ = ("_measured", "us", "variance_us")

    def __init__(self) -> None:
        self.us, self.variance_us = INITIAL_US, INITIAL_VARIANCE_US
        self._measured = False

    def measured(self, sample_us: int) -> None:
        """Take one round trip into account."""
        sample_us = min(sample_us, MAX_US)
        if self._measured:
            self.variance_us = (3 * self.variance_us + abs(self.us - sample_us)) // 4
            self.us = (7 * self.us + sample_us) // 8
        else:
            # libsrt's start: from 100 ms it would take seconds to come down on a short path
            self._measured = True
            self.us, self.variance_us = sample_us, sample_us // 2

    @property
    def timeout_us(self) -> int:
        """An answer that takes longer is not coming."""
        return self.us + 4 * self.variance_us
