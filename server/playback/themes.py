"""How players look, kept in memory for the pages that show them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from server import clock, ids
from server.catalog import players
from server.catalog.control_models import Player
from server.catalog.database import Database, Transaction
from server.catalog.sandboxes import Sandboxes
from server.playback.kept import Kept

CACHE_SIZE = 1000  # players, 1 KiB each


@dataclass(frozen=True, slots=True)
class Theme:
    """A player's looks. `settings` as catalog.players names them."""

    player_id: str
    project_id: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    logo_version: int | None = None  # None: there is no logo
    logo_link: str | None = None


class Themes:
    """One for each process."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._rows = Kept(database, _theme, CACHE_SIZE, monotonic)
        self._sandboxes = Sandboxes(database)
        database.on_commit(self._rows.forget)

    async def find(self, project_id: str, text: str | None) -> Theme | None:
        """The project's player that `text` names, in any spelling of an id."""
        try:
            id = ids.canonical("pl", text or "")
        except ids.InvalidId:
            return None
        theme = await self._rows.get(id)
        return theme if theme is not None and theme.project_id == project_id else None

    async def marked(self, project_id: str) -> bool:
        """Whether its pages say that this is for trying things out."""
        return await self._sandboxes.has(project_id)


async def _theme(transaction: Transaction, id: str) -> Theme | None:
    row = await players.find(transaction, id)
    return _of(row) if row is not None else None


def _of(row: Player) -> Theme:
    version = int(row.logo_at.timestamp()) if row.logo_at else None
    return Theme(row.id, row.project_id, row.theme, version, row.logo_link)
