"""Processes that share a PostgreSQL database: what the others changed, and which of them still live.

One connection beside the pool does both. It listens for the ids of changed rows, which every write transaction sends
with its commit, and it holds an advisory lock under the name of its process, which the database takes away with the
connection, however the process ended: whose lock can be had is dead. No clocks, no table of heartbeats. (A proxy that
pools transactions has to be passed by.)
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Set
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server import log
from server.catalog.faults import reason

CHANNEL = "sluice_changes"
MAX_NOTIFIED = 200  # ids in one notification: PostgreSQL takes 8000 bytes
RECONNECT_S = 1.0

_TAKE, _TRY, _LEAVE = (
    text(f"SELECT {function}(:key)").bindparams(bindparam("key", type_=BigInteger))
    for function in ("pg_advisory_lock", "pg_try_advisory_lock", "pg_advisory_unlock")
)
_log = log.get("database")


class Peers:
    """`heard` is called with the ids of rows that other processes changed."""

    def __init__(self, engine: AsyncEngine, name: str, heard: Callable[[Set[str]], None]) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._name = name
        self._heard = heard
        self._connection: AsyncConnection | None = None  # while there is one
        self._busy = asyncio.Lock()  # a connection answers one question at a time

    @asynccontextmanager
    async def joined(self) -> AsyncIterator[None]:
        """Lives, and hears, during the block. Raises as connecting does."""
        joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._keep(joined))
        try:
            await joined
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def dead(self, names: Collection[str]) -> set[str]:
        """Those whose processes are gone; none while the database can't be asked."""
        connection, found = self._connection, set[str]()
        if connection is None:
            return found
        try:
            async with self._busy:
                for name in names:
                    if await connection.scalar(_TRY, {"key": _key(name)}):
                        await connection.execute(_LEAVE, {"key": _key(name)})
                        found.add(name)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("the database can't be asked who lives", reason=reason(error))
        return found

    async def _keep(self, joined: asyncio.Future[None]) -> None:
        while True:
            try:
                async with self._engine.connect() as connection:
                    await self._hold(connection, joined)
            except (SQLAlchemyError, OSError) as error:
                if not joined.done():
                    joined.set_exception(error)
                    return
                _log.warning("the database can't be heard", reason=reason(error))
            await asyncio.sleep(RECONNECT_S)

    async def _hold(self, connection: AsyncConnection, joined: asyncio.Future[None]) -> None:
        """Until the connection is lost."""
        lost = asyncio.Event()
        driver: Any = (await connection.get_raw_connection()).driver_connection
        driver.add_termination_listener(lambda _: lost.set())
        await driver.add_listener(CHANNEL, lambda _connection, _process, _channel, payload: self._hear(payload))
        await connection.execute(_TAKE, {"key": _key(self._name)})
        self._connection = connection
        try:
            if not joined.done():
                joined.set_result(None)
            await lost.wait()
        finally:
            self._connection = None
            await connection.invalidate()  # with its lock and its listener, never back into the pool

    def _hear(self, payload: str) -> None:
        sender, _, changed = payload.partition(" ")
        if sender != self._name:
            self._heard(frozenset(changed.split(",")))


def notifications(name: str, changed: Set[str]) -> list[str]:
    """The payloads that tell others of changed rows."""
    rows = sorted(changed)
    return [f"{name} {','.join(rows[at : at + MAX_NOTIFIED])}" for at in range(0, len(rows), MAX_NOTIFIED)]


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
