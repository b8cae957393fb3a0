"""What processes that died had claimed: freed for whoever has a place, after a restart or by those that are left."""

import asyncio
from collections.abc import Collection

from sqlalchemy.exc import InvalidRequestError

from server import log
from server.catalog import faults
from server.catalog import jobs as rows
from server.catalog.database import Database

EVERY_S = 1.5  # between looks; two in a row have to find a worker dead

_log = log.get("jobs")


class TakeOver:
    """`waiting` is announced with what is freed."""

    def __init__(self, database: Database, worker: str, waiting: str) -> None:
        self._database = database
        self._worker = worker
        self._waiting = waiting
        self.count = 0  # jobs

    async def all_dead(self) -> None:
        """At once: nobody else can be at it."""
        await self._free_all_of(await self._dead())

    async def run(self) -> None:
        suspected: set[str] = set()
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                dead = await self._dead()
                await self._free_all_of(dead & suspected)
                suspected = dead
            except (*faults.REFUSALS, InvalidRequestError) as fault:
                _log.warning("can't look for workers that died", reason=faults.reason(fault))
            except Exception as error:  # whatever it is, the next look comes
                _log.error("can't look for workers", exc_info=error)

    async def _dead(self) -> set[str]:
        async with self._database.read() as transaction:
            workers = await rows.workers(transaction)
        return await self._database.dead(workers - {self._worker})

    async def _free_all_of(self, workers: Collection[str]) -> None:
        for worker in workers:
            async with self._database.write() as transaction:
                freed = await rows.free(transaction, worker)
                transaction.announce(self._waiting)
            self.count += len(freed)
            _log.info("took over from a worker that died", worker=worker, jobs=len(freed))
