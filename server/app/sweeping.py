"""What is done to rows now and then: those whose time is over go, and what is kept in memory is written down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from server import clock, log
from server.catalog import stored_answers
from server.catalog.database import Database, Transaction

EVERY_S = 60.0

Sweep = Callable[[Transaction, datetime], Awaitable[None]]

SWEEPS: Sequence[Sweep] = (stored_answers.sweep,)

_log = log.get("server")


async def sweep(database: Database, sweeps: Sequence[Sweep] = SWEEPS) -> None:
    """Each in a transaction of its own, as others want to write meanwhile."""
    for one in sweeps:
        async with database.write() as transaction:
            await one(transaction, clock.now())


@asynccontextmanager
async def sweeping(database: Database, sweeps: Sequence[Sweep] = SWEEPS) -> AsyncIterator[None]:
    """While the context lasts."""
    task = asyncio.create_task(_sweep_forever(database, sweeps))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        with suppress(Exception):  # of what matters little, at the end
            await sweep(database, sweeps)


async def _sweep_forever(database: Database, sweeps: Sequence[Sweep]) -> None:
    while True:
        try:
            await sweep(database, sweeps)
        except Exception:
            _log.exception("sweep failed")  # the next round may do better
        await asyncio.sleep(EVERY_S)
