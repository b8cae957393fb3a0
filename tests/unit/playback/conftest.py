"""A catalogue of its own for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.catalog.database import Database
from tests.harness import catalogue


@pytest.fixture
def catalogue_url(tmp_path: Path) -> str:
    return catalogue.copy(tmp_path)


@pytest.fixture
async def database(catalogue_url: str) -> AsyncIterator[Database]:
    async with Database.open(catalogue_url) as database:
        yield database
