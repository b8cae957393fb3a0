"""A write that is cancelled wherever it waits: all of it is there and was told of, or nothing; and others go on."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.pool import QueuePool

from server.catalog import videos
from server.catalog.audit import Actor, audited
from server.catalog.control_models import Player
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, LiveStream, Video
from server.catalog.organisation_models import CustomField
from server.catalog.undertakings import undertaking
from tests.harness import catalogue

OWN = {"project_id": DEFAULT_PROJECT}
ACTOR = Actor("api-key", "TEST", DEFAULT_PROJECT, "key_1")
ENOUGH = 200  # places where a write waits: there are fewer
TABLES = ("videos", "video_words", "custom_values", "players", "live_streams", "events", "audit_entries")
Write = Callable[[Database, str, list[str]], Coroutine[Any, Any, None]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return catalogue.copy(tmp_path)


class Cancelled:
    """The work, cancelled the nth time that it waits, and at each further one where it is to be."""

    def __init__(self, work: Coroutine[Any, Any, None], nth: int, *, again: bool) -> None:
        self.waits = 0
        self._work, self._nth, self._again = work, nth, again

    async def done(self) -> None:
        await self

    def __await__(self) -> Generator[Any, Any, None]:
        inner = self._work.__await__()
        step: Callable[[], Any] = inner.__next__
        while True:
            try:
                awaited = step()
            except StopIteration:
                return
            self.waits += 1
            task = asyncio.current_task()
            assert task is not None
            if self.waits == self._nth or (self._again and self.waits > self._nth):
                task.cancel()
            try:
                yield awaited
            except BaseException as error:
                raised = error
                step = lambda: inner.throw(raised)  # noqa: B023, E731
            else:
                step = inner.__next__


async def one_write(database: Database, name: str, called: list[str]) -> None:
    """Rows of one class and of several, by either way, with a part that fails."""
    async with database.write() as transaction:
        transaction.after_commit(lambda: called.append(name))
        plain = await videos.add(transaction, Video(**OWN, title=name))
        plain.title, plain.tags = f"{name} b", ["t"]
        await transaction.flush()
        await videos.add(transaction, Video(**OWN, title=name, custom={"field": "value"}))
        transaction.add(Player(**OWN, id=name, name=name, theme={}))
        transaction.add(LiveStream(**OWN, name=name, stream_key=name))
        with suppress(LookupError):
            await failing_part(transaction, name)
        await videos.discard(transaction, plain, plain.created_at)


async def failing_part(transaction: Transaction, name: str) -> None:
    async with transaction.part():
        await videos.add(transaction, Video(**OWN, title=name))
        raise LookupError


async def several_writes(database: Database, name: str, called: list[str]) -> None:
    """As a call with an Idempotency-Key does them."""
    async with audited(ACTOR), undertaking(together=True):
        await one_write(database, name, called)
        async with database.write() as transaction:
            transaction.add(Player(**OWN, name=name, theme={}))


async def counted(database: Database) -> list[int]:
    async with database.read() as transaction:
        return [await transaction.scalar(text(f"SELECT count(*) FROM {each}")) or 0 for each in TABLES]


async def given_back(database: Database) -> None:
    pool = database.engine.sync_engine.pool
    assert isinstance(pool, QueuePool)
    async with asyncio.timeout(30):
        while pool.checkedout():
            await asyncio.sleep(0)


async def is_sound(database: Database) -> bool:
    """Its tables are, and it can be written."""
    async with database.write() as transaction:
        for index in ("video_words_index", "video_texts_index"):
            await transaction.execute(text(f"INSERT INTO {index}({index}) VALUES ('integrity-check')"))
        broken = list(await transaction.execute(text("PRAGMA foreign_key_check")))
        return not broken and await transaction.scalar(text("PRAGMA integrity_check")) == "ok"


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("write", [one_write, several_writes])
async def test_all_is_there_and_told_or_nothing(url: str, write: Write, again: bool) -> None:
    heard: set[str] = set()
    called: list[str] = []
    async with Database.open(url) as database:
        database.on_commit(heard.update)
        async with database.write() as transaction:
            transaction.add(CustomField(**OWN, name="field", type="text"))
        before = await counted(database)
        await write(database, "0", [])
        total = await counted(database)
        added = [after - each for each, after in zip(before, total, strict=True)]
        for nth in range(1, ENOUGH):
            called.clear()
            work, name = Cancelled(write(database, str(nth), called), nth, again=again), str(nth)
            with suppress(asyncio.CancelledError):
                await asyncio.create_task(work.done())
            await given_back(database)
            found = await counted(database)
            changed = [after - each for each, after in zip(total, found, strict=True)]

            assert (changed, called, name in heard) in ((added, [name], True), ([0] * len(TABLES), [], False)), nth
            assert await is_sound(database)
            total = found
            if work.waits < nth:
                break
        assert work.waits < nth
        assert called == [name]
