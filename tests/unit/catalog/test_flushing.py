"""What a session writes by prepared statements is what SQLAlchemy would have written."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Insert, Update, event, select, text
from sqlalchemy.exc import IntegrityError, InvalidRequestError, OperationalError, StatementError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from server import clock
from server.catalog import changes, live_streams
from server.catalog.changes import NOTED
from server.catalog.control_models import Player
from server.catalog.database import Database, Transaction
from server.catalog.flushing import FEW
from server.catalog.models import DEFAULT_PROJECT, LiveStream, Rendition, UploadToken, Video
from server.catalog.prepared import Prepared

OWN = {"project_id": DEFAULT_PROJECT}
MOMENT = datetime(2026, 1, 31, 10, 17, 47, 123456, tzinfo=UTC)
LATER = MOMENT + timedelta(days=1)
ALL_VIDEOS: Prepared[Video] = Prepared(select(Video))


@pytest.fixture
def database(database: Database) -> Database:
    if database.shared:
        pytest.skip("there it is SQLAlchemy that writes")
    return database


@pytest.fixture
def written(database: Database) -> list[str]:
    """What SQLAlchemy has written itself."""
    found: list[str] = []

    def note(_connection: Any, clause: Any, *_: Any) -> None:
        if isinstance(clause, Insert | Update):
            found.append(str(clause))

    event.listen(database.engine.sync_engine, "before_execute", note)
    return found


async def by_sqlalchemy(transaction: Transaction) -> None:
    await transaction.run_sync(Session.flush)


WAYS: tuple[Callable[[Transaction], Awaitable[None]], ...] = (Transaction.flush, by_sqlalchemy)


async def raw(database: Database, table: str, but_for: str) -> list[tuple[Any, ...]]:
    async with database.read() as transaction:
        names = [row[1] for row in await transaction.execute(text(f"PRAGMA table_info({table})"))]
        wanted = ", ".join(f"typeof({name}), {name}" for name in names if name not in but_for.split())
        return [tuple(row) for row in await transaction.execute(text(f"SELECT {wanted} FROM {table}"))]


ROWS: list[Callable[[], Any]] = [
    lambda: Video(**OWN, title="A", tags=["a", "ß"], meta=[{"key": "n", "value": "1"}], public=False, created_at=MOMENT,
                  updated_at=MOMENT, published_at=MOMENT, trim=None, duration_s=4.25),
    lambda: Video(**OWN, title="A", created_at=MOMENT, updated_at=MOMENT, published_at=MOMENT, custom={}),
    lambda: Player(**OWN, name="A", theme={"a": [1.5]}, created_at=MOMENT, updated_at=MOMENT),
    lambda: UploadToken(**OWN, ttl_s=5, expires_at=MOMENT + timedelta(seconds=5), created_at=MOMENT),
    lambda: LiveStream(**OWN, name="A", stream_key="a", created_at=MOMENT, updated_at=MOMENT),
    lambda: LiveStream(**OWN, name="A", stream_key="a", renditions=None, created_at=MOMENT, updated_at=MOMENT),
]  # fmt: skip


@pytest.mark.parametrize("make", ROWS)
async def test_what_is_added(database: Database, written: list[str], make: Callable[[], Any]) -> None:
    table, found = make().__tablename__, []
    for flush in WAYS:
        row = make()
        async with database.write() as transaction:
            transaction.info[NOTED] = {}
            transaction.add(row)
            await flush(transaction)
            assert row in transaction
            assert row.id in transaction.changed
            note = next(changes.told(transaction.info[NOTED]))
        assert bool(written) == (flush is by_sqlalchemy)
        words = await raw(database, "video_words", "position video_id")
        after = {key: value for key, value in (note.after or {}).items() if key not in ("id", "position")}
        found.append((await raw(database, table, "id position"), words, note.action, note.before, after))
        async with database.write() as transaction:
            await transaction.delete(await transaction.get_one(type(row), row.id))

    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("make", "columns"),
    [
        (ROWS[0], {"title": "B", "tags": [], "duration_s": None}),
        (ROWS[0], {"revision": 2, "updated_at": LATER}),
        (ROWS[2], {"theme": {}, "name": "B"}),
        (ROWS[4], {"state": "live"}),
    ],
)
async def test_what_is_changed(
    database: Database, written: list[str], make: Callable[[], Any], columns: dict[str, Any]
) -> None:
    table, found = make().__tablename__, []
    for flush in WAYS:
        async with database.write() as transaction:
            transaction.add(row := make())
        written.clear()
        async with database.write() as transaction:
            transaction.info[NOTED] = {}
            row = await transaction.get_one(type(row), row.id)
            for name, value in columns.items():
                setattr(row, name, value)
            await flush(transaction)
            assert not transaction.is_pending
            assert row.id in transaction.changed
            assert (row.updated_at == LATER) == ("updated_at" in columns)
            assert row.updated_at != MOMENT
            note = next(changes.told(transaction.info[NOTED]))
        assert bool(written) == (flush is by_sqlalchemy)
        words = await raw(database, "video_words", "position video_id")
        found.append((await raw(database, table, "id position updated_at"), words, note.before, note.after))
        async with database.write() as transaction:
            await transaction.delete(await transaction.get_one(type(row), row.id))

    assert found[0] == found[1]


async def test_what_is_left_to_the_commit(database: Database, written: list[str]) -> None:
    async with database.write() as transaction:
        transaction.add(row := Player(**OWN, name="A", theme={}))
    async with database.write() as transaction:
        row = await transaction.get_one(Player, row.id)
        row.name = "B"
    async with database.read() as transaction:
        assert (await transaction.get_one(Player, row.id)).name == "B"
    assert written == []


async def test_a_row_that_was_added_is_the_session_s_own(database: Database) -> None:
    row = Player(**OWN, name="A", theme={})
    async with database.write() as transaction:
        transaction.add(row)
        await transaction.flush()
        assert await transaction.get(Player, row.id) is row
        row.name = "B"
        await transaction.flush()
        row.name = "C"
    async with database.read() as transaction:
        assert (await transaction.get_one(Player, row.id)).name == "C"


async def test_what_is_read_to_be_changed_is_one_object(database: Database) -> None:
    async with database.write() as transaction:
        transaction.add(Video(**OWN, title="A"))
        (first,) = await ALL_VIDEOS.all(transaction)
        first.title = "B"
        (second,) = await ALL_VIDEOS.all(transaction)
        assert second is first
        assert await transaction.get(Video, first.id) is first
        assert not transaction.is_pending
    async with database.write() as transaction:
        (row,) = await ALL_VIDEOS.all(transaction)
        row.title = "C"
    async with database.read() as transaction:
        assert await transaction.scalar(select(Video.title)) == "C"


async def test_what_has_expired_is_read_again(database: Database) -> None:
    async with database.write() as transaction:
        transaction.add(Video(**OWN, title="A"))
        (row,) = await ALL_VIDEOS.all(transaction)
        await transaction.execute(text("UPDATE videos SET revision = 2"))
        transaction.expire(row, ["revision"])
        (again,) = await ALL_VIDEOS.all(transaction)
        assert again is row
        assert row.revision == 2


async def test_a_row_that_is_refused_fails_the_transaction(database: Database) -> None:
    async def write() -> None:
        async with database.write() as transaction:
            transaction.add(Player(**OWN, name="A", theme={}))
            await transaction.flush()
            transaction.add(Player(project_id="nobody", name="B", theme={}))
            with pytest.raises(IntegrityError):
                await transaction.flush()

    with pytest.raises(InvalidRequestError):
        await write()
    async with database.read() as transaction:
        assert list(await transaction.scalars(select(Player))) == []


async def test_what_is_refused_after_its_row_was_written_is_told_as_it_is(database: Database) -> None:
    async def write() -> None:
        async with database.write() as transaction:
            await transaction.execute(text("DROP TABLE video_words_index"))
            transaction.add(Video(**OWN, title="A"))
            await transaction.flush()

    with pytest.raises(OperationalError, match="video_words_index"):
        await write()


@pytest.mark.parametrize("flush", WAYS)
async def test_a_value_that_no_type_takes_fails_as_sqlalchemy_says(
    database: Database, flush: Callable[[Transaction], Awaitable[None]]
) -> None:
    async def write() -> None:
        async with database.write() as transaction:
            transaction.add(Player(**OWN, name="A", theme={}, created_at=MOMENT.replace(tzinfo=None)))
            await flush(transaction)

    with pytest.raises(StatementError, match="naive"):
        await write()


async def test_a_row_that_is_gone_can_not_be_changed(database: Database) -> None:
    async def write() -> None:
        async with database.write() as transaction:
            transaction.add(row := Player(**OWN, name="A", theme={}))
            await transaction.flush()
            await transaction.execute(text("DELETE FROM players"))
            row.name = "B"
            await transaction.flush()

    with pytest.raises(StaleDataError):
        await write()


@pytest.mark.parametrize("flush", WAYS)
async def test_what_a_part_wrote_goes_with_it(
    database: Database, flush: Callable[[Transaction], Awaitable[None]]
) -> None:
    async def fail(transaction: Transaction, row: Player, other: Player) -> None:
        async with transaction.part():
            row.name = "B"
            await flush(transaction)
            transaction.add(other)
            await flush(transaction)
            raise LookupError

    other = Player(**OWN, name="C", theme={})
    async with database.write() as transaction:
        transaction.add(row := Player(**OWN, name="A", theme={}))
        await flush(transaction)
        with pytest.raises(LookupError):
            await fail(transaction, row, other)
        assert other not in transaction
        assert await transaction.get(Player, other.id) is None
        await transaction.refresh(row)
        assert row.name == "A"
        row.theme = {"a": 1}
        transaction.add(other)
    async with database.read() as transaction:
        found = list(await transaction.scalars(select(Player).order_by(Player.name)))
    assert [(each.name, each.theme) for each in found] == [("A", {"a": 1}), ("C", {})]


async def test_several_classes_and_keys_that_are_more_than_an_id_are_written_too(database: Database) -> None:
    video = Video(**OWN, id="vi1", title="A", created_at=clock.now())
    async with database.write() as transaction:
        transaction.add(video)
        transaction.add(LiveStream(**OWN, name="A", stream_key=live_streams.new_stream_key()))
        await transaction.flush()
        facts = {"width": 640}
        row = Rendition(**OWN, video_id="vi1", revision=1, name="a", kind="video", origin="copied", facts=facts)
        transaction.add(row)
        await transaction.flush()
        row.state = "done"
    async with database.read() as transaction:
        assert await transaction.scalar(select(Rendition.state)) == "done"


async def test_many_are_written_together(database: Database, written: list[str]) -> None:
    async with database.write() as transaction:
        transaction.add_all(Player(**OWN, name=str(number), theme={}) for number in range(FEW + 1))
        await transaction.flush()
    assert len(written) == 1
