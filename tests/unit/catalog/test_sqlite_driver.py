"""What a statement costs on SQLite: whether it is done on the loop, or hops to the thread of its connection."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from server import clock
from server.catalog import sqlite_driver, stored_answers, videos
from server.catalog.access_models import StoredAnswer
from server.catalog.database import Database, sqlite_url
from server.catalog.dialects import SQLITE_SEARCH, SQLITE_TEXTS
from server.catalog.models import DEFAULT_PROJECT, Video
from server.catalog.sqlite_driver import BUDGET, BUSY_MS, STRIDE, TURN, is_query, is_short
from tests.harness import catalogue

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
def url(tmp_path: Path) -> str:
    """Of a catalogue."""
    return catalogue.copy(tmp_path)


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many there were since the last call; none for want of time."""
    monkeypatch.setattr(sqlite_driver, "BUDGET_S", 60.0)
    count = 0
    execute: Any = aiosqlite.Connection._execute

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


async def test_a_write_hops_to_commit(tmp_path: Path, hops: Callable[[], int]) -> None:
    async with opened(tmp_path) as database:
        hops()
        async with database.write() as transaction:
            changed = await transaction.execute(text("UPDATE one SET name = 'c' WHERE one.id = :id"), {"id": 2})
            assert changed.rowcount == 1  # type: ignore[attr-defined]
            added = await transaction.execute(text("INSERT INTO one (name) VALUES ('d')"))
            assert added.lastrowid == 3  # type: ignore[attr-defined]
            async with transaction.part():
                assert await transaction.scalar(text("SELECT count(*) FROM one")) == 3
        assert hops() == 1
        async with database.read() as transaction:
            names = await transaction.scalars(text("SELECT name FROM one ORDER BY id"))
            assert list(names) == ["a", "c", "d"]


async def test_a_lock_that_another_holds_is_waited_for_in_the_thread(tmp_path: Path, hops: Callable[[], int]) -> None:
    async with opened(tmp_path) as database, aiosqlite.connect(tmp_path / "a.db") as job_engine:
        await job_engine.execute("BEGIN IMMEDIATE")

        async def write() -> int | None:
            async with database.write() as transaction:
                await transaction.execute(text("INSERT INTO one (name) VALUES ('c')"))
                return await transaction.scalar(text("PRAGMA busy_timeout"))

        hops()
        writing = asyncio.create_task(write())
        async with asyncio.timeout(30):
            while not hops():
                await asyncio.sleep(0.01)
        assert not writing.done()
        await job_engine.commit()
        assert await asyncio.wait_for(writing, 30) == BUSY_MS


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


async def test_a_query_whose_pages_come_slowly_is_done_again_but_may_be_fast_the_next_time(
    tmp_path: Path, hops: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = "SELECT count(*) FROM one AS a, one AS b, one AS c, one AS d, one AS e, one AS f, one AS g"
    async with opened(tmp_path) as database:
        for budget_s, hopped in ((0.0, 1), (60.0, 0)):
            monkeypatch.setattr(sqlite_driver, "BUDGET_S", budget_s)
            hops()
            async with database.read() as transaction:
                assert await transaction.scalar(text(some)) == 2**7
            assert hops() == hopped


async def test_what_has_a_full_text_index_is_written_in_the_thread(url: str, hops: Callable[[], int]) -> None:
    async with Database.open(url) as database, database.write() as transaction:
        await transaction.scalar(text("SELECT 1"))
        hops()
        row = await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="first"))
        assert hops() == 2  # the video, its words
        row.title = "second"
        await transaction.flush()
        assert hops() == 2
        row.revision += 1
        await transaction.flush()
        assert await transaction.scalar(text("SELECT title FROM videos WHERE revision = 2")) == "second"
        assert hops() == 0


