"""The connection of a transaction on SQLite, for statements that are prepared: no session, no greenlet.

Prepared statements run straight on the connection, all others in the transaction's session, on the same one. What is
only read is seen as it was at the first statement.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util.concurrency import greenlet_spawn

from server.catalog.sqlite_driver import Statement

if TYPE_CHECKING:
    from server.catalog.database import Transaction


class Direct:
    """Of one transaction, from its beginning to its end."""

    def __init__(self, connection: Connection, *, writes: bool) -> None:
        self.dialect: Dialect = connection.dialect
        self.writes = writes
        self._connection = connection
        self._driver: Any = connection.connection.dbapi_connection  # sqlite_driver's

    @classmethod
    async def taken(cls, transaction: "Transaction", engine: AsyncEngine, *, writes: bool) -> Self:
        """For the transaction, whose session goes on in it. It is to be begun, and ended."""
        connection = await greenlet_spawn(engine.sync_engine.connect)
        transaction.sync_session.bind = connection
        return cls(connection, writes=writes)

    async def begin(self) -> None:
        """One that writes has the write lock from here on. Raises sqlalchemy.exc.DBAPIError."""
        try:
            await self._driver.begin(writes=self.writes)
        except sqlite3.Error as error:
            raise _named(error, "BEGIN") from error

    async def run(self, transaction: "Transaction", operation: str, parameters: Sequence[Any]) -> Statement:
        """Done. Raises sqlalchemy.exc.DBAPIError; and PendingRollbackError where the session's transaction has failed,
        also if that was caught."""
        if self._is_over(transaction):
            raise PendingRollbackError("the transaction was rolled back")
        try:
            done: Statement = await self._driver.run(operation, parameters)
        except sqlite3.Error as error:
            raise _named(error, operation) from error
        return done

    def _is_over(self, transaction: "Transaction") -> bool:
        """Whether the session has rolled it back, or lost its connection: a statement would be a transaction of its
        own."""
        return not (self._driver.begun and transaction.sync_session.is_active) or self._connection.invalidated

    async def commit(self, transaction: "Transaction") -> None:
        """With what the session has not written yet. A caller who is cancelled in it goes when its outcome is known.
        Raises sqlalchemy.exc.SQLAlchemyError."""
        await transaction.flush()
        committing, cancelled = asyncio.create_task(self._commit(transaction)), None
        while not committing.done():
            try:
                await asyncio.wait([committing])
            except asyncio.CancelledError as error:
                cancelled = error
        committing.result()
        transaction.has_committed = True
        if cancelled is not None:
            raise cancelled

    async def _commit(self, transaction: "Transaction") -> None:
        if transaction.in_transaction():
            await transaction.commit()
        if not self._driver.begun:
            return  # it was the session's too
        try:
            await self._driver.keep()
        except sqlite3.Error as error:
            raise _named(error, "COMMIT") from error

    async def end(self, transaction: "Transaction") -> None:
        """What is not committed is rolled back, also when the caller is cancelled meanwhile."""
        if transaction.in_transaction() or not self._driver.ends_at_once:
            await asyncio.shield(asyncio.create_task(self._close(transaction)))
        else:
            transaction.sync_session.close()
            self._connection.close()

    async def _close(self, transaction: "Transaction") -> None:
        try:
            await transaction.close()
        finally:
            await greenlet_spawn(self._connection.close)


def _named(error: sqlite3.Error, operation: str) -> Exception:
    """As SQLAlchemy names it."""
    return DBAPIError.instance(operation, None, error, sqlite3.Error, hide_parameters=True)
