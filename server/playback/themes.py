"""How players look, kept in memory for the pages that show them.

Loaded from the catalogue on a miss, dropped when a committed transaction changed the row (`Database.on_commit`).
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from server import clock, ids
from server.catalog import players
from server.catalog.control_models import Player
from server.catalog.database import Database
from server.catalog.sandboxes import Sandboxes

CACHE_SIZE = 1000  # players, 1 KiB each
TTL_S = 60.0  # a row changed by another process on the same database is noticed within this


@dataclass(frozen=True, slots=True)
class Theme:
    """A player's looks. `settings` as catalog.players names them."""

    player_id: str
    project_id: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    logo_version: int | None = None  # None: there is no logo
    logo_link: str | None = None


class Themes:
    """The cache. One for each process."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._entries: OrderedDict[str, tuple[Theme | None, float]] = OrderedDict()
        self._sandboxes = Sandboxes(database)
        database.on_commit(self.forget)

    async def find(self, project_id: str, text: str | None) -> Theme | None:
        """The project's player that `text` names, in any spelling of an id."""
        try:
            id = ids.canonical("pl", text or "")
        except ids.InvalidId:
            return None
        theme = await self._get(id)
        return theme if theme is not None and theme.project_id == project_id else None

    async def marked(self, project_id: str) -> bool:
        """Whether its pages say that this is for trying things out."""
        return await self._sandboxes.has(project_id)

    def forget(self, changed: Iterable[str]) -> None:
        for id in changed:
            self._entries.pop(id, None)

    async def _get(self, id: str) -> Theme | None:
        theme, fresh_until = self._entries.get(id, (None, 0.0))
        if fresh_until > self._monotonic():
            return theme
        async with self._database.read() as transaction:
            row = await players.find(transaction, id)
        theme = _of(row) if row is not None else None
        self._entries[id] = theme, self._monotonic() + TTL_S
        self._entries.move_to_end(id)
        if len(self._entries) > CACHE_SIZE:
            self._entries.popitem(last=False)
        return theme


def _of(row: Player) -> Theme:
    version = int(row.logo_at.timestamp()) if row.logo_at else None
    return Theme(row.id, row.project_id, row.theme, version, row.logo_link)
