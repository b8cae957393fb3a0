"""Fixtures: a catalogue with its tables on either database; a conftest imports them and says `url`."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.catalog import keys
from server.catalog.database import Database, sqlite_url
from tests import postgres


async def prepare(url: str) -> None:
    async with Database.open(url) as database:
        await database.migrate()
        async with database.write() as transaction:
            await keys.default_project(transaction)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with its tables, to be copied: migrations take longer than most tests here."""
    path = tmp_path_factory.mktemp("catalogue") / "sluice.db"
    asyncio.run(prepare(sqlite_url(path)))
    return path


@pytest.fixture(scope="session")
def prepared_on_postgresql(cluster: postgres.Cluster) -> str:
    """The name of the same in PostgreSQL."""
    name = cluster.create()
    asyncio.run(prepare(cluster.url(name)))
    return name


def url_of(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A copy in SQLite or in PostgreSQL, for one test."""
    if kind == "sqlite":
        shutil.copy(request.getfixturevalue("prepared"), tmp_path / "sluice.db")
        yield sqlite_url(tmp_path / "sluice.db")
        return
    running: postgres.Cluster = request.getfixturevalue("cluster")
    name = running.create(request.getfixturevalue("prepared_on_postgresql"))
    yield running.url(name)
    running.drop(name)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with Database.open(url) as database:
        yield database
