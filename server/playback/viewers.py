"""Who watches at the moment with tokens that say how many may: the claim `sessions`.

Counted are playback sessions of one viewer of a project, or of one token where it names no viewer. One that asked for
nothing for IDLE_S counts no more; it may go on later if there is room. Kept in memory, by each process for itself.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from server import clock

IDLE_S = 90.0  # players fetch at least every half minute while they play
SESSIONS_LIMIT = 100_000  # of all viewers and tokens together, about 700 bytes each
LEFT_AT_ONCE = 64  # viewers that are dropped by one call, 50 us: far more than a call adds


@dataclass(slots=True)
class _Seen:
    at: float  # of the monotonic clock
    device: int  # a hash: what devices say of themselves may be long


@dataclass(slots=True)
class _Watching:
    """The sessions of one viewer or token, those that were heard of the longest ago first."""

    sessions: OrderedDict[str, _Seen] = field(default_factory=OrderedDict)
    devices: dict[int, OrderedDict[str, None]] = field(default_factory=dict)  # in the same order

    def see(self, session: str, device: int, now: float) -> None:
        self.drop(session)
        self.sessions[session] = _Seen(now, device)
        self.devices.setdefault(device, OrderedDict())[session] = None

    def drop(self, session: str) -> None:
        seen = self.sessions.pop(session, None)
        if seen is None:
            return
        own = self.devices[seen.device]
        del own[session]
        if not own:
            del self.devices[seen.device]

    def drop_idle(self, now: float) -> None:
        while self.sessions:
            session, seen = next(iter(self.sessions.items()))
            if now - seen.at <= IDLE_S:
                return
            self.drop(session)


class Viewers:
    """The counts of one process. What an answer takes does not grow with how many watch."""

    def __init__(self, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._monotonic = monotonic
        self._watching: OrderedDict[Hashable, _Watching] = OrderedDict()  # who was heard of the longest ago first
        self.sessions = 0  # of all
        self.forgotten = 0  # names that were dropped for others while somebody of them may have been watching

    def __len__(self) -> int:
        return len(self._watching)

    def admit(self, name: Hashable, session: str, device: Hashable, limit: int, *, begins: bool = False) -> bool:
        """Whether the session may go on, or begin.

        One that begins takes the place of another on the same device, as that of a page that was loaded again.
        """
        now = self._monotonic()
        self._leave(now)
        found = self._watching.get(name) or _Watching()
        before = len(found.sessions)
        found.drop_idle(now)
        admitted = _admit(found, session, hash(device), limit, now, begins)
        self.sessions += len(found.sessions) - before
        if admitted:
            self._watching[name] = found
            self._watching.move_to_end(name)
            self._make_room(name)
        elif not found.sessions:
            self._watching.pop(name, None)
        return admitted

    def _leave(self, now: float) -> None:
        """Drops those whose sessions are all idle: nobody before the first that is not."""
        for _ in range(min(LEFT_AT_ONCE, len(self._watching))):
            name, found = next(iter(self._watching.items()))
            newest = next(reversed(found.sessions.values()))
            if now - newest.at <= IDLE_S:
                return
            self._drop(name)

    def _make_room(self, for_: Hashable) -> None:
        while self.sessions > SESSIONS_LIMIT:
            oldest = next(iter(self._watching))
            if oldest == for_:
                return  # alone, and as many as its own limit allows
            self._drop(oldest)
            self.forgotten += 1

    def _drop(self, name: Hashable) -> None:
        self.sessions -= len(self._watching.pop(name).sessions)


def _admit(found: _Watching, session: str, device: int, limit: int, now: float, begins: bool) -> bool:
    if session not in found.sessions and len(found.sessions) >= limit:
        own = found.devices.get(device) if begins else None
        if own:
            found.drop(next(iter(own)))  # the one that was heard of the longest ago
        if len(found.sessions) >= limit:
            return False
    found.see(session, device, now)
    return True
