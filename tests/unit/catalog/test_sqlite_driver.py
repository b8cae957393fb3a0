"""What a statement costs on SQLite: hops to the thread of its connection."""

from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from server.catalog.database import Database, sqlite_url


async def test_a_statement_is_one_hop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hops = 0
    execute = aiosqlite.Connection._execute

    async def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal hops
        hops += 1
        return await execute(*arguments, **named)

    async with Database.open(sqlite_url(tmp_path / "a.db")) as database:
        async with database.write() as transaction:
            await transaction.execute(text("CREATE TABLE one (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
            rows = [{"name": "a"}, {"name": "b"}]
            await transaction.execute(text("INSERT INTO one (name) VALUES (:name)"), rows)
        monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
        async with database.read() as transaction:
            found = await transaction.execute(text("SELECT id, name FROM one ORDER BY id"))
            assert [tuple(row) for row in found] == [(1, "a"), (2, "b")]
        assert hops == 4  # the beginning, the statement, the end, and that of the pool, which makes sure of it

        with pytest.raises(IntegrityError):
            async with database.write() as transaction:
                await transaction.execute(text("INSERT INTO one (name) VALUES ('a')"))
        with pytest.raises(OperationalError, match="no such table"):
            async with database.read() as transaction:
                await transaction.execute(text("SELECT * FROM two"))
        async with database.write() as transaction:
            changed = await transaction.execute(text("UPDATE one SET name = 'c' WHERE id = 2"))
            assert changed.rowcount == 1  # type: ignore[attr-defined]
