"""Tags of videos, on both databases."""

import pytest

from server.catalog import tags
from server.catalog.database import Database
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Project, Video


@pytest.fixture
async def tagged(database: Database) -> Database:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        for values in (["Été", "mer"], ["mer", "mer"], ["Montagne"], []):
            transaction.add(Video(project_id=DEFAULT_PROJECT, title="A", tags=values))
        transaction.add(Video(project_id="pr2", title="Theirs", tags=["theirs"]))
    return database


@pytest.mark.parametrize(
    ("value", "paging", "wanted"),
    [
        (None, Paging(sort_by="value"), [("Été", 1), ("mer", 2), ("Montagne", 1)]),
        (None, Paging(sort_by="value", descending=True), [("Montagne", 1), ("mer", 2), ("Été", 1)]),
        (None, Paging(sort_by="videoCount", descending=True), [("mer", 2), ("Été", 1), ("Montagne", 1)]),
        (None, Paging(page=2, size=2, sort_by="value"), [("Montagne", 1)]),
        ("ETE", Paging(), [("Été", 1)]),
        ("m", Paging(), [("mer", 2), ("Montagne", 1)]),
        ("nothing", Paging(), []),
    ],
)
async def test_they_are_counted(
    tagged: Database, value: str | None, paging: Paging, wanted: list[tuple[str, int]]
) -> None:
    async with tagged.read() as transaction:
        page = await tags.page(transaction, DEFAULT_PROJECT, value, paging)

    assert [(tag.value, tag.videos) for tag in page.rows] == wanted
