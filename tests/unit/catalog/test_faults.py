"""Which faults of a database pass by themselves, by the drivers' own errors; and what is said of them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from server.catalog import faults
from server.catalog.database import Database
from server.catalog.dialects import WRITE_LOCK, async_url, make_engine, server_of


class Log:
    """What was told, at which level."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, object]]] = []

    def warning(self, _event: str, **more: object) -> None:
        self.said.append(("warning", more))

    def error(self, _event: str, **more: object) -> None:
        self.said.append(("error", more))


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(("error", "passes"), [
    (OperationalError("BEGIN", None, sqlite_error(sqlite3.SQLITE_BUSY)), True),
    (OperationalError("BEGIN", None, sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT)), True),
    (OperationalError("INSERT", None, sqlite_error(sqlite3.SQLITE_FULL)), False),
    (OperationalError("SELECT", None, sqlite_error(sqlite3.SQLITE_ERROR)), False),
    (OperationalError("CONNECT", None, ConnectionRefusedError(111, "Connection refused")), True),
    (OperationalError("SELECT", None, RuntimeError("closed"), connection_invalidated=True), True),
    (OperationalError("SELECT", None, RuntimeError("other")), False),
    (NoConnectionFree(), True),
    (IntegrityError("INSERT", None, RuntimeError("twice")), False),
    (ValueError("no"), False),
])  # fmt: skip
def test_what_passes(error: Exception, passes: bool) -> None:
    log = Log()

    faults.tell(log, "it failed", error, job="jo1")

    assert faults.passing(error) is passes
    (level, more), = log.said
    assert level == ("warning" if passes else "error")
    assert more["job"] == "jo1"
    assert ("exc_info" in more) is not passes


@asynccontextmanager
async def refusing(state: str, sentence: str) -> AsyncIterator[str]:
    """A PostgreSQL that tells everyone the same (its protocol, sections 53.2 and 53.8); its URL."""
    fields = b"".join(field.encode() + b"\0" for field in ("SFATAL", "C" + state, "M" + sentence))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4), "big")
        if int.from_bytes((await reader.readexactly(size - 4))[:4], "big") == 80_877_103:  # whether TLS is spoken
            writer.write(b"N")
            size = int.from_bytes(await reader.readexactly(4), "big")
            await reader.readexactly(size - 4)
        writer.write(b"E" + (len(fields) + 5).to_bytes(4, "big") + fields + b"\0")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"postgresql://ana:word@127.0.0.1:{server.sockets[0].getsockname()[1]}/sluice"


@pytest.mark.parametrize(("state", "sentence", "passes"), [
    ("57P03", "the database system is starting up", True),
    ("53300", "sorry, too many clients already", True),
    ("28P01", 'password authentication failed for user "ana"', False),
])  # fmt: skip
async def test_a_server_that_lets_nobody_in(state: str, sentence: str, passes: bool) -> None:
    async with refusing(state, sentence) as url:
        database = Database(make_engine(async_url(url)))
        with pytest.raises(Exception, match=sentence) as caught:
            async with database.read() as transaction:
                await transaction.execute(text("select 1"))
        await database.engine.dispose()

    assert faults.passing(caught.value) is faults.away(caught.value) is passes
    assert isinstance(caught.value, OperationalError) is passes
    assert faults.reason(caught.value) == sentence


async def test_a_connection_that_breaks_in_a_transaction(database: Database) -> None:
    if not database.shared:
        pytest.skip("a file breaks off nothing")
    cut = text("select pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(OperationalError) as caught:
        async with database.write() as transaction:
            await transaction.execute(cut)

    assert faults.passing(caught.value)
    assert faults.away(caught.value)
    async with database.read() as transaction:
        assert await transaction.scalar(text("select 1")) == 1


async def test_a_statement_that_is_broken_off_says_nothing_of_the_database(database: Database) -> None:
    if not database.shared:
        pytest.skip("a file lets a statement take as long as it does")

    async with database.read() as transaction:
        await transaction.execute(text("set local statement_timeout = 1"))
        with pytest.raises(OperationalError, match="statement timeout") as caught:
            await transaction.execute(text("select pg_sleep(20)"))

    assert faults.passing(caught.value)
    assert faults.broken_off(caught.value)
    assert not faults.away(caught.value)


async def test_anothers_lock_is_no_fault_of_a_statement(database: Database) -> None:
    if not database.shared:
        pytest.skip("SQLite says of it that it is busy")

    async with database.write(), database.read() as other:
        await other.execute(text("set local lock_timeout = 1"))
        with pytest.raises(OperationalError, match="lock timeout") as caught:
            await other.execute(WRITE_LOCK)

    assert faults.away(caught.value)


@pytest.mark.parametrize(("error", "said"), [
    (OperationalError("CONNECT", None, ConnectionRefusedError(111, "Connection refused")), "Connection refused"),
    (OperationalError("SELECT", None, RuntimeError("one line\nand more")), "one line"),
    (FileNotFoundError(2, "No such file or directory"), "No such file or directory"),
    (ValueError(), "ValueError"),
    (NotImplementedError("of ours"), "of ours"),
])  # fmt: skip
def test_reasons_are_the_drivers_words(error: Exception, said: str) -> None:
    assert faults.reason(error) == said


@pytest.mark.parametrize(("url", "said"), [
    ("postgresql://ana:word@db.example.com:5433/sluice", "db.example.com:5433: "),
    ("postgresql://ana:word@db.example.com/sluice", "db.example.com: "),
    ("postgresql://ana@/sluice?host=/run/postgresql", "/run/postgresql: "),
    (f"sqlite:///{Path('/data/sluice.db')}", ""),
    ("no URL", ""),
])  # fmt: skip
def test_the_server_that_was_called(url: str, said: str) -> None:
    assert server_of(url) == said
