"""Pages: what the number of rows in one tells of all."""

import pytest

from server.catalog.listing import Paging


@pytest.mark.parametrize(
    ("page", "size", "found", "total"),
    [
        (1, 25, 0, 0),
        (1, 25, 24, 24),
        (1, 25, 25, None),  # there may be more
        (3, 10, 4, 24),
        (3, 10, 10, None),
        (3, 10, 0, None),  # behind the end, who knows how far
    ],
)
def test_a_page_that_is_not_full_tells_how_many_there_are(page: int, size: int, found: int, total: int | None) -> None:
    assert Paging(page, size).total_by(found) == total
