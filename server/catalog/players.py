"""Players: how the player looks and behaves for what names them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select

from server.catalog import events, listing
from server.catalog.control_models import Player
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.prepared import Prepared

_COUNT: Prepared[int] = Prepared(select(func.count()).where(Player.project_id == bindparam("project_id")))
SORT_COLUMNS = {"name": Player.name, "createdAt": Player.created_at, "updatedAt": Player.updated_at}

# what a theme may hold; colours that are not there are the player's own
COLOURS = (
    "text",
    "link",
    "linkHover",
    "linkActive",
    "trackPlayed",
    "trackUnplayed",
    "trackBackground",
    "backgroundTop",
    "backgroundBottom",
    "backgroundText",
)
SWITCHES: Mapping[str, bool] = {
    "enableApi": True,
    "enableControls": True,
    "forceAutoplay": False,
    "hideTitle": False,
    "forceLoop": False,
}


async def add(transaction: Transaction, player: Player) -> Player:
    """A new player and its event."""
    transaction.add(player)
    await transaction.flush()
    await _tell(transaction, player, "created")
    return player


async def get(transaction: Transaction, project_id: str, player_id: str) -> Player | None:
    row = await find(transaction, player_id)
    return row if row is not None and row.project_id == project_id else None


async def find(transaction: Transaction, player_id: str) -> Player | None:
    """A player of whatever project: for watching."""
    return await transaction.get(Player, player_id)


async def count(transaction: Transaction, project_id: str) -> int:
    return await _COUNT.one(transaction, project_id=project_id) or 0


async def page(transaction: Transaction, project_id: str, paging: Paging) -> Page[Player]:
    """Newest first unless told otherwise."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    query = select(Player).where(Player.project_id == project_id)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, Player.created_at, Player.id)


async def change(transaction: Transaction, player: Player, name: str | None, theme: Mapping[str, Any]) -> None:
    """What is given takes the place of what was; a name of None stays."""
    if name is not None:
        player.name = name
    player.theme = {**player.theme, **theme}
    await _tell(transaction, player, "updated")


async def set_logo(transaction: Transaction, player: Player, at: datetime | None, link: str | None) -> None:
    """`at` None: there is none."""
    player.logo_at, player.logo_link = at, link
    if at is None:
        player.logo_bytes = None
    await _tell(transaction, player, "updated")


async def with_logo(transaction: Transaction) -> set[str]:
    """Ids, of whatever project."""
    return set(await transaction.scalars(select(Player.id).where(Player.logo_at.is_not(None))))


async def remove(transaction: Transaction, player: Player) -> None:
    """The row goes; what names it is shown by the player's own looks from then on."""
    await transaction.delete(player)
    await _tell(transaction, player, "deleted")


async def _tell(transaction: Transaction, player: Player, what: str) -> None:
    await events.record(transaction, player.project_id, player.id, f"player.{what}", {"playerId": player.id})
