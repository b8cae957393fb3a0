"""A catalogue with its tables on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.catalogues import database, prepared, prepared_on_postgresql, url_of

__all__ = ["database", "prepared", "prepared_on_postgresql"]


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """SQLite, unless a test asks for both."""
    yield from url_of(getattr(request, "param", "sqlite"), request, tmp_path)
