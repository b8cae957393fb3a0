"""Places: at most so many jobs of a lane run at once; who sleeps in the middle of a job gives its place up."""

import asyncio
from collections.abc import Callable


class Turns:
    """Places for `limit` jobs; `freed` is called whenever one becomes free."""

    def __init__(self, limit: int, freed: Callable[[], None]) -> None:
        self._places = asyncio.Semaphore(limit)
        self._limit = limit
        self._wanted = 0  # held, or waited for
        self._freed = freed

    @property
    def free(self) -> int:
        """Places that nobody holds or waits for."""
        return max(0, self._limit - self._wanted)

    def turn(self) -> "Turn":
        return Turn(self)

    async def take(self) -> None:
        """Waits for a place, who came first first."""
        self._wanted += 1
        try:
            await self._places.acquire()
        except BaseException:
            self._wanted -= 1
            raise

    def give_back(self, used: bool) -> None:
        """`used`: else nobody is told, for nothing waited."""
        self._wanted -= 1
        self._places.release()
        if used:
            self._freed()


class Turn:
    """The turn of one job."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.placed = False

    async def take(self) -> None:
        if not self.placed:
            await self._turns.take()
            self.placed = True

    def leave(self, used: bool = True) -> None:
        if self.placed:
            self.placed = False
            self._turns.give_back(used)
