"""Projects: tenants, each with videos, live streams and keys of its own.

Keys of the default project are the organisation's: with `projects:…` they manage the others. A key of another project
sees that one alone.
"""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import StringConstraints

from server import ids
from server.catalog import projects
from server.catalog.database import Transaction
from server.catalog.models import DEFAULT_PROJECT, Project
from server.errors import Problem
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import ABSENT, Answer, Body, Changes, Moment, Text
from server.web.typed import Call, Operations

Name = Annotated[Text, StringConstraints(min_length=1, max_length=255)]

operations = Operations("Projects")


class ProjectCreation(Body):
    name: Name
    sandbox: bool = False


class ProjectChanges(Changes):
    name: Name = ABSENT


class ProjectAnswer(Answer):
    project_id: str
    name: str
    sandbox: bool
    created_at: Moment


class ProjectList(Answer):
    data: list[ProjectAnswer]
    pagination: Pagination


class ProjectQuery(PageQuery):
    sort_by: Literal["name", "createdAt"] | None = None


@operations.post("/projects", "Make a project", scope="projects:write", status=201, example={"name": "Customer 7"})
async def create(call: Call, body: ProjectCreation) -> ProjectAnswer:
    """Only with a key of the default project; `POST /api-keys` with `projectId` makes the new one's first key.

    A `sandbox` is for trying things out: its videos bear a mark, are short, and are deleted after a day.
    """
    _manages(call)
    async with call.services.database.write() as transaction:
        row = await projects.add(transaction, Project(name=body.name, sandbox=body.sandbox))
    return _answer(row)


@operations.get("/projects", "List projects", scope="projects:read")
async def list_all(call: Call, query: ProjectQuery) -> ProjectList:
    """All of them with a key of the default project, else the key's own."""
    only = None if call.project_id == DEFAULT_PROJECT else call.project_id
    async with call.services.database.read() as transaction:
        page = await projects.page(transaction, query.paging(query.sort_by), only)
    return ProjectList(data=[_answer(row) for row in page.rows], pagination=pagination(call.request, page))


@operations.get("/projects/{projectId}", "Show a project", scope="projects:read")
async def show(call: Call, project_id: str) -> ProjectAnswer:
    """The one of the key; any with a key of the default project."""
    async with call.services.database.read() as transaction:
        return _answer(await _find(transaction, call, project_id))


@operations.patch("/projects/{projectId}", "Rename a project", scope="projects:write", example={"name": "Customer 8"})
async def change(call: Call, project_id: str, body: ProjectChanges) -> ProjectAnswer:
    """Its id stays, and so do its keys."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, project_id)
        if "name" in body.model_fields_set:
            await projects.rename(transaction, row, body.name)
    return _answer(row)


@operations.delete(
    "/projects/{projectId}", "Delete an empty project", scope="projects:write", status=204, errors=["conflict"]
)
async def delete(call: Call, project_id: str) -> None:
    """Only with a key of the default project, and only one that has nothing left; its keys go with it."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, project_id)
        _manages(call)
        if row.id == DEFAULT_PROJECT:
            raise Problem("conflict", "The default project stays.")
        if left := await projects.contents(transaction, row):
            raise Problem("conflict", f"The project still has {', '.join(left).replace('_', ' ')}.")
        await projects.remove(transaction, row)


def _manages(call: Call) -> None:
    """Raises Problem."""
    if call.project_id != DEFAULT_PROJECT:
        raise Problem("forbidden", "Projects are managed with a key of the default project.")


async def _find(transaction: Transaction, call: Call, project_id: str) -> Project:
    """Raises Problem."""
    row = await projects.get(transaction, project_id)
    if row is None or call.project_id not in (DEFAULT_PROJECT, row.id):
        raise Problem("resource-not-found", name="projectId")
    return row


def _answer(row: Project) -> ProjectAnswer:
    return ProjectAnswer(project_id=row.id, name=row.name, sandbox=row.sandbox, created_at=row.created_at)


async def named_project(
    transaction: Transaction, call: Call, text: str | None, refusal: Callable[[str, str], Problem]
) -> str:
    """The caller's project, or the one that the organisation's key names; `refusal` is what to raise of a field and
    why."""
    if text is None:
        return call.project_id
    try:
        project_id = ids.canonical("pr", text)
    except ids.InvalidId:
        raise refusal("projectId", "There is no such project.") from None
    if project_id != call.project_id:
        known = call.project_id == DEFAULT_PROJECT and await projects.get(transaction, project_id) is not None
        if not known:
            raise refusal("projectId", "There is no such project.")
    return project_id
