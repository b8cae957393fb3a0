"""Playlists: their videos and the order of these."""

import pytest
from sqlalchemy import select

from server import clock
from server.catalog import events, playlists
from server.catalog.access_models import AuditEntry
from server.catalog.audit import Actor, audited
from server.catalog.database import Database, Transaction
from server.catalog.limits import TooMany
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Project, Video
from server.catalog.sharing_models import Playlist


async def _made(transaction: Transaction, *titles: str) -> tuple[Playlist, list[str]]:
    rows = [Video(project_id=DEFAULT_PROJECT, title=title, duration_s=len(title)) for title in titles]
    transaction.add_all(rows)
    await transaction.flush()
    playlist = await playlists.add(transaction, Playlist(project_id=DEFAULT_PROJECT, name="mine"))
    await playlists.append(transaction, playlist, [row.id for row in rows])
    return playlist, [row.id for row in rows]


async def _titles(transaction: Transaction, playlist: Playlist) -> str:
    return " ".join(video.title for _, video in await playlists.entries(transaction, playlist))


async def test_videos_are_placed_moved_and_taken_out(database: Database) -> None:
    async with database.write() as transaction:
        row, (one, two, three) = await _made(transaction, "a", "bb", "ccc")
        assert await _titles(transaction, row) == "a bb ccc"
        assert await playlists.move(transaction, row, three, 1)
        assert await _titles(transaction, row) == "ccc a bb"
        assert await playlists.move(transaction, row, three, 99)
        assert await _titles(transaction, row) == "a bb ccc"
        assert not await playlists.move(transaction, row, "vi0", 1)
        await playlists.append(transaction, row, [one, one])
        await playlists.take_out(transaction, row, [two, "vi0"])
        entries = await playlists.entries(transaction, row)
    assert [(entry.position, entry.video_id) for entry, _ in entries] == [(1, one), (2, three)]


async def test_only_the_moved_one_is_a_change(database: Database) -> None:
    async with database.write() as transaction:
        row, ids = await _made(transaction, *"abcde")
    async with audited(Actor("api-key", "move", DEFAULT_PROJECT)), database.write() as transaction:
        found = await transaction.get_one(Playlist, row.id)
        assert await playlists.move(transaction, found, ids[4], 2)
        assert await _titles(transaction, found) == "a e b c d"
    async with audited(Actor("api-key", "take", DEFAULT_PROJECT)), database.write() as transaction:
        found = await transaction.get_one(Playlist, row.id)
        await playlists.take_out(transaction, found, [ids[0]])
        entries = await playlists.entries(transaction, found)

    assert [(entry.position, video.title) for entry, video in entries] == [(1, "e"), (2, "b"), (3, "c"), (4, "d")]
    async with database.read() as transaction:
        entries_told = await transaction.scalars(
            select(AuditEntry).where(AuditEntry.object_type == "playlist_entries")
        )
        told = [(each.operation, each.action) for each in entries_told]
    assert sorted(told) == [("move", "changed"), ("take", "deleted")]


@pytest.mark.parametrize(
    ("field", "order", "found"),
    [
        ("custom", "asc", "bb a ccc"), ("title", "desc", "ccc bb a"), ("duration", "asc", "a bb ccc"),
        ("x", "", "bb a ccc"),
    ],
)
async def test_settings_sort_them(database: Database, field: str, order: str, found: str) -> None:
    async with database.write() as transaction:
        row, _ = await _made(transaction, "bb", "a", "ccc")
        row.settings = {"sort_field": field, "sort_order": order}
        assert await _titles(transaction, row) == found


async def test_deleted_videos_are_not_in_it(database: Database) -> None:
    async with database.write() as transaction:
        row, ids = await _made(transaction, "a", "b", "c")
        discarded, gone = await transaction.get(Video, ids[0]), await transaction.get(Video, ids[1])
        assert discarded is not None
        assert gone is not None
        discarded.discarded_at = clock.now()
        await transaction.delete(gone)
        await transaction.flush()
        assert await _titles(transaction, row) == "c"


async def test_limits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playlists, "MOST", 1)
    monkeypatch.setattr(playlists, "ENTRIES_LIMIT", 2)
    async with database.write() as transaction:
        row, _ = await _made(transaction, "a", "b")
        with pytest.raises(TooMany, match="2 videos"):
            await playlists.append(transaction, row, ["vi3"])
        with pytest.raises(TooMany, match="1 playlists"):
            await playlists.add(transaction, Playlist(project_id=DEFAULT_PROJECT, name="another"))


async def test_projects_are_kept_apart_and_events_are_told(database: Database) -> None:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        mine, _ = await _made(transaction, "a")
        theirs = await playlists.add(transaction, Playlist(project_id="pr2", name="theirs"))
        assert await playlists.get(transaction, DEFAULT_PROJECT, theirs.id) is None
        page = await playlists.page(transaction, DEFAULT_PROJECT, Paging())
        assert [row.id for row in page.rows] == [mine.id]
        await playlists.remove(transaction, mine)
        assert await playlists.find(transaction, mine.id) is None
        told = await events.of_object(transaction, DEFAULT_PROJECT, mine.id)
    assert [each.type for each in told] == ["playlist.created", "playlist.updated", "playlist.deleted"]
