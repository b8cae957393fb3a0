"""Places that things are kept in: a project or a folder of the dialect, both of which are folders of ours."""

from server.catalog import folders, libraries
from server.catalog.database import Transaction
from server.errors import Problem
from server.web.kinescope import identifiers
from server.web.typed import Call


async def location(transaction: Transaction, call: Call, text: str | None, name: str) -> str | None:
    """Our id of a place that a body or a query names; None where it names none. Raises Problem: 400, 404."""
    if not text:
        return None
    place = identifiers.canonical("fo", text, name)
    if place == libraries.default_id(call.project_id):
        return place  # it needs no folder
    if await folders.get(transaction, call.project_id, place) is None:
        raise Problem("resource-not-found", "There is no such project or folder.", name=name)
    return place
