"""The connection to the rows: transactions, their after-commit callbacks, migrations.

SQLite: WAL, `synchronous=FULL` (what was acknowledged is on disk), writers take the write lock at BEGIN (a deferred
transaction that reads and then writes fails under load) and queue in the process rather than in SQLite's busy loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Set
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, UOWTransaction

SQLITE_BUSY_MS = 30_000  # the job engine writes to the same file


class _Session(Session):
    """The synchronous half of a transaction."""


@event.listens_for(_Session, "after_flush")
def _note_changes(session: Session, _context: UOWTransaction) -> None:
    changed: set[str] = session.info.setdefault("changed", set())
    for row in (*session.new, *session.dirty, *session.deleted):
        id = getattr(row, "id", None)
        if isinstance(id, str):
            changed.add(id)


class Transaction(AsyncSession):
    """A unit of work; objects it gives out stay readable after it."""

    sync_session_class = _Session

    @property
    def changed(self) -> Set[str]:
        """The ids of the rows that were added, changed or deleted as objects (not by bulk statements)."""
        found: set[str] = self.info.get("changed", set())
        return found

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once the transaction is committed; never if it isn't."""
        self._callbacks().append(callback)

    def _callbacks(self) -> list[Callable[[], None]]:
        callbacks: list[Callable[[], None]] = self.info.setdefault("after_commit", [])
        return callbacks

    def committed(self) -> None:
        """Runs the callbacks, in order; called by Database."""
        for callback in self._callbacks():
            callback()


class Database:
    """Reads and writes of the catalogue. `async with Database.open(url) as database`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._write_engine = engine.execution_options(sluice_write=True)
        self._writing = asyncio.Lock() if engine.dialect.name == "sqlite" else None
        self._listeners: list[Callable[[Set[str]], None]] = []

    def on_commit(self, listener: Callable[[Set[str]], None]) -> None:
        """Calls `listener` after every commit with the ids of the rows it changed: for caches to drop them."""
        self._listeners.append(listener)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        engine = create_async_engine(async_url(url))
        if engine.dialect.name == "sqlite":
            _prepare_sqlite(engine)
        try:
            yield cls(engine)
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A transaction that only reads."""
        async with Transaction(self.engine, expire_on_commit=False, autoflush=False) as transaction:
            yield transaction

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that commits when the block ends well and rolls back when it raises."""
        if self._writing is None:
            async with self._write() as transaction:
                yield transaction
        else:
            async with self._writing, self._write() as transaction:
                yield transaction

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[Transaction]:
        async with Transaction(self._write_engine, expire_on_commit=False) as transaction:
            async with transaction.begin():
                yield transaction
            for listener in self._listeners:
                listener(transaction.changed)
            transaction.committed()

    async def migrate(self) -> None:
        """Brings the tables to the newest revision."""
        async with self.engine.connect() as connection:
            await connection.run_sync(upgrade)


def sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def async_url(url: str) -> str:
    """The URL with the driver that Sluice uses, whatever an operator wrote."""
    for plain, driver in (("sqlite:", "sqlite+aiosqlite:"), ("postgresql:", "postgresql+asyncpg:")):
        if url.startswith(plain):
            return driver + url.removeprefix(plain)
    return url


def upgrade(connection: Connection) -> None:
    """Runs the migrations on an open connection."""
    from alembic import command

    config = migration_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def migration_config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _prepare_sqlite(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the BEGINs below are the only ones
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={SQLITE_BUSY_MS}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "close")
    def closing(connection: Any, _record: Any) -> None:
        # A connection whose user was cancelled is closed in the middle of its transaction. SQLite keeps one that has
        # cursors, with its lock, until they are gone, and the raised error holds them until garbage is collected.
        driver = connection.driver_connection
        if driver._connection is not None:
            driver._tx.put_nowait((None, driver._connection.rollback))  # before the close, in the driver's thread

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        write = connection.get_execution_options().get("sluice_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
