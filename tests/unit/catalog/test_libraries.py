"""Libraries: the groups at the top of a tree, on both databases."""

from server.catalog import folders, keys, libraries, library_videos, videos
from server.catalog.database import Database
from server.catalog.library_videos import Wanted
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Project, Video
from server.catalog.organisation_models import Folder


async def test_which_library_a_folder_is_in(database: Database) -> None:
    async with database.write() as transaction:
        await keys.default_project(transaction)
        made: list[Folder] = []
        for parent in (None, 0, 1, None):
            parent_id = None if parent is None else made[parent].id
            made.append(
                await folders.add(transaction, Folder(project_id=DEFAULT_PROJECT, name="x", parent_id=parent_id))
            )
        top, middle, low, other = (each.id for each in made)
        default = libraries.default_id(DEFAULT_PROJECT)

        found = await libraries.of_folders(transaction, DEFAULT_PROJECT, [None, top, low, other, "fo-unknown"])

        assert found == {None: default, top: top, low: top, other: other, "fo-unknown": default}
        assert await libraries.get(transaction, DEFAULT_PROJECT, middle) is None
        library = await libraries.get(transaction, DEFAULT_PROJECT, top)
        assert library is not None
        assert not library.is_default


async def test_lists_go_down_the_tree(database: Database) -> None:
    async with database.write() as transaction:
        await keys.default_project(transaction)
        own = await libraries.get(transaction, DEFAULT_PROJECT, libraries.default_id(DEFAULT_PROJECT))
        assert own is not None
        root = await libraries.folder_of(transaction, own)
        inner = await folders.add(transaction, Folder(project_id=DEFAULT_PROJECT, name="i", parent_id=root.id))
        other = await folders.add(transaction, Folder(project_id=DEFAULT_PROJECT, name="o"))
        for title, folder_id in (("none", None), ("root", root.id), ("inner", inner.id), ("other", other.id)):
            await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title=title, folder_id=folder_id))

        async def titles(wanted: Wanted) -> list[str]:
            page = await library_videos.page(transaction, DEFAULT_PROJECT, wanted, Paging(sort_by="title"))
            return [each.title for each in page.rows]

        assert await titles(Wanted(library=own)) == ["inner", "none", "root"]
        assert await titles(Wanted(library=own, outside=True)) == ["none", "root"]
        assert await titles(Wanted(outside=True)) == ["none", "other", "root"]
        assert await titles(Wanted(folder_id=inner.id)) == ["inner"]
        assert await titles(Wanted(states=["done"])) == []


async def test_the_default_one_is_known_by_its_project(database: Database) -> None:
    async with database.write() as transaction:
        await keys.default_project(transaction)
        other = Project(name="Other")
        transaction.add(other)
        await transaction.flush()
        ids = {libraries.default_id(each) for each in (DEFAULT_PROJECT, other.id)}

        assert len(ids) == 2
        for project_id in (DEFAULT_PROJECT, other.id):
            rows, total = await libraries.page(transaction, project_id, 1, 10, [("name", False)])
            assert ([row.id for row in rows], total) == ([libraries.default_id(project_id)], 1)
            assert await libraries.get(transaction, project_id, (ids - {rows[0].id}).pop()) is None
