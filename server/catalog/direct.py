"""The connection of a transaction on SQLite, for statements that are prepared: no session, no greenlet.

What is only read is seen as it was at the first statement. Prepared statements run straight on the connection, all
others in the transaction's session, on the same one.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Dialect, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util.concurrency import greenlet_spawn

from server.catalog.sqlite_driver import Statement

if TYPE_CHECKING:
    from server.catalog.database import Transaction


class Direct:
    """Of one transaction. One that `writes` begins, commits and ends its session; `end` ends the others."""

    def __init__(self, engine: AsyncEngine, *, writes: bool) -> None:
        self.dialect: Dialect = engine.dialect
        self.writes = writes
        self._engine = engine.sync_engine
        self._taken: PoolProxiedConnection | None = None  # by us; None: there is none, or it is the session's own
        self._used: PoolProxiedConnection | None = None  # of either

    async def run(self, transaction: "Transaction", operation: str, parameters: Sequence[Any]) -> Statement:
        """Done. Raises sqlalchemy.exc.DBAPIError; and InvalidRequestError where the session's transaction has failed,
        also if that was caught."""
        used = self._used
        if used is None or self._is_over(transaction, used):
            used = self._used = await self._find(transaction)
        driver: Any = used.dbapi_connection  # sqlite_driver's
        try:
            done: Statement = await driver.run(operation, parameters)
        except sqlite3.Error as error:
            raise DBAPIError.instance(operation, None, error, sqlite3.Error, hide_parameters=True) from error
        return done

    def _is_over(self, transaction: "Transaction", used: PoolProxiedConnection) -> bool:
        """Whether the session has rolled it back, or lost its connection: a statement would be a transaction of its
        own."""
        if used.dbapi_connection is None:
            return True
        return used is not self._taken and not (transaction.in_transaction() and transaction.is_active)

    async def _find(self, transaction: "Transaction") -> PoolProxiedConnection:
        if self.writes or transaction.in_transaction():  # the session was first
            connection = await transaction.connection()
            return await connection.get_raw_connection()
        self._taken = await greenlet_spawn(self._take)
        # the session goes on in it, if anything comes for it
        transaction.sync_session.bind = Connection(self._engine, self._taken)
        return self._taken

    def _take(self) -> PoolProxiedConnection:
        taken = self._engine.raw_connection()
        try:
            driver: Any = taken.dbapi_connection
            driver.begin()
        except BaseException:
            taken.close()
            raise
        return taken

    async def end(self, transaction: "Transaction") -> None:
        """Also when the caller is cancelled meanwhile."""
        if transaction.in_transaction() or not self._is_idle():
            await asyncio.shield(asyncio.create_task(self._end(transaction)))
        elif self._taken is not None:
            self._taken.close()  # waits for nothing

    def _is_idle(self) -> bool:
        driver: Any = self._used.dbapi_connection if self._used is not None else None
        return driver is None or bool(driver.idle)

    async def _end(self, transaction: "Transaction") -> None:
        try:
            await transaction.close()
        finally:
            if self._taken is not None:
                await greenlet_spawn(self._taken.close)
