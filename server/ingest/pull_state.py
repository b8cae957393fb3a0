"""The states of a pulled source, as a table, and what is told of it.

    idle ─► connecting ─► pulling ─► errored ─► connecting …
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from server import clock

PullState = Literal["idle", "connecting", "pulling", "errored"]

TRANSITIONS: Mapping[PullState, frozenset[PullState]] = {
    "idle": frozenset({"connecting"}),
    "connecting": frozenset({"pulling", "errored"}),
    "pulling": frozenset({"errored"}),
    "errored": frozenset({"connecting"}),
}


@dataclass(slots=True)
class PullStatus:
    """Of one source, since the server began with it."""

    state: PullState = "idle"
    reason: str = ""  # why it is errored; no secrets in it
    since: datetime = field(default_factory=clock.now)
    reconnects: int = 0  # times that it was pulled again

    def move(self, state: PullState, reason: str = "") -> None:
        """ValueError for what the table does not have."""
        if state not in TRANSITIONS[self.state]:
            raise ValueError(f"a source that is {self.state} can't become {state}")
        self.state, self.reason, self.since = state, reason, clock.now()


class SourceFailed(Exception):
    """The source can't be had, or is over; the text, without secrets, is for its owner."""

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting
        """It will hardly pass by itself."""
