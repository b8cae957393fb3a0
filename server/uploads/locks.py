"""One writer per upload: who comes anew asks the holder to let go, since the old connection is likely dead."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from server.errors import Problem

PATIENCE_S = 10.0  # a holder that was asked only has to write and sync what it holds


class Locks:
    """Holders by name. `async with locks.hold(name) as hold: …  with hold.evictable(): …`"""

    def __init__(self) -> None:
        self._holders: dict[str, Hold] = {}

    def hold(self, name: str, patience_s: float = PATIENCE_S) -> "Hold":
        """The name's lock; entering it raises Problem (423) after `patience_s`."""
        return Hold(self._holders, name, patience_s)

    @property
    def held(self) -> int:
        """How many there are."""
        return len(self._holders)

    def is_held(self, name: str) -> bool:
        return name in self._holders


class Hold:
    """One holder's lock; made by Locks."""

    def __init__(self, holders: "dict[str, Hold]", name: str, patience_s: float) -> None:
        self._holders = holders
        self._name = name
        self._patience_s = patience_s
        self._released = asyncio.Event()
        self._wanted = False  # by somebody else
        self._evictable: asyncio.Task[object] | None = None  # to be cancelled when it is

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(self._patience_s):
                while (holder := self._holders.get(self._name)) is not None:
                    holder._ask()
                    await holder._released.wait()
        except TimeoutError:
            raise Problem("upload-busy") from None
        self._holders[self._name] = self
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._holders[self._name]
        self._released.set()

    @contextmanager
    def evictable(self) -> Iterator[None]:
        """While in here, the task is cancelled when somebody else wants the lock: Problem upload-taken-over."""
        if self._wanted:
            raise Problem("upload-taken-over")
        self._evictable = task = asyncio.current_task()
        before = task.cancelling() if task else 0
        try:
            yield
        except asyncio.CancelledError:
            # as asyncio.timeout does it: only a cancellation that was ours becomes an error of ours
            if self._wanted and task and task.uncancel() <= before:
                raise Problem("upload-taken-over") from None
            raise
        except BaseException:
            if self._wanted and task:
                task.uncancel()
            raise
        finally:
            self._evictable = None

    def _ask(self) -> None:
        if self._evictable is not None and not self._wanted:
            self._evictable.cancel()
        self._wanted = True
