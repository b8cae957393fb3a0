"""Rows of folders: a tree stays a tree."""

from datetime import timedelta

import pytest

from server import clock
from server.catalog import events, folders, videos
from server.catalog.database import Database, Transaction
from server.catalog.folders import DEPTH, TOP, Contents, Filter, NotEmpty, TreeError
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Project, Video
from server.catalog.organisation_models import Folder


async def made(transaction: Transaction, name: str, parent: Folder | None = None) -> Folder:
    row = Folder(project_id=DEFAULT_PROJECT, name=name, parent_id=parent.id if parent else None)
    return await folders.add(transaction, row)


async def names(transaction: Transaction, **wanted: str) -> list[str]:
    page = await folders.page(transaction, DEFAULT_PROJECT, Filter(**wanted), Paging())
    return [row.name for row in page.rows]


async def test_a_tree_is_made_listed_and_walked(database: Database) -> None:
    async with database.write() as transaction:
        top = await made(transaction, "Films")
        inner = await made(transaction, "Alps", top)
        await made(transaction, "50%")
    async with database.read() as transaction:
        assert await names(transaction) == ["50%", "Alps", "Films"]
        assert await names(transaction, parent_id=TOP) == ["50%", "Films"]
        assert await names(transaction, parent_id=top.id) == ["Alps"]
        assert await names(transaction, name="0%") == ["50%"]
        assert [row.name for row in await folders.path(transaction, DEFAULT_PROJECT, inner.id)] == ["Films", "Alps"]


async def test_projects_are_kept_apart(database: Database) -> None:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        mine = await made(transaction, "mine")
        theirs = await folders.add(transaction, Folder(project_id="pr2", name="theirs"))
    async with database.read() as transaction:
        assert await folders.get(transaction, DEFAULT_PROJECT, theirs.id) is None
        assert await folders.path(transaction, DEFAULT_PROJECT, theirs.id) == []
        assert await folders.count(transaction, DEFAULT_PROJECT) == 1
        assert await names(transaction) == [mine.name]


async def test_there_are_no_circles(database: Database) -> None:
    async with database.write() as transaction:
        top = await made(transaction, "a")
        inner = await made(transaction, "c", await made(transaction, "b", top))
        for target in (top, inner):
            with pytest.raises(TreeError, match="itself"):
                await folders.move(transaction, top, target.id)
        await folders.move(transaction, inner, None)
        await folders.move(transaction, top, inner.id)
        await folders.move(transaction, top, inner.id)  # where it is: nothing to tell
    async with database.read() as transaction:
        told = await events.of_object(transaction, DEFAULT_PROJECT, top.id)
        assert [each.type for each in told] == ["folder.created", "folder.moved"]
        assert told[1].payload == {"folderId": top.id, "name": "a", "parentId": inner.id}


async def test_depth_and_number_are_limited(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with database.write() as transaction:
        at = None
        for level in range(DEPTH):
            at = await made(transaction, str(level), at)
        with pytest.raises(TreeError, match="16 levels"):
            await made(transaction, "too deep", at)
        pair = await made(transaction, "two levels")
        await made(transaction, "the second", pair)
        above = (await folders.path(transaction, DEFAULT_PROJECT, at.id if at else ""))[-2]
        with pytest.raises(TreeError, match="16 levels"):
            await folders.move(transaction, pair, above.id)
        await folders.move(transaction, pair, above.parent_id)
        monkeypatch.setattr(folders, "MOST", await folders.count(transaction, DEFAULT_PROJECT))
        with pytest.raises(TreeError, match="at most"):
            await made(transaction, "one too many")


async def test_only_an_empty_one_goes_unless_what_is_in_it_is_lifted(database: Database) -> None:
    async with database.write() as transaction:
        top = await made(transaction, "a")
        inner = await made(transaction, "b", top)
        below = await made(transaction, "c", inner)
        video = await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="v", folder_id=inner.id))
        inside = await folders.contents(transaction, DEFAULT_PROJECT, [top.id, inner.id, below.id])
        assert list(inside.values()) == [Contents(folders=1), Contents(folders=1, videos=1), Contents()]
        with pytest.raises(NotEmpty):
            await folders.remove(transaction, inner)
        await folders.remove(transaction, inner, lift=True)
    async with database.read() as transaction:
        for model, id in ((Folder, below.id), (Video, video.id)):
            row = await transaction.get(model, id)
            assert row is not None
            assert getattr(row, "parent_id", None) or getattr(row, "folder_id", None) == top.id
        told = (await events.of_object(transaction, DEFAULT_PROJECT, inner.id))[-1]
        assert (told.type, told.payload["lifted"]) == ("folder.deleted", {"folders": 1, "videos": 1})


async def test_not_too_many_videos_are_lifted_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_LIFTED", 1)
    async with database.write() as transaction:
        row = await made(transaction, "a")
        for _ in range(2):
            await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="v", folder_id=row.id))
        with pytest.raises(TreeError, match="More than 1 videos"):
            await folders.remove(transaction, row, lift=True)
        assert (await folders.contents(transaction, DEFAULT_PROJECT, [row.id]))[row.id].videos == 2


async def test_what_is_lifted_is_not_updated(database: Database) -> None:
    long_ago = clock.now() - timedelta(days=1)
    async with database.write() as transaction:
        row = await made(transaction, "a")
        below = await folders.add(
            transaction, Folder(project_id=DEFAULT_PROJECT, name="b", parent_id=row.id, updated_at=long_ago)
        )
        video = await videos.add(
            transaction, Video(project_id=DEFAULT_PROJECT, title="v", folder_id=row.id, updated_at=long_ago)
        )
    async with database.write() as transaction:
        await folders.remove(transaction, await transaction.get_one(Folder, row.id), lift=True)
    async with database.read() as transaction:
        assert (await transaction.get_one(Folder, below.id)).updated_at == long_ago
        assert (await transaction.get_one(Video, video.id)).updated_at == long_ago


async def test_a_discarded_video_keeps_a_place(database: Database) -> None:
    async with database.write() as transaction:
        row = await made(transaction, "a")
        video = await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="v", folder_id=row.id))
        await videos.discard(transaction, video, video.created_at)
        await folders.remove(transaction, row)
        await transaction.flush()
        await videos.restore(transaction, video)
    async with database.read() as transaction:
        found = await videos.get(transaction, DEFAULT_PROJECT, video.id)
        assert found is not None
        assert found.folder_id is None


async def test_lists_of_videos_by_folder(database: Database) -> None:
    async with database.write() as transaction:
        row = await made(transaction, "a")
        for title, folder_id in (("in it", row.id), ("at the top", None)):
            await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title=title, folder_id=folder_id))
    async with database.read() as transaction:
        for wanted, title in ((row.id, "in it"), (TOP, "at the top")):
            page = await videos.page(transaction, DEFAULT_PROJECT, videos.Filter(folder_id=wanted), Paging())
            assert [each.title for each in page.rows] == [title]
    async with database.write() as transaction:
        await folders.remove(transaction, await transaction.get_one(Folder, row.id), lift=True)
        await transaction.flush()
        searched = videos.Filter(folder_id=TOP, search="in")
        page = await videos.page(transaction, DEFAULT_PROJECT, searched, Paging())
        assert [each.title for each in page.rows] == ["in it"]
