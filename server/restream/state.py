"""The states of a target, as a table, and what is told of it.

    idle ─► connecting ─► broadcasting
      ▲       ▲ │              │
      │       │ └─► errored ◄──┘     waits, then connects again
      └───────┴────────┘
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from server import clock

State = Literal["idle", "connecting", "broadcasting", "errored"]

TRANSITIONS: Mapping[State, frozenset[State]] = {
    "idle": frozenset({"connecting"}),
    "connecting": frozenset({"broadcasting", "errored", "idle"}),
    "broadcasting": frozenset({"errored", "idle"}),
    "errored": frozenset({"connecting", "idle"}),
}


@dataclass(slots=True)
class Status:
    """Of one target, since its broadcast began or the target was started."""

    state: State = "idle"
    reason: str = ""  # why it is errored; no secrets in it
    since: datetime = field(default_factory=clock.now)
    bytes: int = 0
    reconnects: int = 0  # connections after the first one
    dropped: int = 0  # samples that the target did not take in time

    def move(self, state: State, reason: str = "") -> bool:
        """Whether there is something new; ValueError for what the table does not have."""
        if state == self.state:
            return False
        if state not in TRANSITIONS[self.state]:
            raise ValueError(f"a target that is {self.state} can't become {state}")
        self.state, self.reason, self.since = state, reason, clock.now()
        return True
