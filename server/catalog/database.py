"""The connection to the rows: transactions, their after-commit callbacks, migrations.

SQLite: WAL, `synchronous=FULL` (what was acknowledged is on disk), writers take the write lock at BEGIN (a deferred
transaction that reads and then writes fails under load) and queue in the process rather than in SQLite's busy loop.
PostgreSQL: the same guarantees, shared by several processes (`dialects`, `peers`).
"""

import asyncio
import errno
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Sequence, Set
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, event, func, select
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session, UOWTransaction
from sqlalchemy.orm.attributes import instance_state

from server import ids
from server.catalog import changes, flushing, indexing
from server.catalog.dialects import MIGRATION_LOCK, WRITE_LOCK, async_url, make_engine
from server.catalog.direct import Direct
from server.catalog.peers import CHANNEL, Peers, notifications
from server.catalog.undertakings import under_way

POSTGRES_DISK_FULL = "53100"  # SQLSTATE, PostgreSQL appendix A


class _Session(Session):
    """The synchronous half of a transaction."""


@event.listens_for(_Session, "before_flush")
def _place(session: Session, _context: UOWTransaction, _instances: object) -> None:
    indexing.place(session)


@event.listens_for(_Session, "after_flush")
def _note_changes(session: Session, _context: UOWTransaction) -> None:
    for row in (*session.new, *session.dirty, *session.deleted):
        _announce(session, row)
    changes.note(session)
    indexing.index(session)


def _announce(session: Session, row: Any) -> None:
    id = getattr(row, "id", None)
    if isinstance(id, str):
        session.info.setdefault("changed", set()).add(id)


class Transaction(AsyncSession):
    """A unit of work; objects it gives out stay readable after it."""

    sync_session_class = _Session
    direct: Direct | None = None  # on SQLite
    has_committed = False

    @property
    def is_pending(self) -> bool:
        """Whether objects of its were changed and not yet written."""
        return bool(self.new or self.dirty or self.deleted)

    async def flush(self, objects: Sequence[Any] | None = None) -> None:
        if self.direct is not None and objects is None and self.is_pending:
            await flushing.flush(self)
        if self.is_pending:
            await super().flush(objects)

    async def own(self, row: Any) -> Any:
        """The session's object of a row that was read by itself."""
        key: Any = instance_state(row).key
        own = self.sync_session.identity_map.get(key)
        if own is None:
            self.add(row)
            return row
        if expired := instance_state(own).expired_attributes:
            await self.refresh(own, expired)
        return own

    @property
    def changed(self) -> Set[str]:
        """The ids of the rows that were added, changed or deleted as objects (not by bulk statements); it grows."""
        found: set[str] = self.info.setdefault("changed", set())
        return found

    def announce(self, word: str) -> None:
        """Listeners of the commit hear the word among the ids."""
        self.info.setdefault("changed", set()).add(word)

    def announce_row(self, row: Any) -> None:
        """That it was added, changed or deleted."""
        _announce(self.sync_session, row)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once the transaction is committed; never if it isn't."""
        self._callbacks().append(callback)

    @asynccontextmanager
    async def part(self) -> AsyncIterator[Self]:
        """A part that may fail by itself: then nothing of it stays, and nothing follows it."""
        await self.flush()  # what is not of the part stays
        callbacks, written, noted = len(self._callbacks()), flushing.count(self), self.info.get(changes.NOTED)
        before = changes.kept(noted or {})
        try:
            async with self.begin_nested():
                _ = await self.connection()  # where it begins, which prepared statements do not ask for
                yield self
                await self.flush()
        except BaseException:
            del self._callbacks()[callbacks:]
            flushing.take_back(self, written)
            if noted is not None:
                self.info[changes.NOTED] = before
            raise

    def _callbacks(self) -> list[Callable[[], None]]:
        callbacks: list[Callable[[], None]] = self.info.setdefault("after_commit", [])
        return callbacks

    def committed(self) -> None:
        """Runs the callbacks, in order; called by Database."""
        for callback in self._callbacks():
            callback()


