"""Rows of players: a project's own, with their events."""

from server import clock
from server.catalog import events, players
from server.catalog.control_models import Player
from server.catalog.database import Database
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Project


async def test_projects_are_kept_apart(database: Database) -> None:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        mine = await players.add(transaction, Player(project_id=DEFAULT_PROJECT, name="mine"))
        theirs = await players.add(transaction, Player(project_id="pr2", name="theirs"))

    async with database.read() as transaction:
        assert await players.get(transaction, DEFAULT_PROJECT, theirs.id) is None
        assert await players.count(transaction, DEFAULT_PROJECT) == 1
        page = await players.page(transaction, DEFAULT_PROJECT, Paging())
    assert [row.id for row in page.rows] == [mine.id]


async def test_changes_and_their_events(database: Database) -> None:
    async with database.write() as transaction:
        row = await players.add(transaction, Player(project_id=DEFAULT_PROJECT, theme={"text": "red", "link": "blue"}))
        await players.change(transaction, row, "Named", {"text": "green"})
        await players.set_logo(transaction, row, clock.now(), "https://example.com")
        assert await players.with_logo(transaction) == {row.id}
        assert (row.name, row.theme) == ("Named", {"text": "green", "link": "blue"})
        await players.change(transaction, row, None, {})
        assert row.name == "Named"
        await players.remove(transaction, row)

    async with database.read() as transaction:
        told = await events.of_object(transaction, DEFAULT_PROJECT, row.id)
    assert [each.type.removeprefix("player.") for each in told] == [
        "created", "updated", "updated", "updated", "deleted"
    ]  # fmt: skip