async def test_long_texts_are_read_in_the_thread(url: str, hops: Callable[[], int]) -> None:
    now = clock.now()
    async with Database.open(url) as database:
        async with database.write() as transaction:
            answer = StoredAnswer(project_id=DEFAULT_PROJECT, key_hash="a", fingerprint="", status=200, sealed=b"b",
                                  expires_at=now + timedelta(hours=1))  # fmt: skip
            await stored_answers.keep(transaction, answer)
        async with database.read() as transaction:
            await transaction.scalar(text("SELECT 1"))
            hops()
            assert await stored_answers.find(transaction, DEFAULT_PROJECT, "another", now) is None
            assert hops() == 0
            found = await stored_answers.find(transaction, DEFAULT_PROJECT, "a", now)
            assert found is not None
            assert found.sealed == b"b"
            assert hops() == 1


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
    loop, begun, ended = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    driver: list[Any] = []

    def wait() -> bool:
        loop.call_soon_threadsafe(begun.set)
        return ended.wait(30)

    async def read(database: Database) -> None:
        async with database.read() as transaction:
            driver.append((await (await transaction.connection()).get_raw_connection()).dbapi_connection)
            driver[0].plain.create_function("wait", 0, wait)
            await transaction.scalar(text("WITH n(i) AS (SELECT wait()) SELECT i FROM n"))

    async with opened(tmp_path) as database:
        reader = asyncio.create_task(read(database))
        await asyncio.wait_for(begun.wait(), 30)
        reader.cancel()
        await asyncio.sleep(0)
        assert not driver[0].idle
        ended.set()
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
        ("INSERT INTO videos (id) VALUES (?)", False, False),
        ("INSERT INTO video_words (position) VALUES (?)", False, False),
        ("INSERT INTO video_details (video_id) VALUES (?)", True, False),
        ("UPDATE videos SET title=?, updated_at=? WHERE videos.id = ?", False, False),
        ("UPDATE videos SET updated_at=?, description=? WHERE videos.id = ?", False, False),
        ("UPDATE videos SET position=? WHERE videos.id = ?", False, False),
        ("UPDATE videos SET revision=?, updated_at=? WHERE videos.id = ?", True, False),
        ("UPDATE video_words SET words=?, marks=? WHERE video_words.video_id = ?", False, False),
        ("UPDATE text_tracks SET title=? WHERE text_tracks.id = ?", True, False),
        ("DELETE FROM a WHERE a.id = ?", False, False),  # what is deleted with it may be much
        ("SELECT a.b \nFROM a \nWHERE a.id = ?", False, True),
        ("SELECT a.b FROM a WHERE lower(a.b) LIKE ?", False, False),
        ("SELECT rowid FROM a WHERE a MATCH ?", False, False),
        ("SELECT substr(text_tracks.words, ?, ?) AS a FROM text_tracks", False, False),
        ("SELECT stored_answers.sealed AS b FROM stored_answers", False, False),
        ("PRAGMA journal_mode=WAL", False, False),
    ],
)
def test_what_is_done_on_the_loop(operation: str, short: bool, query: bool) -> None:
    assert (is_short(operation), is_query(operation)) == (short, query)


@pytest.mark.parametrize("trigger", [each for each in SQLITE_SEARCH + SQLITE_TEXTS if "TRIGGER" in each])
def test_no_write_that_sets_off_a_full_text_index_is_done_on_the_loop(trigger: str) -> None:
    found = re.search(r" AFTER (INSERT|DELETE|UPDATE)(?: OF ([\w, ]+))? ON (\w+) ", trigger)
    assert found is not None
    what, columns, table = found.groups()
    writes = {
        "INSERT": [f"INSERT INTO {table} (a) VALUES (?)"],
        "DELETE": [f"DELETE FROM {table} WHERE {table}.id = ?"],
        "UPDATE": [f"UPDATE {table} SET {column}=? WHERE {table}.id = ?" for column in (columns or "a").split(", ")],
    }
    assert not any(is_short(operation) for operation in writes[what])
