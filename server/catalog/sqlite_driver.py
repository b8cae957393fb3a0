"""SQLite's driver: what is short is done at once, on the event loop; all else in the connection's thread.

aiosqlite hands everything to a thread of its connection, and SQLAlchemy asks it for a cursor, the statement, the rows
and the cursor's end one after the other. A look-up by an index takes SQLite some ten microseconds. A hop to the thread
and back costs many times that; and beside a busy loop each of the two turns waits for the interpreter's lock, up to
5 ms. So

    a query                 is begun on the loop and given BUDGET strides of SQLite's machine, and BUDGET_S; one that
                            needs more is interrupted and done again in the thread, and one that needs more steps is
                            from then on begun there
    a write of a row        is done on the loop: it changes pages in memory
    a read's begin and end  likewise: in WAL mode they wait for nobody
    BEGIN IMMEDIATE         likewise, where the lock can be had at once
    all else                is one hop each: waiting for the lock; COMMIT, which waits for the disk; statements over
                            many rows; those whose single steps may be long, or whose texts; and writes of what has a
                            full-text index, which now and then puts its parts together

Who makes statements one after the other lets others have the loop after every TURN of them; who writes, and keeps
other writers waiting, after every WRITE_TURN.
"""

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.util.concurrency import await_

from server import clock

STRIDE = 100  # steps between two looks at the budget: each may read a page from the disk
BUDGET = 200  # strides: half a millisecond, or all 45 columns of 300 rows
BUDGET_S = 0.002  # where pages have to be read first
BUSY_MS = 30_000  # that the write lock is waited for: the job engine writes to the same file
TURN = 8  # statements: some 2 ms, most of which is not SQLite's
WRITE_TURN = 32
LONG_KEPT = 256  # statements that were found to be long; there are some hundred in all

