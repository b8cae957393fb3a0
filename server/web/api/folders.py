"""Folders: the tree in which videos are kept."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from server import ids
from server.catalog import folders
from server.catalog.database import Transaction
from server.catalog.folders import TOP, Contents, Filter, NotEmpty, TreeError
from server.catalog.organisation_models import Folder
from server.errors import Problem
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import ABSENT, Answer, Body, Changes, Moment, Query, Title
from server.web.typed import Call, Operations

Name = Annotated[Title, StringConstraints(max_length=255)]
FolderId = Annotated[str, StringConstraints(min_length=1, max_length=64), Field(examples=["fo1111111111111111111111"])]

operations = Operations("Folders")


class FolderCreation(Body):
    name: Name
    parent_id: Annotated[FolderId | None, Field(description="The folder that it is in; null: at the top.")] = None


class FolderChanges(Changes):
    name: Name = ABSENT
    parent_id: Annotated[FolderId | None, Field(description="The folder to move it into; null: to the top.")] = ABSENT


class FolderStep(Answer):
    folder_id: str
    name: str


class FolderAnswer(Answer):
    folder_id: str
    name: str
    parent_id: str | None
    path: list[FolderStep] = Field(description="The folders from the top down to this one, it included.")
    folders: int = Field(description="That are directly in it.")
    videos: int = Field(description="That are directly in it.")
    created_at: Moment
    updated_at: Moment


class FolderList(Answer):
    data: list[FolderAnswer]
    pagination: Pagination


class FolderQuery(PageQuery):
    parent_id: Annotated[
        FolderId | None, Field(description=f"Those directly in this folder; `{TOP}`: those at the top.")
    ] = None
    name: Annotated[str | None, Field(description="Contained in the name.")] = None
    sort_by: Literal["name", "createdAt", "updatedAt"] | None = None


class FolderRemoval(Query):
    contents: Annotated[
        Literal["refuse", "lift"],
        Field(description="`refuse`: only an empty folder goes. `lift`: what is in it moves to where it was."),
    ] = "refuse"


@operations.post(
    "/folders", "Make a folder", scope="folders:write", status=201, errors=["conflict", "resource-not-found"],
    example={"name": "Season 1"},
)  # fmt: skip
async def create(call: Call, body: FolderCreation) -> FolderAnswer:
    """Names may be alike. A tree has 16 levels and 10,000 folders at most."""
    async with call.services.database.write() as transaction:
        parent_id = await chosen(transaction, call, body.parent_id, "parentId")
        try:
            row = await folders.add(
                transaction, Folder(project_id=call.project_id, name=body.name, parent_id=parent_id)
            )
        except TreeError as error:
            raise Problem("conflict", str(error), name="parentId") from None
        return (await _answers(transaction, [row]))[0]


@operations.get("/folders", "List folders", scope="folders:read", errors=["resource-not-found"])
async def list_all(call: Call, query: FolderQuery) -> FolderList:
    """By their names unless sorted; all of the project without `parentId`."""
    async with call.services.database.read() as transaction:
        parent_id = await listed(transaction, call, query.parent_id, "parentId")
        paging = query.paging(query.sort_by or "name")
        page = await folders.page(transaction, call.project_id, Filter(parent_id, query.name), paging)
        answers = await _answers(transaction, page.rows)
    return FolderList(data=answers, pagination=pagination(call.request, page))


@operations.get("/folders/{folderId}", "Show a folder", scope="folders:read")
async def show(call: Call, folder_id: str) -> FolderAnswer:
    """Where it is in the tree, and what it is called."""
    async with call.services.database.read() as transaction:
        return (await _answers(transaction, [await _find(transaction, call, folder_id)]))[0]


@operations.patch(
    "/folders/{folderId}", "Rename or move a folder", scope="folders:write", errors=["conflict"],
    example={"name": "Season 2", "parentId": None},
)  # fmt: skip
async def change(call: Call, folder_id: str, body: FolderChanges) -> FolderAnswer:
    """It moves with all that is in it, and not into itself."""
    given = body.model_fields_set
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, folder_id)
        if "name" in given:
            await folders.rename(transaction, row, body.name)
        if "parent_id" in given:
            parent_id = await chosen(transaction, call, body.parent_id, "parentId")
            try:
                await folders.move(transaction, row, parent_id)
            except TreeError as error:
                raise Problem("conflict", str(error), name="parentId") from None
        await transaction.flush()
        return (await _answers(transaction, [row]))[0]


@operations.delete(
    "/folders/{folderId}", "Delete a folder", scope="folders:write", status=204, errors=["conflict"]
)
async def delete(call: Call, folder_id: str, query: FolderRemoval) -> None:
    """No video is ever deleted by this."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, folder_id)
        try:
            await folders.remove(transaction, row, lift=query.contents == "lift")
        except NotEmpty:
            raise Problem("conflict", "The folder is not empty; see `contents`.", name="folderId") from None
        except TreeError as error:
            raise Problem("conflict", str(error), name="folderId") from None


async def chosen(transaction: Transaction, call: Call, text: str | None, name: str) -> str | None:
    """The caller's folder that the attribute `name` names, in any spelling; None for none. Raises Problem."""
    if text is None:
        return None
    try:
        row = await folders.get(transaction, call.project_id, ids.canonical("fo", text))
    except ids.InvalidId:
        row = None
    if row is None:
        raise Problem("resource-not-found", "There is no such folder.", name=name)
    return row.id


async def listed(transaction: Transaction, call: Call, text: str | None, name: str) -> str | None:
    """The same of a filter, where TOP names the top. Raises Problem."""
    return text if text == TOP else await chosen(transaction, call, text, name)


async def _find(transaction: Transaction, call: Call, folder_id: str) -> Folder:
    """The caller's folder. Raises Problem."""
    row = await folders.get(transaction, call.project_id, folder_id)
    if row is None:
        raise Problem("resource-not-found", name="folderId")
    return row


async def _answers(transaction: Transaction, rows: Sequence[Folder]) -> list[FolderAnswer]:
    """Rows of one project."""
    if not rows:
        return []
    inside = await folders.contents(transaction, rows[0].project_id, [row.id for row in rows])
    paths = {row.id: await folders.path(transaction, row.project_id, row.id) for row in rows}
    return [_answer(row, paths[row.id], inside[row.id]) for row in rows]


def _answer(row: Folder, path: Sequence[Folder], inside: Contents) -> FolderAnswer:
    return FolderAnswer(
        folder_id=row.id,
        name=row.name,
        parent_id=row.parent_id,
        path=[FolderStep(folder_id=each.id, name=each.name) for each in path],
        folders=inside.folders,
        videos=inside.videos,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
