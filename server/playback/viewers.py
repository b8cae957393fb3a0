"""Who watches at the moment with tokens that say how many may: the claim `sessions`.

Counted are playback sessions of one viewer of a project, or of one token where it names no viewer. One that asked for
nothing for IDLE_S counts no more; it may go on later if there is room. Kept in memory, by each process for itself.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from server import clock

IDLE_S = 90.0  # players fetch at least every half minute while they play
NAMES_LIMIT = 50_000  # viewers and tokens, about 400 bytes each with one session


@dataclass(slots=True)
class _Seen:
    at: float  # of the monotonic clock
    device: Hashable


class Viewers:
    """The counts of one process."""

    def __init__(self, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._monotonic = monotonic
        self._sessions: OrderedDict[Hashable, dict[str, _Seen]] = OrderedDict()
        self.forgotten = 0  # names that were dropped for others while somebody of them may have been watching

    def __len__(self) -> int:
        return len(self._sessions)

    def admit(self, name: Hashable, session: str, device: Hashable, limit: int, *, begins: bool = False) -> bool:
        """Whether the session may go on, or begin.

        One that begins takes the place of another on the same device, as that of a page that was loaded again.
        """
        now = self._monotonic()
        found = self._of(name)
        if session not in found and len(found) >= limit:
            self._leave(found, now)
            if begins and len(found) >= limit:
                _give_up(found, device)
            if len(found) >= limit:
                return False
        found[session] = _Seen(now, device)
        return True

    def _of(self, name: Hashable) -> dict[str, _Seen]:
        found = self._sessions.get(name)
        if found is None:
            found = self._sessions[name] = {}
            if len(self._sessions) > NAMES_LIMIT:
                _, dropped = self._sessions.popitem(last=False)
                self._leave(dropped, self._monotonic())
                self.forgotten += bool(dropped)
        else:
            self._sessions.move_to_end(name)
        return found

    @staticmethod
    def _leave(found: dict[str, _Seen], now: float) -> None:
        for session in [session for session, seen in found.items() if now - seen.at > IDLE_S]:
            del found[session]


def _give_up(found: dict[str, _Seen], device: Hashable) -> None:
    """Of the device's sessions the one that was heard of the longest ago."""
    own = [session for session, seen in found.items() if seen.device == device]
    if own:
        del found[min(own, key=lambda session: found[session].at)]
