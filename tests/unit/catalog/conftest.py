"""The catalogue on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.catalogues import database, prepared, prepared_on_postgresql, url_of

__all__ = ["database", "prepared", "prepared_on_postgresql"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield from url_of(request.param, request, tmp_path)
