import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.catalog import event_names, events
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT


@pytest.mark.parametrize("name", event_names.NAMES)
def test_names_are_of_one_form(name: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)+", name)
    assert len(name) <= 64 - len("version.")


@given(st.text("ab*", max_size=12), st.text("ab", max_size=12))
def test_a_star_stands_for_anything(pattern: str, name: str) -> None:
    assert event_names.matches(pattern, name) == fnmatchcase(name, pattern)


def test_nothing_else_is_special() -> None:
    assert not event_names.matches("video.[cd]*", "video.created")
    assert not event_names.matches("video.?one", "video.done")


@pytest.mark.parametrize(
    ("name", "known"),
    [("video.done", True), ("video.version.done", True), ("video.version.nothing", False), ("nothing", False)],
)
def test_known_names(name: str, known: bool) -> None:
    assert event_names.known(name) == known


async def test_an_event_that_is_not_in_the_table_is_written_all_the_same(database: Database) -> None:
    async with database.write() as transaction:
        with pytest.warns(RuntimeWarning, match=r"video\.nonsense"):
            await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.nonsense")
    async with database.read() as transaction:
        assert [row.type for row in await events.of_object(transaction, DEFAULT_PROJECT, "vi1")] == ["video.nonsense"]
