"""When a transcoder can't keep up, and a rendition has to go so that the others are in time. Pure: time is told."""

BEHIND_S = 1.0  # of media between what came and what has gone out: more, and players of the renditions run dry
PATIENCE_S = 5.0  # a machine that was busy for a moment catches up in this time, at least by
RECOVERING = 0.75  # of what it was behind


class Overload:
    """Watches how far behind the output is; `look` says when it is too far and does not get better."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._then_s = 0.0  # how far behind it was

    def look(self, now_s: float, behind_s: float) -> bool:
        """Whether a rendition is to be given up now. `now_s` is any clock that does not go back."""
        if behind_s <= BEHIND_S:
            self._since_s = None
            return False
        if self._since_s is None:
            self._begin(now_s, behind_s)
            return False
        if now_s - self._since_s < PATIENCE_S:
            return False
        hopeless = behind_s > self._then_s * RECOVERING
        self._begin(now_s, behind_s)
        return hopeless

    def _begin(self, now_s: float, behind_s: float) -> None:
        self._since_s, self._then_s = now_s, behind_s
