"""Entries commit with the fact, or not at all, on both databases."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select

from server.catalog import videos
from server.catalog.access_models import AuditEntry
from server.catalog.audit import Actor, audited
from server.catalog.changes import MASK
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, LiveStream, UploadToken, Video
from server.catalog.undertakings import undertaking

ACTOR = Actor("api-key", "TEST", DEFAULT_PROJECT, "key_1")


async def entries(database: Database) -> list[AuditEntry]:
    async with database.read() as transaction:
        return list(await transaction.scalars(select(AuditEntry).order_by(AuditEntry.position)))


async def add(database: Database, title: str = "a") -> Video:
    async with database.write() as transaction:
        return await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title=title))


async def test_what_is_rolled_back_is_not_told(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as transaction:
            await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="a"))
            raise ValueError("stop")

    async with audited(ACTOR):
        with pytest.raises(ValueError, match="stop"):
            await fail()
        async with undertaking(together=True):
            with pytest.raises(ValueError, match="stop"):
                await fail()
            kept = await add(database, "kept")

    assert [(entry.action, entry.object_id) for entry in await entries(database)] == [("created", kept.id)]


async def test_several_writes_of_one_row_are_one_change(database: Database) -> None:
    made = await add(database)
    async with audited(ACTOR), database.write() as transaction:
        row = await videos.find(transaction, made.id)
        assert row
        for title in ("b", "c"):
            row.title = title
            await transaction.flush()
        row.description = "new"

    (entry,) = await entries(database)
    assert (entry.before, entry.after) == ({"title": "a", "description": ""}, {"title": "c", "description": "new"})


async def test_what_ends_as_it_was_is_no_change(database: Database) -> None:
    made = await add(database)
    async with audited(ACTOR), database.write() as transaction:
        row = await videos.find(transaction, made.id)
        assert row
        for title in ("b", "a"):
            row.title = title
            await transaction.flush()
        fleeting = Video(project_id=DEFAULT_PROJECT, title="made and deleted")
        transaction.add(fleeting)
        await transaction.flush()
        await transaction.delete(fleeting)

    assert await entries(database) == []


async def change(transaction: Transaction, row: Video) -> None:
    row.title, row.description = "c", "c"
    await transaction.flush()


@pytest.mark.parametrize("work", [change, videos.remove])
async def test_what_a_part_did_that_failed_is_not_told_of_a_row_that_was_changed_before_it(
    database: Database, work: Callable[[Transaction, Video], Awaitable[None]]
) -> None:
    made = await add(database)

    async def fail() -> None:
        async with database.write() as transaction:
            await work(transaction, await transaction.get_one(Video, made.id))
            raise ValueError("stop")

    async with audited(ACTOR), undertaking(together=True):
        async with database.write() as transaction:
            (await transaction.get_one(Video, made.id)).title = "b"
        with pytest.raises(ValueError, match="stop"):
            await fail()

    (entry,) = await entries(database)
    assert (entry.action, entry.object_id) == ("changed", made.id)
    assert (entry.before, entry.after) == ({"title": "a"}, {"title": "b"})


async def test_what_was_changed_before_a_part_that_failed_is_told(database: Database) -> None:
    made = await add(database)

    async def fail(transaction: Transaction) -> None:
        async with transaction.part():
            raise ValueError("stop")

    async with audited(ACTOR), database.write() as transaction:
        (await transaction.get_one(Video, made.id)).title = "b"
        with pytest.raises(ValueError, match="stop"):
            await fail(transaction)

    (entry,) = await entries(database)
    assert (entry.before, entry.after) == ({"title": "a"}, {"title": "b"})


async def test_secrets_are_masked(database: Database) -> None:
    async with audited(ACTOR), database.write() as transaction:
        token = UploadToken(project_id=DEFAULT_PROJECT)
        stream = LiveStream(
            project_id=DEFAULT_PROJECT, name="a", stream_key="open sesame", restreams=[{"streamKey": "x", "name": "y"}]
        )
        transaction.add_all([token, stream])

    by_type = {entry.object_type: entry for entry in await entries(database)}
    live, upload = by_type["live_streams"], by_type["upload_tokens"]
    assert live.after
    assert live.after["stream_key"] == MASK
    assert live.after["restreams"] == [{"streamKey": MASK, "name": "y"}]
    assert upload.after
    assert token.id not in f"{upload.object_id} {upload.after}"