_ONE_ROW = re.compile(
    r"""BEGIN$ | (RELEASE\ )?SAVEPOINT\  | INSERT\ INTO\ (?!.*\bSELECT\b)
    | UPDATE\ (\w+)\ SET\ (?!.*\bSELECT\b).*\ WHERE\ \2\.(video_)?id\ =\ \?(\ RETURNING\ \w+)?$""",
    re.VERBOSE | re.DOTALL,
)
# its triggers write a full-text index (catalog.dialects), which merges its segments within the statement
_INDEXED = re.compile(
    r"""INSERT\ INTO\ (videos|video_words)\b | UPDATE\ video_words\b
    | UPDATE\ videos\ SET\ .*\b(title|description|position)\s*=""",
    re.VERBOSE | re.DOTALL,
)
# what may work long within one step: on a long text, a posting list, a document
_LONG_STEPS = re.compile(
    r"\b(LIKE|MATCH|lower|upper|json_\w+|group_concat|RECURSIVE|text_tracks\.words|stored_answers\.sealed)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=1024)
def is_query(operation: str) -> bool:
    """Whether it may be interrupted, and begun again."""
    return operation.startswith("SELECT ") and not _LONG_STEPS.search(operation)


@lru_cache(maxsize=1024)
def is_short(operation: str) -> bool:
    """Whether it touches one row, or what one video has of a kind, or none."""
    return _ONE_ROW.match(operation) is not None and not _INDEXED.match(operation)


@dataclass(slots=True)
class _Loop:
    """What the connections of an engine know together."""

    long: set[str] = field(default_factory=set)  # statements that are begun in the thread
    made: int = 0  # statements that were not

    def note_long(self, operation: str) -> None:
        if len(self.long) >= LONG_KEPT:
            self.long.clear()
        self.long.add(operation)

    def is_turn_over(self) -> bool:
        self.made += 1
        return self.made % TURN == 0


class Statement:
    """A cursor (PEP 249) whose rows were all fetched."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> Self:
        connection = self._connection
        if connection.is_turn_over():
            await asyncio.sleep(0)
        if not connection.idle or not self._at_once(operation, parameters):
            await connection.hop(self._run, sqlite3.Cursor.execute, operation, parameters)
        return self

    async def executemany(self, operation: str, parameters: Iterable[Sequence[Any]]) -> Self:
        await self._connection.hop(self._run, sqlite3.Cursor.executemany, operation, parameters)
        return self

    def _at_once(self, operation: str, parameters: Sequence[Any]) -> bool:
        """Whether it was done on the loop. Raises what `execute` does."""
        if is_short(operation):
            self._run(sqlite3.Cursor.execute, operation, parameters)
            return True
        if operation in self._connection.loop.long or not is_query(operation):
            return False
        plain = self._connection.plain
        budget = _Budget()
        plain.set_progress_handler(budget.is_spent, STRIDE)
        try:
            self._run(sqlite3.Cursor.execute, operation, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            if budget.left < 0:  # the disk may be faster the next time
                self._connection.loop.note_long(operation)
            return False
        finally:
            plain.set_progress_handler(None, 0)
        return True

    def _run(self, execute: Any, operation: str, parameters: Any) -> None:
        """In the connection's thread, or while that is idle."""
        connection = self._connection
        if connection.lost is not None:
            raise connection.lost.with_traceback(None)
        cursor = connection.plain.cursor()
        try:
            execute(cursor, operation, parameters)
            self.description = cursor.description
            self._rows = cursor.fetchall() if cursor.description else ()
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        except sqlite3.Error as error:
            connection.note_lost(error)
            raise
        finally:
            cursor.close()

    async def fetchall(self) -> Sequence[Any]:
        return self.rows()

    def rows(self) -> Sequence[Any]:
        rows, self._rows = self._rows, ()
        return rows

    async def close(self) -> None:
        """It is."""


class _Budget:
    """Of one query. SQLite's own count goes on from one execution of a statement to the next."""

    __slots__ = ("_until", "left")

    def __init__(self) -> None:
        self.left = BUDGET
        self._until = clock.monotonic() + BUDGET_S

    def is_spent(self) -> bool:
        self.left -= 1
        return self.left < 0 or clock.monotonic() > self._until


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """For SQLAlchemy, which is in a greenlet."""

    __slots__ = ()

    def _make_new_cursor(self, connection: Any) -> Any:
        return Statement(self._adapt_connection)  # type: ignore[arg-type]

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor  # nothing of it is anywhere yet


class _Connection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ("_done", "_made", "_sent", "begun", "loop", "lost", "writes")

    _cursor_cls = _Cursor

    def __init__(self, dbapi: Any, connection: Any, loop: _Loop) -> None:
        super().__init__(dbapi, connection)
        self.loop = loop
        self.begun = False  # a transaction, which has not ended
        self.writes = False  # so it was begun
        self.lost: sqlite3.Error | None = None  # why SQLite has rolled it back by itself, as where the disk is full
        self._made = 0  # statements of what is written
        # hops; a caller who was cancelled is gone before what he sent is done
        self._sent = 0  # counted on the loop
        self._done = 0  # in the thread

    @property
    def plain(self) -> sqlite3.Connection:
        connection: Any = self._connection
        found: sqlite3.Connection = connection._conn
        return found

    @property
    def idle(self) -> bool:
        """Whether nothing is under way in the thread."""
        return self._sent == self._done

    @property
    def ends_at_once(self) -> bool:
        """Whether a rollback waits for nothing."""
        return self.idle and not (self.writes and self.plain.in_transaction)

    async def hop(self, work: Callable[..., object], *arguments: Any) -> None:
        """Does the work in the thread."""
        connection: Any = self._connection
        execute: Callable[..., Awaitable[None]] = connection._execute
        self._sent += 1
        await execute(self._worked, work, arguments)

    def _worked(self, work: Callable[..., object], arguments: Sequence[Any]) -> None:
        try:
            work(*arguments)
        finally:
            self._done += 1

    def note_lost(self, error: sqlite3.Error) -> None:
        """A statement after it would be a transaction of its own: it fails as this one did, and so does the commit."""
        if self.begun and not self.plain.in_transaction:
            self.lost = error

    def is_turn_over(self) -> bool:
        if not self.writes:
            return self.loop.is_turn_over()
        self._made += 1
        return self._made % WRITE_TURN == 0

    async def run(self, operation: str, parameters: Sequence[Any]) -> Statement:
        """In a transaction that has begun. Raises sqlite3.Error."""
        return await Statement(self).execute(operation, parameters)

    async def begin(self, *, writes: bool) -> None:
        """Goes on in the transaction where one has begun. One that writes has the write lock from here on. Raises
        sqlite3.Error."""
        if self.begun:
            return
        self.begun, self.writes = True, writes
        if not self.idle:
            await self.hop(self._begin)
        elif not writes:
            self._begin()
        elif not self._locks_at_once():
            await self.hop(self._begin)

    def _begin(self) -> None:
        self.plain.execute("BEGIN IMMEDIATE" if self.writes else "BEGIN")

    def _locks_at_once(self) -> bool:
        """Whether nobody else has the write lock, which is this connection's now."""
        self.plain.execute("PRAGMA busy_timeout=0")
        try:
            self._begin()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            return False
        finally:
            self.plain.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        return True

    async def keep(self) -> None:
        """Commits. Raises sqlite3.Error, and has rolled back then: SQLAlchemy takes a commit that fails for an end."""
        try:
            if self.plain.in_transaction or not self.idle:
                await self.hop(sqlite3.Connection.commit, self.plain)
            if self.lost is not None:
                raise self.lost.with_traceback(None)
        except sqlite3.Error:
            await self.hop(sqlite3.Connection.rollback, self.plain)
            self._ended()
            raise
        self._ended()

    def commit(self) -> None:
        try:
            await_(self.keep())
        except Exception as error:
            self._handle_exception(error)

    def rollback(self) -> None:
        if not self._connection._connection:
            return
        try:
            if self.ends_at_once:
                self.plain.rollback()
            else:
                await_(self.hop(sqlite3.Connection.rollback, self.plain))
        except Exception as error:
            self._handle_exception(error)
        self._ended()

    def _ended(self) -> None:
        self.begun, self.writes, self.lost, self._made = False, False, None, 0


class Driver(AsyncAdapt_aiosqlite_dbapi):
    """For `create_async_engine(module=…)`."""

    def __init__(self) -> None:
        super().__init__(aiosqlite, sqlite3)
        self._loop = _Loop()

    def connect(self, *arguments: Any, **named: Any) -> AsyncAdapt_aiosqlite_connection:
        connection: Any = aiosqlite.connect(*arguments, **named)
        connection._thread.daemon = True  # a process that ends does not wait for it
        return _Connection(self, await_(connection), self._loop)
