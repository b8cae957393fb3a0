"""Where videos are put: what the dialect calls a parent, a project or a folder in one."""

from dataclasses import dataclass

from server.catalog import folders, libraries
from server.catalog.database import Transaction
from server.catalog.libraries import Library
from server.errors import Problem
from server.web.kinescope import identifiers
from server.web.typed import Call


@dataclass(frozen=True, slots=True)
class Place:
    """`folder_id` as a video's row has it: None directly in the default library."""

    library: Library
    folder_id: str | None


async def parent(transaction: Transaction, call: Call, text: str, name: str = "parent_id") -> Place:
    """What `name` names, in any spelling. Raises Problem."""
    folder_id = identifiers.canonical("fo", text, name)
    path = await folders.path(transaction, call.project_id, folder_id)
    library = await libraries.get(transaction, call.project_id, path[0].id if path else folder_id)
    if library is None:
        raise Problem("resource-not-found", "There is no such project or folder.", name=name)
    return Place(library, None if folder_id == library.id and library.is_default else folder_id)


async def within(transaction: Transaction, call: Call, project: str, folder: str | None) -> Place:
    """A folder of a project, or the project. Raises Problem."""
    place = await parent(transaction, call, project, "project_id")
    if place.folder_id not in (None, place.library.id):
        raise Problem("resource-not-found", "There is no such project.", name="project_id")
    if not folder:
        return place
    inner = await parent(transaction, call, folder, "folder_id")
    if inner.library.id != place.library.id:
        raise Problem("resource-not-found", "There is no such folder in the project.", name="folder_id")
    return inner
