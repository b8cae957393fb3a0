"""Playlists: videos of a project in an order of their own."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, case, func, select, update

from server.catalog import events, limits, listing
from server.catalog.database import Transaction
from server.catalog.limits import TooMany
from server.catalog.listing import Page, Paging
from server.catalog.models import Video
from server.catalog.sharing_models import Playlist, PlaylistEntry

MOST = 1000  # playlists of a project: what a list shows on ten pages
ENTRIES_LIMIT = 1000  # videos of a playlist: an answer and a page show them all
SORT_COLUMNS = {
    "name": Playlist.name,
    "title": Playlist.name,
    "description": Playlist.description,
    "created_at": Playlist.created_at,
    "updated_at": Playlist.updated_at,
}
CUSTOM = "custom"  # sorted as entries were placed
ENTRY_COLUMNS: dict[str, Any] = {
    CUSTOM: PlaylistEntry.position,
    "title": Video.title,
    "duration": Video.duration_s,
    "created_at": Video.created_at,
    "updated_at": Video.updated_at,
}


async def add(transaction: Transaction, playlist: Playlist) -> Playlist:
    """A new playlist and its event. Raises TooMany."""
    await limits.check(transaction, Playlist.project_id, playlist.project_id, MOST, "playlists")
    transaction.add(playlist)
    await transaction.flush()
    await tell(transaction, playlist, "created")
    return playlist


async def get(transaction: Transaction, project_id: str, playlist_id: str) -> Playlist | None:
    row = await find(transaction, playlist_id)
    return row if row is not None and row.project_id == project_id else None


async def find(transaction: Transaction, playlist_id: str) -> Playlist | None:
    """A playlist of whatever project: for watching."""
    return await transaction.get(Playlist, playlist_id)


async def page(transaction: Transaction, project_id: str, paging: Paging) -> Page[Playlist]:
    """Newest first unless told otherwise."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "created_at", True)
    query = select(Playlist).where(Playlist.project_id == project_id)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, Playlist.created_at, Playlist.id)


async def remove(transaction: Transaction, playlist: Playlist) -> None:
    """Its videos stay."""
    await transaction.delete(playlist)
    await tell(transaction, playlist, "deleted")


async def entries(transaction: Transaction, playlist: Playlist) -> list[tuple[PlaylistEntry, Video]]:
    """Those that are there to be seen by their owner, in the order that its settings ask for."""
    column = ENTRY_COLUMNS.get(str(playlist.settings.get("sort_field")), PlaylistEntry.position)
    descending = playlist.settings.get("sort_order") == "desc"
    rows = await transaction.execute(
        select(PlaylistEntry, Video)
        .join(Video, Video.id == PlaylistEntry.video_id)
        .where(PlaylistEntry.playlist_id == playlist.id, Video.discarded_at.is_(None))
        .order_by(column.desc() if descending else column.asc(), PlaylistEntry.position)
    )
    return [(entry, video) for entry, video in rows]


async def known_videos(transaction: Transaction, project_id: str, video_ids: Sequence[str]) -> set[str]:
    """Those of the ids that name a video which its owner sees."""
    rows = select(Video.id).where(
        Video.project_id == project_id, Video.id.in_(video_ids), Video.version_of.is_(None),
        Video.discarded_at.is_(None),
    )  # fmt: skip
    return set(await transaction.scalars(rows))


async def append(transaction: Transaction, playlist: Playlist, video_ids: Sequence[str]) -> None:
    """At the end; those that are in it stay where they are. Raises TooMany."""
    known = await _in_order(transaction, playlist)
    names = {entry.video_id for entry in known}
    fresh = [video_id for video_id in dict.fromkeys(video_ids) if video_id not in names]
    if len(known) + len(fresh) > ENTRIES_LIMIT:
        raise TooMany(f"A playlist has {ENTRIES_LIMIT} videos at most.")
    for number, video_id in enumerate(fresh, len(known) + 1):
        transaction.add(
            PlaylistEntry(
                playlist_id=playlist.id, video_id=video_id, project_id=playlist.project_id, position=number
            )
        )
    await transaction.flush()
    if fresh:
        await tell(transaction, playlist, "updated", added=fresh)


async def take_out(transaction: Transaction, playlist: Playlist, video_ids: Sequence[str]) -> None:
    """Those that are not in it are passed over."""
    known = await _in_order(transaction, playlist)
    names = set(video_ids)
    gone = [entry for entry in known if entry.video_id in names]
    for entry in gone:
        await transaction.delete(entry)
    await transaction.flush()
    await _close_up(transaction, playlist)
    if gone:
        await tell(transaction, playlist, "updated", removed=[entry.video_id for entry in gone])


async def move(transaction: Transaction, playlist: Playlist, video_id: str, position: int) -> bool:
    """To the position, from 1, or the last one there is; False where the video is not in it."""
    known = await _in_order(transaction, playlist)
    entry = next((each for each in known if each.video_id == video_id), None)
    if entry is None:
        return False
    known.remove(entry)
    entry.position = min(position, len(known) + 1)
    await transaction.flush()
    await _close_up(transaction, playlist, entry)
    await tell(transaction, playlist, "updated", moved=video_id)
    return True


async def tell(transaction: Transaction, playlist: Playlist, what: str, **more: Any) -> None:
    payload = {"playlistId": playlist.id, "name": playlist.name, **more}
    await events.record(transaction, playlist.project_id, playlist.id, f"playlist.{what}", payload)


async def _in_order(transaction: Transaction, playlist: Playlist) -> list[PlaylistEntry]:
    return list(await transaction.scalars(_ordered(playlist)))


def _ordered(playlist: Playlist) -> Select[PlaylistEntry]:
    return select(PlaylistEntry).where(PlaylistEntry.playlist_id == playlist.id).order_by(PlaylistEntry.position)


async def _close_up(transaction: Transaction, playlist: Playlist, placed: PlaylistEntry | None = None) -> None:
    """All others get the positions that are left, in their order: in one statement, as this is nobody's change, and a
    change of each row would be noted row by row."""
    others = PlaylistEntry.playlist_id == playlist.id
    if placed is not None:
        others = and_(others, PlaylistEntry.video_id != placed.video_id)
    number = func.row_number().over(order_by=(PlaylistEntry.position, PlaylistEntry.video_id))
    ranked = select(PlaylistEntry.video_id, number.label("number")).where(others).subquery()
    before = ranked.c.number < (placed.position if placed is not None else ENTRIES_LIMIT + 1)
    to = case((before, ranked.c.number), else_=ranked.c.number + 1)
    await transaction.execute(
        update(PlaylistEntry)
        .where(others, PlaylistEntry.video_id == ranked.c.video_id, PlaylistEntry.position != to)
        .values(position=to)
        .execution_options(synchronize_session=False)
    )
    rows = await transaction.scalars(_ordered(playlist).execution_options(populate_existing=True))
    rows.all()  # those that are held know their positions
