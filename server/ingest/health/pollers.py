"""How many playlists are open: who has asked for one lately, counted without remembering anybody."""

PERIOD_S = 10.0  # a player asks at least this often: every target duration, and that is fixed at 4 to 10 s
MOST = 100_000  # of one live stream and period; 6 MiB


class Pollers:
    """Those seen in the last one to two periods; `who` is any number that tells players apart, such as a hash."""

    def __init__(self) -> None:
        self._now: set[int] = set()
        self._before: set[int] = set()
        self._since = 0.0

    def seen(self, who: int, now: float) -> None:
        if now - self._since >= PERIOD_S:
            self._turn(now)
        if len(self._now) < MOST:
            self._now.add(who)

    def count(self, now: float) -> int:
        """Distinct players of the last whole period, and those new in this one."""
        if now - self._since >= PERIOD_S:
            self._turn(now)
        return len(self._before | self._now)

    def _turn(self, now: float) -> None:
        self._before = self._now if now - self._since < 2 * PERIOD_S else set()
        self._now = set()
        self._since = now
