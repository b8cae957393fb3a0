"""What is kept of live streams for those who know them as events."""

from server.catalog import folders, live_events, live_streams
from server.catalog.database import Database, Transaction
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, LiveStream
from server.catalog.organisation_models import Folder
from server.catalog.sharing_models import LiveEvent


async def _stream(transaction: Transaction, name: str) -> LiveStream:
    row = LiveStream(project_id=DEFAULT_PROJECT, name=name, stream_key=live_streams.new_stream_key())
    return await live_streams.add(transaction, row)


async def test_a_live_stream_is_an_event_without_more(database: Database) -> None:
    async with database.write() as transaction:
        plain, kept = await _stream(transaction, "a"), await _stream(transaction, "b")
        await live_events.put(transaction, kept, {"parent_id": "fo1"})
        row = await live_events.put(transaction, kept, {"kind": "one-time"})
        found = await live_events.of(transaction, [plain, kept])
        assert found[kept.id] is row
        assert (row.kind, row.parent_id) == ("one-time", "fo1")
        assert (found[plain.id].kind, found[plain.id].facts) == ("recurring", {})
        await transaction.flush()
        assert await transaction.get(LiveEvent, plain.id) is None
        await live_streams.remove(transaction, kept)
        await transaction.flush()
        transaction.expire_all()
        assert await transaction.get(LiveEvent, kept.id) is None


async def test_where_recordings_are_put(database: Database) -> None:
    async with database.write() as transaction:
        stream = await _stream(transaction, "a")
        assert await live_events.folder_of_recordings(transaction, stream) is None
        folder = await folders.add(transaction, Folder(project_id=DEFAULT_PROJECT, name="f"))
        await live_events.put(transaction, stream, {"record_parent_id": folder.id})
        assert await live_events.folder_of_recordings(transaction, stream) == folder.id
        await folders.remove(transaction, folder)
        assert await live_events.folder_of_recordings(transaction, stream) is None


async def test_lists_by_place(database: Database) -> None:
    async with database.write() as transaction:
        plain, one, two = [await _stream(transaction, name) for name in ("a", "b", "c")]
        await live_events.put(transaction, one, {"parent_id": "fo1"})
        await live_events.put(transaction, two, {"parent_id": "fo2"})
        cases = ((None, "abc"), (["fo1"], "b"), (["fo1", "fo2"], "bc"), ([None], "a"), ([None, "fo2"], "ac"), ([], ""))
        for parents, names in cases:
            page = await live_events.page(transaction, DEFAULT_PROJECT, parents, Paging(sort_by="name"))
            assert "".join(row.name for row in page.rows) == names
        assert (await live_events.page(transaction, "pr2", None, Paging())).total == 0
    assert plain.id
