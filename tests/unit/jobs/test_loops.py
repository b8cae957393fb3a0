"""What goes on beside the jobs outlives whatever its looks run into."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from server.catalog.database import Database, Transaction
from server.jobs import takeover, watch
from server.jobs.takeover import TakeOver
from server.jobs.watch import Watch


def watching(database: Database) -> Coroutine[Any, Any, None]:
    busy = asyncio.Event()
    busy.set()
    return Watch(database, "wo1", {}, busy).run()


def taking_over(database: Database) -> Coroutine[Any, Any, None]:
    return TakeOver(database, "wo1", "waiting").run()


@pytest.mark.parametrize("loop", [watching, taking_over])
@pytest.mark.parametrize("fault", [NoConnectionFree(), RuntimeError("a bug")])
async def test_it_goes_on(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    loop: Callable[[Database], Coroutine[Any, Any, None]],
    fault: Exception,
) -> None:
    for module in (watch, takeover):
        monkeypatch.setattr(module, "EVERY_S", 0.001)
    read, looks = database.read, [0]

    @asynccontextmanager
    async def faulty() -> AsyncIterator[Transaction]:
        looks[0] += 1
        if looks[0] == 1:
            raise fault
        async with read() as transaction:
            yield transaction

    monkeypatch.setattr(database, "read", faulty)
    task = asyncio.create_task(loop(database))
    async with asyncio.timeout(20):
        while looks[0] < 3:
            assert not task.done()
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
