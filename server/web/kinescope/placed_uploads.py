"""Where a caller may upload to: anywhere, or what an access token of one or more places names."""

from server.catalog import folders, keys
from server.catalog.database import Transaction
from server.errors import Problem
from server.web.kinescope import places
from server.web.kinescope.places import Place
from server.web.typed import Call

ANYWHERE = "uploads:create"
SCOPE = "uploads:placed"  # what an operation asks for that keeps to the places of the caller


def check_anywhere(call: Call) -> None:
    """Raises Problem to who may upload into some places only."""
    if call.caller is None or not call.caller.may(ANYWHERE):
        raise Problem("forbidden", f"The API key lacks the scope {ANYWHERE}.")


async def parent(transaction: Transaction, call: Call, text: str, name: str = "parent_id") -> Place:
    """What `name` names, where the caller may upload to it. Raises Problem."""
    place = await places.parent(transaction, call, text, name)
    if call.caller is None or call.caller.may(ANYWHERE):
        return place
    key = await keys.get(transaction, call.caller.key_id)
    entities = ((key.dialect_scope if key else None) or {"upload": {"entities": []}})["upload"]["entities"]
    named = {each["id"] for each in entities if "write" in each["permissions"]}
    above = await folders.path(transaction, call.project_id, place.folder_id) if place.folder_id else []
    if named.isdisjoint({place.library.id, *(each.id for each in above)}):
        raise Problem("forbidden", "The access token does not open this place.", name=name)
    return place
