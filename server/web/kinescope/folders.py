"""Folders within a project of the dialect."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from server.catalog import folders, libraries
from server.catalog.database import Transaction
from server.catalog.folders import Filter
from server.catalog.libraries import Library
from server.catalog.organisation_models import Folder
from server.errors import Problem
from server.web.kinescope import identifiers
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.paging import PageQuery, listed
from server.web.kinescope.projects import FolderAnswer, Name, folder_answer, found, within_the_tree
from server.web.kinescope.shapes import Body, Changes, Data, GivenId, Listed
from server.web.shapes import ABSENT
from server.web.typed import Call

operations = kinescope_operations("Folders")


class FolderCreation(Body):
    name: Name
    parent_id: Annotated[
        GivenId | None, Field(description="The folder that it is in; null, or the project: directly in that.")
    ] = None


class FolderChanges(Changes):
    name: Name = ABSENT
    parent_id: Annotated[GivenId | None, Field(description="The folder to move it into.")] = ABSENT


class FolderQuery(PageQuery):
    SORTABLE: ClassVar[Mapping[str, str]] = {"name": "name", "created_at": "createdAt"}
    DEFAULT: ClassVar[Sequence[tuple[str, str]]] = (("name", "asc"),)

    parent_id: Annotated[GivenId | None, Field(description="Those in this folder of the project.")] = None


@operations.get("/v1/projects/{project_id}/folders", "List folders", scope="folders:read")
async def list_all(call: Call, project_id: str, query: FolderQuery) -> Listed[FolderAnswer]:
    """Those that are directly in the project, or with `parent_id` in that folder of it."""
    paging = query.paging()
    async with call.services.database.read() as transaction:
        library = await found(transaction, call, project_id)
        parent_id = await _parent(transaction, library, query.parent_id) or library.id
        page = await folders.page(transaction, call.project_id, Filter(parent_id), paging)
    return listed(query, page, [folder_answer(row, library.id) for row in page.rows])


@operations.post(
    "/v1/projects/{project_id}/folders", "Make a folder", scope="folders:write", errors=["conflict"],
    example={"name": "Season 1"},
)  # fmt: skip
async def create(call: Call, project_id: str, body: FolderCreation) -> Data[FolderAnswer]:
    async with call.services.database.write() as transaction:
        library = await found(transaction, call, project_id)
        parent_id = await _parent(transaction, library, body.parent_id)
        with within_the_tree():
            parent_id = parent_id or (await libraries.folder_of(transaction, library)).id
            row = Folder(project_id=call.project_id, name=body.name, parent_id=parent_id)
            await folders.add(transaction, row)
        return Data(data=folder_answer(row, library.id))


@operations.get("/v1/projects/{project_id}/folders/{folder_id}", "Show a folder", scope="folders:read")
async def show(call: Call, project_id: str, folder_id: str) -> Data[FolderAnswer]:
    async with call.services.database.read() as transaction:
        library = await found(transaction, call, project_id)
        return Data(data=folder_answer(await _find(transaction, library, folder_id), library.id))


@operations.put(
    "/v1/projects/{project_id}/folders/{folder_id}", "Rename or move a folder", scope="folders:write",
    errors=["conflict"], example={"name": "Season 2"},
)  # fmt: skip
async def change(call: Call, project_id: str, folder_id: str, body: FolderChanges) -> Data[FolderAnswer]:
    async with call.services.database.write() as transaction:
        library = await found(transaction, call, project_id)
        row = await _find(transaction, library, folder_id)
        if "name" in body.model_fields_set:
            await folders.rename(transaction, row, body.name)
        if "parent_id" in body.model_fields_set:
            with within_the_tree():
                await folders.move(
                    transaction, row, await _parent(transaction, library, body.parent_id) or library.id
                )
        await transaction.flush()
        return Data(data=folder_answer(row, library.id))


@operations.delete(
    "/v1/projects/{project_id}/folders/{folder_id}", "Delete a folder", scope="folders:delete", errors=["conflict"]
)
async def delete(call: Call, project_id: str, folder_id: str) -> Data[FolderAnswer]:
    """What is in it moves to where it was: no video is deleted by this."""
    async with call.services.database.write() as transaction:
        library = await found(transaction, call, project_id)
        row = await _find(transaction, library, folder_id)
        answer = folder_answer(row, library.id)
        with within_the_tree():
            await folders.remove(transaction, row, lift=True)
    return Data(data=answer)


async def _find(transaction: Transaction, library: Library, folder_id: str, name: str = "folder_id") -> Folder:
    """A folder in the library, however deep. Raises Problem."""
    path = await folders.path(transaction, library.project_id, folder_id)
    if len(path) < 2 or path[0].id != library.id:
        raise Problem("resource-not-found", name=name)
    return path[-1]


async def _parent(transaction: Transaction, library: Library, text: str | None) -> str | None:
    """The folder of the library that is named; None: the library itself. Raises Problem."""
    folder_id = identifiers.canonical("fo", text, "parent_id") if text else library.id
    return None if folder_id == library.id else (await _find(transaction, library, folder_id, "parent_id")).id
