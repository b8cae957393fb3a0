"""Transactions, what follows their commit, and migrations."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from server.catalog import database as module
from server.catalog import peers, videos
from server.catalog.control_models import Player
from server.catalog.database import Database, out_of_space, sqlite_url
from server.catalog.dialects import async_url, make_engine
from server.catalog.models import DEFAULT_PROJECT, Base, Video
from server.catalog.peers import MAX_NOTIFIED
from tests.postgres import Cluster


async def make(database: Database) -> Video:
    async with database.write() as transaction:
        return await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="A"))


async def test_what_follows_a_commit_runs_once_it_is_readable(database: Database) -> None:
    order: list[str] = []
    async with database.write() as transaction:
        transaction.add(Video(project_id=DEFAULT_PROJECT, title="A"))
        transaction.after_commit(lambda: order.append("first"))
        transaction.after_commit(lambda: order.append("second"))
        assert order == []

    assert order == ["first", "second"]


async def test_a_database_that_can_not_grow_is_out_of_space(prepared: Path, tmp_path: Path) -> None:
    async def fill(database: Database) -> None:
        async with database.write() as transaction:
            await transaction.execute(text("PRAGMA max_page_count = 1"))  # not below what it has
            transaction.add_all(Video(project_id=DEFAULT_PROJECT, title="A" * 2000) for _ in range(200))
            await transaction.flush()

    shutil.copy(prepared, tmp_path / "sluice.db")
    async with Database.open(sqlite_url(tmp_path / "sluice.db")) as database:
        with pytest.raises(OperationalError) as caught:
            await fill(database)
    assert out_of_space(caught.value)
    assert not out_of_space(OperationalError("SELECT", None, Exception("no such table")))


async def test_connections_are_kept_however_many_read_at_once(database: Database) -> None:
    closed: list[object] = []
    event.listen(database.engine.sync_engine, "close", lambda connection, record: closed.append(connection))
    all_there = asyncio.Barrier(8)

    async def read() -> None:
        async with database.read() as transaction:
            await transaction.execute(text("SELECT 1"))
            await asyncio.wait_for(all_there.wait(), 30)

    await asyncio.gather(*(read() for _ in range(8)))

    assert closed == []


async def test_nothing_follows_a_rollback(database: Database) -> None:
    order: list[str] = []

    async def fail() -> None:
        async with database.write() as transaction:
            transaction.add(Video(project_id=DEFAULT_PROJECT, title="lost"))
            transaction.after_commit(lambda: order.append("never"))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        await fail()

    assert order == []
    async with database.read() as transaction:
        assert (await videos.page(transaction, DEFAULT_PROJECT, videos.Filter(), videos.Paging())).total == 0


async def test_many_writers_lose_no_update(database: Database) -> None:
    video = await make(database)

    async def raise_revision() -> None:
        async with database.write() as transaction:
            row = await videos.find(transaction, video.id)
            assert row
            row.revision += 1

    await asyncio.gather(*(raise_revision() for _ in range(50)))

    async with database.read() as transaction:
        row = await videos.find(transaction, video.id)
    assert row
    assert row.revision == 51


async def test_two_processes_writers_wait_for_each_other(url: str, database: Database) -> None:
    """A second engine on the same file stands for another process, such as `sluice keys create`."""
    video = await make(database)
    async with Database.open(url) as other:

        async def raise_revision(where: Database) -> None:
            async with where.write() as transaction:
                row = await videos.find(transaction, video.id)
                assert row
                row.revision += 1

        await asyncio.gather(*(raise_revision(where) for where in (database, other) for _ in range(20)))

    async with database.read() as transaction:
        row = await videos.find(transaction, video.id)
    assert row
    assert row.revision == 41


async def test_a_writer_that_is_cancelled_leaves_no_lock(database: Database) -> None:
    """The driver closes its connection while the error that was raised still holds a cursor of it."""
    began = asyncio.Event()

    async def write_slowly() -> None:
        async with database.write() as transaction:
            began.set()
            numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000)"
            await transaction.execute(text(f"{numbers} select max(i) from n union all select 0"))

    cut_off = asyncio.create_task(write_slowly())
    await began.wait()
    await asyncio.sleep(0.05)
    cut_off.cancel()
    await asyncio.wait([cut_off])

    async with asyncio.timeout(40):
        await make(database)
    assert cut_off.cancelled()


async def test_what_is_committed_is_on_disk(database: Database) -> None:
    if database.shared:
        pytest.skip("PostgreSQL's own default")
    async with database.engine.connect() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert (await connection.execute(text(f"PRAGMA {pragma}"))).scalar() == value


async def test_the_migrations_make_the_models_tables(database: Database) -> None:
    def compare(connection: Connection) -> None:
        config = module.migration_config()
        config.attributes["connection"] = connection
        command.check(config)

    async with database.engine.connect() as connection:
        await connection.run_sync(compare)


def test_tables_of_both_modules_are_compared() -> None:
    assert {Video.__tablename__, Player.__tablename__} <= set(Base.metadata.tables)


async def test_migrating_again_changes_nothing(database: Database) -> None:
    await make(database)

    await database.migrate()

    async with database.read() as transaction:
        assert (await videos.page(transaction, DEFAULT_PROJECT, videos.Filter(), videos.Paging())).total == 1


@pytest.mark.parametrize("table", [table for name, table in Base.metadata.tables.items() if name not in
                                   {"settings", "projects"}], ids=str)  # fmt: skip
def test_every_row_belongs_to_a_project(table: Any) -> None:
    assert not table.c.project_id.nullable


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("sqlite:////srv/x.db", "sqlite+aiosqlite:////srv/x.db"),
        ("postgresql://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
    ],
)
def test_an_operator_need_not_name_the_driver(given: str, used: str) -> None:
    assert async_url(given) == used


# --- processes that share a database


@pytest.fixture
async def other(url: str, database: Database) -> AsyncIterator[Database]:
    """Another process, on PostgreSQL."""
    if not database.shared:
        pytest.skip("SQLite has one process")
    async with Database.open(url) as database:
        yield database


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not condition():
            await asyncio.sleep(0.005)


async def test_others_hear_which_rows_were_changed(database: Database, other: Database) -> None:
    heard: list[set[str]] = []
    other.on_commit(lambda changed: heard.append(set(changed)))

    video = await make(database)
    await until(lambda: bool(heard))

    assert any(video.id in changed for changed in heard)


async def test_a_process_hears_itself_once_and_many_ids_in_parts(database: Database, other: Database) -> None:
    own: list[set[str]] = []
    others: set[str] = set()
    database.on_commit(lambda changed: own.append(set(changed)))
    other.on_commit(others.update)
    words = {f"vi{number:022}" for number in range(MAX_NOTIFIED * 2 + 1)}

    async with database.write() as transaction:
        for word in words:
            transaction.announce(word)
    await until(lambda: others == words)

    assert own == [words]


async def test_who_is_gone_is_dead(url: str, database: Database, other: Database) -> None:
    async with Database.open(url) as third:
        assert await database.dead([third.process, other.process, database.process]) == set()

    assert await database.dead([third.process, other.process]) == {third.process}


async def test_a_process_whose_connection_was_cut_comes_back(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "RECONNECT_S", 0.05)
    heard: set[str] = set()
    other.on_commit(heard.update)
    async with database.write() as transaction:
        await transaction.execute(text("select pg_terminate_backend(pid) from pg_stat_activity where "
                                       "pid <> pg_backend_pid() and datname = current_database()"))  # fmt: skip

    async with asyncio.timeout(40):
        while not heard:
            with suppress(OperationalError):
                await make(database)
            await asyncio.sleep(0.02)
        while await database.dead([other.process]):
            await asyncio.sleep(0.02)


async def test_a_process_that_gets_no_connection_for_a_while_comes_back(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "RECONNECT_S", 0.001)
    assert database._peers is not None
    assert other._peers is not None
    kind, faults = type(other._peers._engine), [NoConnectionFree()]
    connect = kind.connect

    def connected(engine: Any) -> Any:
        if faults:
            raise faults.pop()
        return connect(engine)

    monkeypatch.setattr(kind, "connect", connected)
    async with database.write() as transaction:
        await transaction.execute(text("select pg_terminate_backend(pid) from pg_stat_activity where "
                                       "pid <> pg_backend_pid() and datname = current_database()"))  # fmt: skip

    await until(lambda: not faults)
    async with asyncio.timeout(40):
        while database._peers._connection is None or await database.dead([other.process]):
            await asyncio.sleep(0.02)


async def test_a_database_that_is_away_is_an_operational_error(database: Database, cluster: Cluster) -> None:
    if not database.shared:
        pytest.skip("a file is always there")
    gone = Database(make_engine(async_url(cluster.url("nowhere").replace(str(cluster.folder), "/nonexistent"))))
    try:
        with pytest.raises(OperationalError):
            async with gone.read() as transaction:
                await transaction.execute(text("select 1"))
    finally:
        await gone.engine.dispose()
