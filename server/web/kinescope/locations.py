"""Places that things are kept in, as their rows name them: a folder, or the default project, which needs none."""

from server.catalog.database import Transaction
from server.web.kinescope import places
from server.web.typed import Call


async def location(transaction: Transaction, call: Call, text: str | None, name: str) -> str | None:
    """Our id of a place that a body or a query names; None where it names none. Raises Problem: 400, 404."""
    if not text:
        return None
    place = await places.parent(transaction, call, text, name)
    return place.folder_id or place.library.id
