import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.catalog import keys
from server.catalog.database import Database, sqlite_url


async def prepare(path: Path) -> None:
    async with Database.open(sqlite_url(path)) as database:
        await database.migrate()
        async with database.write() as transaction:
            await keys.default_project(transaction)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with its tables, to be copied: migrations take longer than most tests here."""
    path = tmp_path_factory.mktemp("jobs") / "sluice.db"
    asyncio.run(prepare(path))
    return path


@pytest.fixture
async def database(prepared: Path, tmp_path: Path) -> AsyncIterator[Database]:
    shutil.copy(prepared, tmp_path / "sluice.db")
    async with Database.open(sqlite_url(tmp_path / "sluice.db")) as database:
        yield database
