"""Bits per second of a count of bytes that only grows."""

_WINDOW_US = 1_000_000
_STEP_US = 10_000
_KEPT = 5  # windows in which the best step counts


class Meter:
    """Tell it the count from time to time, every 10 ms at best."""

    __slots__ = ("_best", "_bests", "_step_total", "_step_us", "_total", "_window_us", "bits_per_s")

    def __init__(self, now_us: int) -> None:
        self.bits_per_s = 0
        """Of the last whole second."""
        self._window_us = self._step_us = now_us
        self._total = self._step_total = 0
        self._best = 0
        self._bests = [0] * _KEPT

    @property
    def best_bits_per_s(self) -> int:
        """Of the best 10 ms in the last seconds."""
        return max(self._best, *self._bests)

    def update(self, total: int, now_us: int) -> bool:
        """True once a second."""
        elapsed = now_us - self._step_us
        if elapsed < _STEP_US:
            return False
        self._best = max(self._best, (total - self._step_total) * 8_000_000 // elapsed)
        self._step_us, self._step_total = now_us, total
        elapsed = now_us - self._window_us
        if elapsed < _WINDOW_US:
            return False
        self.bits_per_s = (total - self._total) * 8_000_000 // elapsed
        self._window_us, self._total = now_us, total
        self._bests = [*self._bests[1:], self._best]
        self._best = 0
        return True
