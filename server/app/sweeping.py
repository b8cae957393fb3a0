"""What is done to rows now and then: those whose time is over go, and what is kept in memory is written down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Protocol, runtime_checkable

from server import clock, log
from server.catalog import faults, jobs, revoked_tokens, stored_answers
from server.catalog.database import Database, Transaction

EVERY_S = 60.0
TURNS = 100  # of each in a round, at some hundred rows a turn: what is left waits for the next one
PAUSE_S = 0.05  # between them: writers who wait have the database first

Sweep = Callable[[Transaction, datetime], Awaitable[bool | None]]  # True: there is more to do


@runtime_checkable
class Looking(Protocol):
    """Of what is to be done it finds out before it keeps others from writing."""

    async def look(self, transaction: Transaction, now: datetime) -> bool:
        """Whether there is something to do, in a transaction that only reads."""

    async def sweep(self, transaction: Transaction, now: datetime) -> bool:
        """What was found; whether there is more to do."""


SWEEPS: Sequence[Sweep] = (stored_answers.sweep, revoked_tokens.sweep, jobs.sweep)

_log = log.get("server")


async def sweep(database: Database, sweeps: Sequence[Sweep | Looking] = SWEEPS, turns: int = TURNS) -> None:
    """Each turn in a transaction of its own, as others want to write meanwhile. What is wrong with one sweep does not
    keep the others; what keeps all of them, as the database is away, is raised."""
    for one in sweeps:
        try:
            await _turns(database, one, turns)
        except Exception as error:
            if faults.passing(error):
                raise
            faults.tell(_log, "sweep failed", error)


async def _turns(database: Database, one: Sweep | Looking, turns: int) -> None:
    for turn in range(turns):
        if turn:
            await asyncio.sleep(PAUSE_S)
        if not await _turn(database, one):
            break


async def _turn(database: Database, one: Sweep | Looking) -> bool | None:
    """Whether there is more to do."""
    if isinstance(one, Looking):
        async with database.read() as transaction:
            if not await one.look(transaction, clock.now()):
                return False
        one = one.sweep
    async with database.write() as transaction:
        return await one(transaction, clock.now())


@asynccontextmanager
async def sweeping(database: Database, sweeps: Sequence[Sweep | Looking] = SWEEPS) -> AsyncIterator[None]:
    """While the context lasts."""
    task = asyncio.create_task(_sweep_forever(database, sweeps))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        with suppress(Exception):  # of what matters little, at the end
            await sweep(database, sweeps, turns=1)


async def _sweep_forever(database: Database, sweeps: Sequence[Sweep | Looking]) -> None:
    while True:
        try:
            await sweep(database, sweeps)
        except Exception as error:
            faults.tell(_log, "sweep failed", error)  # the next round may do better
        await asyncio.sleep(EVERY_S)
