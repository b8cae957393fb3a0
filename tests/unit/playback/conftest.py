from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.catalog import keys
from server.catalog.database import Database, sqlite_url


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(sqlite_url(tmp_path / "sluice.db")) as database:
        await database.migrate()
        async with database.write() as transaction:
            await keys.default_project(transaction)
        yield database
