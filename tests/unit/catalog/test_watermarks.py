"""Rows of watermarks: a project's own, with their events."""

from server.catalog import events, watermarks
from server.catalog.database import Database
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Project, Watermark


def mark(project_id: str = DEFAULT_PROJECT) -> Watermark:
    return Watermark(project_id=project_id, width=40, height=20)


async def test_projects_are_kept_apart(database: Database) -> None:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        mine = await watermarks.add(transaction, mark())
        theirs = await watermarks.add(transaction, mark("pr2"))

    async with database.read() as transaction:
        assert await watermarks.get(transaction, DEFAULT_PROJECT, theirs.id) is None
        assert await watermarks.get(transaction, DEFAULT_PROJECT, mine.id) is not None
        assert await watermarks.count(transaction, DEFAULT_PROJECT) == 1
        page = await watermarks.page(transaction, DEFAULT_PROJECT, Paging())
        assert await watermarks.all_ids(transaction) == {mine.id, theirs.id}
    assert [row.id for row in page.rows] == [mine.id]


async def test_a_fact_and_its_event_commit_together(database: Database) -> None:
    async with database.write() as transaction:
        row = await watermarks.add(transaction, mark())
        await watermarks.remove(transaction, row)

    async with database.read() as transaction:
        assert await watermarks.count(transaction, DEFAULT_PROJECT) == 0
        told = await events.of_object(transaction, DEFAULT_PROJECT, row.id)
    assert [(each.type, each.payload) for each in told] == [
        ("watermark.created", {"watermarkId": row.id}),
        ("watermark.deleted", {"watermarkId": row.id}),
    ]


async def test_pages_are_sorted(database: Database) -> None:
    made = []
    for _ in range(3):
        async with database.write() as transaction:
            made.append((await watermarks.add(transaction, mark())).id)

    async with database.read() as transaction:
        newest = await watermarks.page(transaction, DEFAULT_PROJECT, Paging(size=2))
        oldest = await watermarks.page(transaction, DEFAULT_PROJECT, Paging(sort_by="createdAt"))
    assert [row.id for row in newest.rows] == made[:0:-1]
    assert [row.id for row in oldest.rows] == made
    assert newest.total == 3