class Database:
    """Reads and writes of the catalogue. `async with Database.open(url) as database`.

    `process` names this process among those that share the database.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.process = ids.new("wo")
        self.shared = engine.dialect.name == "postgresql"
        self._writing = asyncio.Lock()
        self._listeners: list[Callable[[Set[str]], None]] = []
        self._changing: Set[str] = frozenset()
        self._peers = Peers(engine, self.process, self._changed) if self.shared else None

    def on_commit(self, listener: Callable[[Set[str]], None]) -> None:
        """Calls `listener` after every commit, of any process, with the ids of the rows it changed: for caches to drop
        them. What others commit is heard within moments; what they commit while the connection is lost is not."""
        self._listeners.append(listener)

    def is_changing(self, id: str) -> bool:
        """Whether a transaction of this process has changed the row and its listeners have not heard of it: a reader
        may see it as it will be, when the commit is done and known of only in the thread that did it."""
        return id in self._changing

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        engine = make_engine(async_url(url))
        database = cls(engine)
        try:
            if database._peers is None:
                yield database
            else:
                async with database._peers.joined():
                    yield database
        finally:
            await engine.dispose()

    async def dead(self, processes: Collection[str]) -> set[str]:
        """Those of the processes that live no more. On SQLite, which has one at a time: all but this one."""
        others = set(processes) - {self.process}
        return others if self._peers is None else await self._peers.dead(others)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A transaction that only reads."""
        current = under_way()
        written = current.written if current is not None else None
        if written is not None:
            yield written  # what was written is not committed yet
            return
        transaction = Transaction(self.engine, expire_on_commit=False, autoflush=False)
        if self.shared:
            async with transaction:
                await self._connect(transaction)
                yield transaction
            return
        transaction.direct = direct = await Direct.taken(transaction, self.engine, writes=False)
        try:
            await direct.begin()
            yield transaction
        finally:
            await direct.end(transaction)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that commits when the block ends well and rolls back when it raises; the only one meanwhile.

        Of a task with an undertaking it is that one's.
        """
        current = under_way()
        async with self._alone() if current is None else current.write(self._alone) as transaction:
            yield transaction

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Transaction]:
        transaction = Transaction(self.engine, expire_on_commit=False)
        # where its end has a way to go it keeps nobody waiting
        async with transaction if self.shared else nullcontext(), self._writing:
            self._changing = transaction.changed
            try:
                async with self._begun(transaction):
                    yield transaction
            finally:
                self._changing = frozenset()
                if transaction.has_committed:  # also if the caller was cancelled at the end of it
                    self._changed(transaction.changed)
                    transaction.committed()

    @asynccontextmanager
    async def _begun(self, transaction: Transaction) -> AsyncIterator[None]:
        """Committed at the end."""
        if self.shared:
            async with transaction.begin():
                await self._connect(transaction)
                await transaction.execute(WRITE_LOCK)
                yield
                await self._tell(transaction)
            transaction.has_committed = True
            return
        transaction.direct = direct = await Direct.taken(transaction, self.engine, writes=True)
        try:
            await direct.begin()
            yield
            await direct.commit(transaction)
        finally:
            await direct.end(transaction)

    async def _connect(self, transaction: Transaction) -> None:
        """A server that can't be reached is a fault of the database, whatever the driver says."""
        try:
            _ = await transaction.connection()
        except OSError as error:
            raise OperationalError("CONNECT", None, error) from error

    async def _tell(self, transaction: Transaction) -> None:
        """Other processes hear of it at the commit."""
        await transaction.flush()
        for payload in notifications(self.process, transaction.changed):
            await transaction.execute(select(func.pg_notify(CHANNEL, payload)))

    def _changed(self, changed: Set[str]) -> None:
        for listener in self._listeners:
            listener(changed)

    async def migrate(self) -> None:
        """Brings the tables to the newest revision."""
        if not self.shared:
            async with self.engine.connect() as connection:
                await connection.run_sync(upgrade)
            return
        async with self.engine.begin() as connection:
            await connection.execute(MIGRATION_LOCK)  # several processes may start together
            await connection.run_sync(upgrade)


def out_of_space(error: Exception) -> bool:
    """Whether the disk, ours or the database server's, has no room for what was to be written."""
    if isinstance(error, DBAPIError):
        cause = error.orig
        code = getattr(cause, "sqlite_errorcode", None) or getattr(cause, "sqlstate", None)
        return code in (sqlite3.SQLITE_FULL, POSTGRES_DISK_FULL)
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


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
