"""Whose turn it is: at most so many jobs run at once, and suspects run one by one.

A suspect is a job that was running when the server last died. One of them may be the reason; were they resumed
together, all would have used up their attempts when it has used up its own.
"""

import asyncio
from collections.abc import Callable


class Turns:
    """Places for `limit` jobs; `freed` is called whenever one becomes free."""

    def __init__(self, limit: int, freed: Callable[[], None]) -> None:
        self._places = asyncio.Semaphore(limit)
        self._suspects = asyncio.Lock()
        self._freed = freed

    @property
    def taken(self) -> bool:
        """Whether all places are, or are waited for."""
        return self._places.locked()

    def turn(self) -> "Turn":
        return Turn(self._places, self._suspects, self._freed)


class Turn:
    """The turn of one job."""

    def __init__(self, places: asyncio.Semaphore, suspects: asyncio.Lock, freed: Callable[[], None]) -> None:
        self._places = places
        self._suspects = suspects
        self._freed = freed
        self._placed = False
        self._alone = False

    async def take(self, alone: bool = False) -> None:
        """Waits for a place, who came first first; `alone`: until no other suspect runs, too."""
        if alone and not self._alone:
            await self._suspects.acquire()
            self._alone = True
        if not self._placed:
            await self._places.acquire()
            self._placed = True

    def leave(self) -> None:
        """Gives up what is held."""
        if self._alone:
            self._alone = False
            self._suspects.release()
        if self._placed:
            self._placed = False
            self._places.release()
            self._freed()
