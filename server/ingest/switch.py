"""Which of two encoders is on air: the decision alone, asked at each key frame of the one that is not.

The primary is preferred, but not at once: one that has just come back may be gone again. Whoever takes over does so
with a key frame of its own, so that viewers see one discontinuity and no broken picture.
"""

from dataclasses import dataclass
from typing import Literal

Role = Literal["primary", "backup"]

SILENT_S = 2.0  # an encoder that sent nothing for so long is replaced
KEYLESS_S = 4.0  # one that is connected, but shows no picture for so long, is passed over
STEADY_S = 10.0  # the primary goes back on air after so long without a hole
HOLE_S = 2.0  # pictures further apart than this are a hole

LOST = "the connection was lost"
SILENT = "it sends nothing"
KEYLESS = "it sends no key frame"
STEADY = "the primary is steady again"


@dataclass(slots=True)
class Steadiness:
    """Since when an encoder's pictures have come without a hole; times in seconds, of any one clock."""

    since: float | None = None
    _last: float = 0.0

    def heard(self, now: float) -> None:
        """A picture came."""
        if self.since is None or now - self._last > HOLE_S:
            self.since = now
        self._last = now

    def lasts_s(self, now: float) -> float:
        return now - self.since if self.since is not None else 0.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """The encoder on air."""

    role: Role
    silent_s: float  # since it last sent anything
    keyless_s: float  # connected without having shown a picture; 0 once it has


def why_switch(chosen: Chosen | None, standby: Role, steady_s: float) -> str | None:
    """The reason for which the other encoder takes over with the key frame in hand; None: it waits on."""
    if chosen is None:
        return LOST
    if chosen.silent_s >= SILENT_S:
        return SILENT
    if chosen.keyless_s >= KEYLESS_S:
        return KEYLESS
    if standby == "primary" and steady_s >= STEADY_S:
        return STEADY
    return None
