"""An empty catalogue, migrated once per test run and copied: migrating takes longer than most tests."""

import asyncio
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from server.catalog import keys
from server.catalog.database import Database, sqlite_url


@cache
def _template() -> Path:
    path = Path(mkdtemp(prefix="sluice-catalogue-")) / "sluice.db"

    async def make() -> None:
        async with Database.open(sqlite_url(path)) as database:
            await database.migrate()
            async with database.write() as transaction:
                await keys.default_project(transaction)

    asyncio.run(make())
    return path


def copy(folder: Path) -> str:
    """Puts a catalogue into the folder; its URL. Call it where no loop runs: in a plain fixture."""
    return sqlite_url(Path(shutil.copy(_template(), folder / "sluice.db")))
