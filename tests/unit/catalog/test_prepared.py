"""Statements that are made once: the same rows as SQLAlchemy's, on a connection that others get back."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import bindparam, func, inspect, select, text
from sqlalchemy.exc import IntegrityError, InvalidRequestError, OperationalError, PendingRollbackError
from sqlalchemy.pool import QueuePool

from server.catalog import events, live_streams, sqlite_driver, videos
from server.catalog.database import Database, Transaction, out_of_space
from server.catalog.flushing import Addition
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Base, Event, LiveStream, TextTrack, Video
from server.catalog.prepared import Prepared

BY_TITLE: Prepared[Video] = Prepared(select(Video).where(Video.title == bindparam("title")).order_by(Video.id))
COUNT: Prepared[int] = Prepared(select(func.count()).select_from(Video))
COUNTED = select(func.count()).select_from(Video)


async def add(database: Database, **columns: Any) -> Video:
    async with database.write() as transaction:
        return await videos.add(transaction, Video(**{"project_id": DEFAULT_PROJECT, "title": "A", **columns}))


def taken(database: Database) -> int:
    pool = database.engine.sync_engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


def columns_of(row: Base) -> dict[str, Any]:
    return {each.key: getattr(row, each.key) for each in inspect(type(row)).column_attrs}


async def test_a_row_is_what_a_session_reads(database: Database) -> None:
    moment = datetime(2026, 1, 31, 10, 17, 47, 123456, tzinfo=UTC)
    made = await add(
        database, tags=["a", "ß"], meta=[{"key": "n", "value": "1"}], custom={"n": 2**70, "f": 1.5}, public=False,
        duration_s=4.25, source_bytes=2**40, tokens_valid_after=moment, trim={"start": 1.0, "end": None},
    )  # fmt: skip
    async with database.read() as transaction:
        found = await BY_TITLE.one(transaction, title="A")
    async with database.read() as transaction:
        wanted = await transaction.get_one(Video, made.id)

    assert found is not None
    assert columns_of(found) == columns_of(wanted)
    assert inspect(found).detached
    assert inspect(found).identity == (made.id,)


async def test_what_a_class_reads_only_when_asked_is_left_out(database: Database) -> None:
    video = await add(database)
    async with database.write() as transaction:
        transaction.add(
            TextTrack(video_id=video.id, kind="captions", language="en", project_id=DEFAULT_PROJECT, words="long")
        )
    tracks: Prepared[TextTrack] = Prepared(select(TextTrack))
    async with database.read() as transaction:
        found = await tracks.all(transaction)

    assert [track.language for track in found] == ["en"]
    assert "words" not in vars(found[0])


async def test_what_is_added_is_what_a_session_would_have_written(database: Database) -> None:
    heard: list[str] = []
    database.on_commit(heard.extend)
    moment = datetime(2026, 1, 31, 10, 17, 47, 123456, tzinfo=UTC)
    given = {"project_id": DEFAULT_PROJECT, "type": "video.created", "payload": {"a": ["ß", 1.5]}}
    first = Event(object_id="vi1", sequence=1, created_at=moment, **given)
    second, plain = Event(object_id="vi1", sequence=2, **given), Event(object_id="vi2", sequence=1, **given)
    additions = Addition(Event)
    async with database.write() as transaction:
        await additions.add(transaction, first, second)
        transaction.add(plain)
    async with database.read() as transaction:
        found = list(await transaction.scalars(select(Event).order_by(Event.position)))

    assert [columns_of(row) for row in found] == [columns_of(row) for row in (first, second, plain)]
    assert [row.position for row in found] == [1, 2, 3]
    assert {first.id, second.id, plain.id} <= set(heard)


async def test_what_is_added_goes_with_the_part_that_fails(database: Database) -> None:
    async def fail(transaction: Transaction) -> None:
        async with transaction.part():
            await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.created")
            raise LookupError

    async with database.write() as transaction:
        await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.created")
        with pytest.raises(LookupError):
            await fail(transaction)
        last = await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.created")
    assert last.sequence == 2


async def test_what_was_added_alone_is_committed_and_a_failed_transaction_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as transaction:
            await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.created")
            raise LookupError

    async with database.write() as transaction:
        await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.created")
    with pytest.raises(LookupError):
        await fail()
    async with database.read() as transaction:
        assert len(await events.of_object(transaction, DEFAULT_PROJECT, "vi1")) == 1


async def test_what_is_only_added_needs_no_session(database: Database) -> None:
    if database.shared:
        pytest.skip("there it is the session's own")
    async with database.write() as transaction:
        await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.created")
        assert not transaction.in_transaction()
        transaction.add(Video(project_id=DEFAULT_PROJECT, title="A"))
        await transaction.flush()
        await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.created")
    async with database.read() as transaction:
        assert len(await events.of_object(transaction, DEFAULT_PROJECT, "vi1")) == 2
        assert await COUNT.one(transaction) == 1


async def test_an_addition_that_the_disk_has_no_room_for_is_out_of_space(database: Database) -> None:
    if database.shared:
        pytest.skip("it is SQLite's")

    async def fill() -> None:
        async with database.write() as transaction:
            await transaction.execute(text("PRAGMA max_page_count = 1"))  # not below what it has
            for number in range(200):
                payload = {"text": "A" * 2000}
                await events.record(transaction, DEFAULT_PROJECT, f"vi{number}", "video.created", payload)

    with pytest.raises(OperationalError) as caught:
        await fill()
    assert out_of_space(caught.value)
    assert taken(database) == 0


@pytest.mark.parametrize("by_session", [False, True])
async def test_nothing_of_a_transaction_stays_that_the_disk_had_no_room_for(
    database: Database, by_session: bool
) -> None:
    if database.shared:
        pytest.skip("it is SQLite's, which may roll back by itself")

    async def tell(transaction: Transaction, number: int) -> None:
        if not by_session:
            await events.record(transaction, DEFAULT_PROJECT, f"vi{number}", "video.created", {"text": "A" * 2000})
            return
        transaction.add(LiveStream(project_id=DEFAULT_PROJECT, name="A" * 2000, stream_key=str(number)))
        await transaction.flush()

    async def fill() -> None:
        async with database.write() as transaction:
            await transaction.execute(text("PRAGMA max_page_count = 1"))  # not below what it has
            for number in range(200):
                with suppress(OperationalError, PendingRollbackError):
                    await tell(transaction, number)

    with pytest.raises((OperationalError, PendingRollbackError)):
        await fill()
    async with database.read() as transaction:
        assert await transaction.scalar(text("SELECT count(*) FROM events")) == 0
        assert await transaction.scalar(text("SELECT count(*) FROM live_streams")) == 0


async def test_a_commit_that_fails_is_rolled_back(database: Database) -> None:
    if database.shared:
        pytest.skip("its foreign keys are not deferred")

    async def write() -> None:
        async with database.write() as transaction:
            await transaction.execute(text("PRAGMA defer_foreign_keys = ON"))
            transaction.add(LiveStream(project_id="nobody", name="A", stream_key="a"))

    with pytest.raises(IntegrityError):
        await write()
    await add(database)  # nor does it hold the lock
    async with database.read() as transaction:
        assert await COUNT.one(transaction) == 1
        assert await transaction.scalar(text("SELECT count(*) FROM live_streams")) == 0


async def test_one_is_the_first_or_none(database: Database) -> None:
    first = min([await add(database), await add(database)], key=lambda video: video.id)
    for begin in (database.read, database.write):
        async with begin() as transaction:
            found = await BY_TITLE.one(transaction, title="A")
            assert found is not None
            assert found.id == first.id
            assert await BY_TITLE.one(transaction, title="B") is None
            assert await COUNT.one(transaction) == 2


async def test_what_is_written_is_seen_before_the_commit(database: Database) -> None:
    async with database.write() as transaction:
        transaction.add(Video(project_id=DEFAULT_PROJECT, title="new"))
        assert len(await BY_TITLE.all(transaction, title="new")) == 1


@pytest.mark.parametrize("prepared_first", [True, False])
async def test_all_statements_of_a_read_see_the_same(database: Database, prepared_first: bool) -> None:
    if database.shared:
        pytest.skip("PostgreSQL's reads see what was committed before each statement")
    await add(database)
    async with database.read() as transaction:
        before = [await COUNT.one(transaction), await transaction.scalar(COUNTED)][:: 1 if prepared_first else -1]
        await add(database)
        after = [await transaction.scalar(COUNTED), await COUNT.one(transaction)]

    assert before == after == [1, 1]


async def test_the_session_goes_on_where_the_prepared_one_began(database: Database) -> None:
    others = taken(database)  # of the process itself
    async with database.read() as transaction:
        await COUNT.one(transaction)
        await transaction.scalar(COUNTED)
        assert taken(database) == others + 1
    async with database.read() as transaction:
        await transaction.scalar(COUNTED)
        await COUNT.one(transaction)
        assert taken(database) == others + 1
    assert taken(database) == others


async def test_the_connection_is_given_back_whatever_happens(database: Database) -> None:
    others = taken(database)

    async def fail() -> None:
        async with database.read() as transaction:
            await COUNT.one(transaction)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert taken(database) == others
    await add(database)  # nor does anything hold the lock


async def test_the_connection_is_given_back_by_who_is_cancelled_within_a_long_statement(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.shared:
        pytest.skip("it runs on PostgreSQL's own machine")
    monkeypatch.setattr(sqlite_driver, "BUDGET", -1)  # all is long
    numbers: Prepared[int] = Prepared(
        select(func.count()).select_from(text("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                                              "WHERE i < 300000) SELECT i FROM n)"))
    )  # fmt: skip
    begun = asyncio.Event()

    async def read() -> None:
        async with database.read() as transaction:
            await COUNT.one(transaction)
            begun.set()
            await numbers.one(transaction)

    reading = asyncio.create_task(read())
    await begun.wait()
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    async with asyncio.timeout(30):
        while taken(database):
            await asyncio.sleep(0.01)
    await add(database)
    async with database.read() as transaction:
        assert await COUNT.one(transaction) == 1


ENDLESS: Prepared[int] = Prepared(
    select(func.count()).select_from(text("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                                          "WHERE i < 3000000) SELECT i FROM n)"))
)  # fmt: skip


async def test_the_session_goes_on_after_a_prepared_one_that_took_too_long(database: Database) -> None:
    if database.shared:
        pytest.skip("there it is the session's own")
    async with database.read() as transaction:
        await COUNT.one(transaction)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ENDLESS.one(transaction)
        assert await transaction.scalar(COUNTED) == 0


async def test_nothing_is_added_behind_a_session_that_lost_its_connection(database: Database) -> None:
    if database.shared:
        pytest.skip("there it is the session's own")

    async def write() -> None:
        async with database.write() as transaction:
            await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.created")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await transaction.scalar(ENDLESS.statement)
            await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.created")

    with pytest.raises(PendingRollbackError):
        await write()
    async with database.read() as transaction:
        assert await events.of_object(transaction, DEFAULT_PROJECT, "vi1") == []


async def test_nothing_is_added_behind_a_flush_that_failed(database: Database) -> None:
    async def write() -> None:
        async with database.write() as transaction:
            await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.created")
            transaction.add(Video(project_id="nobody", title="A"))
            with pytest.raises(IntegrityError):
                await transaction.flush()
            await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.created")

    with pytest.raises(InvalidRequestError):
        await write()
    async with database.read() as transaction:
        assert await events.of_object(transaction, DEFAULT_PROJECT, "vi1") == []


async def test_a_list_is_ordered_by_all_that_is_asked_for(database: Database) -> None:
    async with database.write() as transaction:
        for name, day in (("a", 1), ("a", 2), ("b", 3)):
            key, made = live_streams.new_stream_key(), datetime(2026, 1, day, tzinfo=UTC)
            transaction.add(LiveStream(project_id=DEFAULT_PROJECT, name=name, stream_key=key, created_at=made))
    async with database.read() as transaction:
        for falling, days in ((False, [1, 2, 3]), (True, [2, 1, 3])):
            paging = Paging(sort_by="name", then=(("createdAt", falling),))
            page = await live_streams.page(transaction, DEFAULT_PROJECT, paging)
            assert [row.created_at.day for row in page.rows] == days


async def test_a_fault_has_the_same_name_as_the_sessions(database: Database) -> None:
    gone: Prepared[int] = Prepared(select(func.count()).select_from(text("gone")))
    async with database.read() as transaction:
        with pytest.raises(OperationalError if not database.shared else Exception, match="gone") as caught:
            await gone.one(transaction)
    assert "parameters" not in str(caught.value)


@pytest.mark.parametrize("given", [{}, {"title": "A", "more": 1}])
async def test_parameters_are_those_of_the_statement(database: Database, given: dict[str, Any]) -> None:
    if database.shared:
        pytest.skip("SQLAlchemy's own check")
    async with database.read() as transaction:
        with pytest.raises(TypeError, match="title"):
            await BY_TITLE.all(transaction, **given)


async def test_a_statement_whose_text_differs_each_time_is_refused(database: Database) -> None:
    if database.shared:
        pytest.skip("there it is no other than the rest")
    several: Prepared[Video] = Prepared(select(Video).where(Video.id.in_(bindparam("ids", expanding=True))))
    async with database.read() as transaction:
        with pytest.raises(ValueError, match="can't be prepared"):
            await several.all(transaction, ids=["a"])
