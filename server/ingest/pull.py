"""What every kind of pulled source has in common."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from server.ingest.on_air import Connection, Publisher

MAX_HELD_BYTES = 8 << 20  # of a source that is being admitted, which takes milliseconds

Admit = Callable[[Connection], Awaitable[Publisher]]
"""Lets the source go on air. Raises SourceFailed."""


class Source(Protocol):
    """A connection to a source, used once."""

    async def run(self, admit: Admit) -> None:
        """Raises SourceFailed, sooner or later; cancelled, it says goodbye."""


class Held:
    """Media that came before its admission; all of it is dropped where it is too much."""

    def __init__(self) -> None:
        self._items: list[object] = []
        self._size = 0

    def add(self, item: object, size: int) -> None:
        self._size += size
        if self._size <= MAX_HELD_BYTES:
            self._items.append(item)

    def release(self) -> list[object]:
        """What it holds; nothing of a stream with a hole in it."""
        items, self._items = self._items, []
        return items if self._size <= MAX_HELD_BYTES else []
