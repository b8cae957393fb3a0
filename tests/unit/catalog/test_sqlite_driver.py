"""What a statement costs on SQLite: whether it is done on the loop, or hops to the thread of its connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from server.catalog.database import Database, sqlite_url
from server.catalog.sqlite_driver import BUDGET, STRIDE, TURN, is_query, is_short

LONG = "SELECT count(*) FROM one AS a, one AS b"
ROWS = 1000  # squared, more than the budget


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(sqlite_url(tmp_path / "a.db")) as database:
        async with database.write() as transaction:
            await transaction.execute(text("CREATE TABLE one (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
            rows = [{"name": "a"}, {"name": "b"}]
            await transaction.execute(text("INSERT INTO one (name) VALUES (:name)"), rows)
        yield database


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many there were since the last call."""
    count = 0
    execute = aiosqlite.Connection._execute

    async def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        return await execute(*arguments, **named)

    def since() -> int:
        nonlocal count
        found, count = count, 0
        return found

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    return since


async def test_a_short_read_never_leaves_the_loop(tmp_path: Path, hops: Callable[[], int]) -> None:
    async with opened(tmp_path) as database:
        hops()
        async with database.read() as transaction:
            found = await transaction.execute(text("SELECT id, name FROM one ORDER BY id"))
            assert [tuple(row) for row in found] == [(1, "a"), (2, "b")]
        assert hops() == 0


async def test_a_write_hops_to_begin_and_to_commit(tmp_path: Path, hops: Callable[[], int]) -> None:
    async with opened(tmp_path) as database:
        hops()
        async with database.write() as transaction:
            changed = await transaction.execute(text("UPDATE one SET name = 'c' WHERE one.id = :id"), {"id": 2})
            assert changed.rowcount == 1  # type: ignore[attr-defined]
            added = await transaction.execute(text("INSERT INTO one (name) VALUES ('d')"))
            assert added.lastrowid == 3  # type: ignore[attr-defined]
            async with transaction.part():
                assert await transaction.scalar(text("SELECT count(*) FROM one")) == 3
        assert hops() == 2
        async with database.read() as transaction:
            names = await transaction.scalars(text("SELECT name FROM one ORDER BY id"))
            assert list(names) == ["a", "c", "d"]


async def test_a_long_query_is_done_again_in_the_thread(tmp_path: Path, hops: Callable[[], int]) -> None:
    assert ROWS * ROWS > BUDGET * STRIDE
    async with opened(tmp_path) as database:
        async with database.write() as transaction:
            rows = [{"name": str(number)} for number in range(ROWS - 2)]
            await transaction.execute(text("INSERT INTO one (name) VALUES (:name)"), rows)
        hops()
        async with database.read() as transaction:
            assert await transaction.scalar(text("SELECT name FROM one WHERE id = 1")) == "a"
            async with database.write() as other:
                await other.execute(text("INSERT INTO one (name) VALUES ('later')"))
            hops()
            assert await transaction.scalar(text(LONG)) == ROWS * ROWS  # of the same moment as the first query
            assert hops() == 1
            assert await transaction.scalar(text("SELECT count(*) FROM one")) == ROWS
        assert hops() == 0


async def test_an_interrupted_query_of_a_write_undoes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        async with database.write() as transaction:
            rows = [{"name": str(number)} for number in range(ROWS - 2)]
            await transaction.execute(text("INSERT INTO one (name) VALUES (:name)"), rows)
        async with database.write() as transaction:
            await transaction.execute(text("INSERT INTO one (name) VALUES ('kept')"))
            assert await transaction.scalar(text(LONG)) == (ROWS + 1) ** 2
        async with database.read() as transaction:
            assert await transaction.scalar(text("SELECT count(*) FROM one WHERE name = 'kept'")) == 1


async def test_many_short_statements_let_others_have_the_loop(tmp_path: Path) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with opened(tmp_path) as database:
        other = asyncio.create_task(count())
        async with database.read() as transaction:
            for _ in range(10 * TURN):
                await transaction.scalar(text("SELECT name FROM one WHERE id = 1"))
        other.cancel()
        assert turns >= 10


async def test_faults_are_those_of_the_database(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        with pytest.raises(IntegrityError):
            async with database.write() as transaction:
                await transaction.execute(text("INSERT INTO one (name) VALUES ('a')"))
        with pytest.raises(OperationalError, match="no such table"):
            async with database.read() as transaction:
                await transaction.execute(text("SELECT * FROM two"))
        async with database.write() as transaction:
            await transaction.execute(text("INSERT INTO one (name) VALUES ('z')"))


async def test_what_is_rolled_back_leaves_nothing(tmp_path: Path) -> None:
    async def fail(database: Database) -> None:
        async with database.write() as transaction:
            await transaction.execute(text("INSERT INTO one (name) VALUES ('z')"))
            raise ZeroDivisionError

    async with opened(tmp_path) as database:
        with pytest.raises(ZeroDivisionError):
            await fail(database)
        async with database.read() as transaction:
            assert await transaction.scalar(text("SELECT count(*) FROM one")) == 2


async def test_a_reader_who_is_cancelled_in_a_hop_holds_nobody_up(tmp_path: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT count(*) FROM n"

    async def read(database: Database) -> None:
        async with database.read() as transaction:
            await transaction.scalar(text(endless))

    async with opened(tmp_path) as database:
        reader = asyncio.create_task(read(database))
        await asyncio.sleep(0.01)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        async with database.write() as transaction:
            await transaction.execute(text("INSERT INTO one (name) VALUES ('z')"))


@pytest.mark.parametrize(
    ("operation", "short", "query"),
    [
        ("BEGIN", True, False),
        ("BEGIN IMMEDIATE", False, False),
        ("SAVEPOINT sa_savepoint_1", True, False),
        ("RELEASE SAVEPOINT sa_savepoint_1", True, False),
        ("ROLLBACK TO SAVEPOINT sa_savepoint_1", False, False),
        ("INSERT INTO a (b) VALUES (?)", True, False),
        ("INSERT INTO a (b) SELECT c FROM d", False, False),
        ("UPDATE a SET b=? WHERE a.id = ?", True, False),
        ("UPDATE a SET b=? WHERE a.video_id = ? RETURNING c", True, False),
        ("UPDATE a SET b=? WHERE a.id = ? OR a.c = ?", False, False),
        ("UPDATE a SET b=? WHERE a.project_id = ?", False, False),
        ("UPDATE a SET b=(SELECT count(*) FROM c) WHERE a.id = ?", False, False),
        ("DELETE FROM a WHERE a.id = ?", False, False),  # what is deleted with it may be much
        ("SELECT a.b \nFROM a \nWHERE a.id = ?", False, True),
        ("SELECT a.b FROM a WHERE lower(a.b) LIKE ?", False, False),
        ("SELECT rowid FROM a WHERE a MATCH ?", False, False),
        ("PRAGMA journal_mode=WAL", False, False),
    ],
)
def test_what_is_done_on_the_loop(operation: str, short: bool, query: bool) -> None:
    assert (is_short(operation), is_query(operation)) == (short, query)
