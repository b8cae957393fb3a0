"""What one caller asked for, as the catalogue sees it: the write transactions of one task that belong together.

    async with undertaking(begun=look, ending=keep, together=True):
        …  # database.write(), and again: one transaction
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from server.catalog.database import Transaction

HELD_S = 10.0  # from the first write on, while nobody else can write

Result = TypeVar("Result")
Begin = Callable[[], AbstractAsyncContextManager["Transaction"]]
Look = Callable[["Transaction"], Awaitable[None]]


async def _pass(_: "Transaction") -> None:
    return None


@dataclass(slots=True)
class Undertaking:
    """The one under way in a task."""

    begun: Look
    ending: Look
    stack: AsyncExitStack | None  # that the one transaction is held on
    task: asyncio.Task[Any] | None
    around: "Undertaking | None" = None  # with one transaction, which this one's are parts of
    held: "Transaction | None" = None

    @property
    def written(self) -> "Transaction | None":
        """The one transaction, where there is one by now."""
        return self.held or (self.around.written if self.around is not None else None)

    @asynccontextmanager
    async def write(self, begin: Begin) -> AsyncIterator["Transaction"]:
        """A transaction that `begin` begins, or the one that is held."""
        if self.stack is not None:
            async with (await self._hold(self.stack, begin)).part() as transaction:
                yield transaction
            return
        async with self._begin(begin) as transaction:
            await self.begun(transaction)
            yield transaction
            await self.ending(transaction)

    async def _hold(self, stack: AsyncExitStack, begin: Begin) -> "Transaction":
        if self.held is None:
            await stack.enter_async_context(asyncio.timeout(HELD_S))
            self.held = await stack.enter_async_context(self._begin(begin))
            await self.begun(self.held)
        return self.held

    def _begin(self, begin: Begin) -> AbstractAsyncContextManager["Transaction"]:
        return begin() if self.around is None else self.around.write(begin)


_CURRENT: ContextVar[Undertaking | None] = ContextVar("undertaking", default=None)


@asynccontextmanager
async def undertaking(
    begun: Look = _pass, ending: Look = _pass, *, together: bool = False
) -> AsyncIterator[None]:
    """`begun` sees each write transaction of this task before its first statement, `ending` after its last one.

    With `together` there is only one: it begins with the first write, later writes and reads go on in it, and it
    commits when the context ends well. Until then nobody else writes: the task must not wait for another that would.
    What it starts beside itself has transactions of its own. Raises TimeoutError after HELD_S. One within another is
    seen by the looks of both; within one that has one transaction, it is a part of that, and commits with it.
    """
    outer, around = under_way(), None
    if outer is not None and (outer.stack is not None or outer.around is not None):
        around = outer
    elif outer is not None:
        begun, ending = _both(outer.begun, begun), _both(ending, outer.ending)
    async with AsyncExitStack() as stack:
        current = Undertaking(begun, ending, stack if together else None, asyncio.current_task(), around)
        token = _CURRENT.set(current)
        try:
            yield
            if current.held is not None:
                await ending(current.held)
        finally:
            _CURRENT.reset(token)


def _both(first: Look, second: Look) -> Look:
    async def look(transaction: "Transaction") -> None:
        await first(transaction)
        await second(transaction)

    return look


async def carried_on(work: Awaitable[Result]) -> Result:
    """The work's result. Awaited by a task that its starter only waits for, it writes for the starter's undertaking;
    it has transactions of its own where that one holds its only one."""
    current = _CURRENT.get()
    if current is None or current.stack is not None or current.around is not None:
        return await work
    token = _CURRENT.set(replace(current, task=asyncio.current_task()))
    try:
        return await work
    finally:
        _CURRENT.reset(token)


def under_way() -> Undertaking | None:
    """This task's; the context variable is handed on to tasks that it starts, the undertaking is not."""
    current = _CURRENT.get()
    return current if current is not None and current.task is asyncio.current_task() else None
