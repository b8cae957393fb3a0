"""What is not offered, and lists of the world's own."""

import re

import pytest

from server.web.kinescope.absent import TABLE, operations
from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client


def test_every_row_is_an_operation() -> None:
    rows = [(method, path) for each in TABLE.values() for method, path, _ in each]
    assert [(one.method, one.path) for one in operations.all] == rows


@pytest.mark.parametrize(
    ("sentence", "method", "path"), [(words, *row[:2]) for words, rows in TABLE.items() for row in rows]
)
async def test_it_says_so(client: Client, anonymous: Client, sentence: str, method: str, path: str) -> None:
    at = re.sub(r"{\w+}", "11111111-1111-4111-8111-111111111111", path)
    assert await refused(client, method, at) == (501, 501501, sentence)
    assert (await refused(anonymous, method, at))[:2] == (401, 100101)


async def test_time_zones(client: Client) -> None:
    found = {each["name"]: each["offset"] for each in await asked(client, "GET", "/v1/dictionaries/timezones")}
    assert found["UTC"] == 0
    assert found["Asia/Tokyo"] == 9 * 3600
