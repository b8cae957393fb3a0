"""How a project's videos reach their viewers, as far as it counts for what is answered."""

from typing import NamedTuple

from server.catalog import delivery_zones
from server.catalog.database import Transaction

CACHE_SIZE = 10_000  # projects


class Zone(NamedTuple):
    """None: as without one."""

    host: str | None = None  # that URLs of videos lead to, perhaps with a port
    playlist_s: int | None = None  # that caches keep playlists of videos without asking
    segment_s: int | None = None  # that they keep segments at most
    lines: int | None = None  # of the pictures that players are offered at most


NONE = Zone()


async def read(transaction: Transaction, project_id: str) -> Zone:
    """The one that counts."""
    rows = await delivery_zones.every(transaction, project_id)
    return Zone(rows[0].host, rows[0].playlist_ttl_s, rows[0].segment_ttl_s, rows[0].max_lines) if rows else NONE
