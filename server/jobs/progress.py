"""How far a job is, and when it will have ended at the rate at which it goes."""

from dataclasses import dataclass
from datetime import timedelta

# Before so much is done in so long, the rate is chance.
LEAST_S = 1.0
LEAST_FRACTION = 0.01
LONGEST = timedelta(days=30)  # an end farther off is none


@dataclass(slots=True)
class Progress:
    """Of one run; the rate is this run's alone, which after a crash begins in the middle."""

    fraction: float = 0.0  # 0..1
    message: str | None = None
    unwritten: bool = False  # since it was last taken
    _since: tuple[float, float] | None = None  # when, and how far it was then
    _now: float = 0.0

    def report(self, fraction: float, message: str | None, now: float) -> None:
        """It never goes back, also when several parts of a job report in no order."""
        self.fraction = max(self.fraction, min(1.0, fraction))
        self.message = message if message is not None else self.message
        self._since = self._since or (now, self.fraction)
        self._now = now
        self.unwritten = True

    @property
    def left(self) -> timedelta | None:
        """How long it will take from the last report on; None: can't be said yet."""
        if self._since is None:
            return None
        elapsed, done = self._now - self._since[0], self.fraction - self._since[1]
        if elapsed < LEAST_S or done < LEAST_FRACTION:
            return None
        return min(LONGEST, timedelta(seconds=(1 - self.fraction) * elapsed / done))
