"""Child processes that open media, so many at a time; some wait for their order, since starting one takes a while.

What one of them is told, and how it ends, is `child_process`.
"""

import asyncio
import compileall
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from server.media.child_process import MAX_LINES, Child, ChildFailed, Limits, Result

__all__ = ["SPARES", "ChildFailed", "Children", "Limits", "OnLine", "Result"]

# Children of a module that wait for their order: a child's first quarter of a second is its imports.
SPARES = 2
MODULES = 4  # that may have some

COMPILED = (Path(__file__).parent, Path(__file__).parents[1] / "formats")

OnLine = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class _Spare:
    """A child started in advance, and what will come of it."""

    child: Child
    future: "asyncio.Future[Result]"


class Children:
    """At most `workers` children at a time; others wait in `run`, counted by `waiting`."""

    def __init__(self, workers: int = 4) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="child")
        self._free = asyncio.Semaphore(workers)
        self._running: set[Child] = set()
        self._waiters = ThreadPoolExecutor(workers + SPARES * MODULES, thread_name_prefix="spare")
        self._spares: dict[str, list[_Spare]] = {}
        self._closing = False
        self.waiting = 0
        self.in_advance = 0  # that did something

    @property
    def spares(self) -> int:
        """That were started in advance and wait."""
        return sum(not spare.future.done() for ready in self._spares.values() for spare in ready)

    async def __aenter__(self) -> Self:
        self._compiling = asyncio.get_running_loop().run_in_executor(None, _compile)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill what still runs and wait until it is gone."""
        self._closing = True
        spares = [spare.child for ready in self._spares.values() for spare in ready]
        self._spares.clear()
        for child in [*self._running, *spares]:
            child.kill()
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._waiters.shutdown)

    async def run(
        self,
        module: str,
        arguments: Mapping[str, Any],
        fds: Sequence[int] = (),
        limits: Limits | None = None,
        timeout_s: float = 60.0,
        on_line: OnLine | None = None,
        max_lines: int = MAX_LINES,
        spare: int | None = None,
        idle_s: float | None = None,
    ) -> Result:
        """Run `python -m module` with JSON `arguments`; it inherits `fds` under the same numbers.

        `on_line` is called on the loop with each event as it comes. Cancelling kills the child and all it started.
        `spare`: one that was started in advance may do it, and from then on so many of the module are; each does one
        piece of work. One that takes no CPU time for `idle_s` waits for something that won't come, and is ended as out
        of time. Raises ChildFailed.
        """
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        try:
            child = Child(module, arguments, fds, limits or Limits(), timeout_s, max_lines, idle_s)
            ready = self._taken(child) if spare is not None else None
            if ready is None:
                future = asyncio.get_running_loop().run_in_executor(self._threads, child.run)
            else:
                child, future = ready.child, ready.future
            return await self._run(child, future, on_line)
        finally:
            if spare:
                self.prepare(module, spare)
            self._free.release()

    def _taken(self, wanted: Child) -> _Spare | None:
        """A child that was started in advance, with the order of another."""
        ready = self._spares.get(wanted.module)
        while ready:
            spare = ready.pop(0)
            if not spare.future.done() and spare.child.takes(wanted):
                self.in_advance += 1
                return spare
            spare.child.kill()
        return None

    def prepare(self, module: str, count: int = SPARES) -> None:
        """Start children of a module in advance, as many as are missing to `count`, which is SPARES at most."""
        if self._closing or (module not in self._spares and len(self._spares) >= MODULES):
            return
        ready = self._spares.setdefault(module, [])
        ready[:] = [spare for spare in ready if not spare.future.done()]
        while len(ready) < min(count, SPARES):
            child = Child(module, {}, (), Limits(), 0.0, order=threading.Event())
            future = asyncio.get_running_loop().run_in_executor(self._waiters, child.run)
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            ready.append(_Spare(child, future))

    async def _run(self, child: Child, future: "asyncio.Future[Result]", on_line: OnLine | None) -> Result:
        loop = asyncio.get_running_loop()
        child.on_line = lambda event: loop.call_soon_threadsafe(on_line, event) if on_line else None
        self._running.add(child)
        child.go()
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            child.kill()
            await asyncio.wait([future])
            future.exception()  # that it was killed is no news
            raise
        finally:
            self._running.discard(child)


@cache
def _compile() -> None:
    """Keeps the compiled form of what children import: they may write nothing, so each would compile it anew."""
    for package in COMPILED:
        compileall.compile_dir(package, quiet=2)
