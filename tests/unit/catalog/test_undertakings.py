"""Writes of one task that belong together."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import func, select

from server.catalog import undertakings, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, Video
from server.catalog.undertakings import carried_on, undertaking


async def add(database: Database, title: str) -> str:
    async with database.write() as transaction:
        return (await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title=title))).id


async def titles(database: Database) -> list[str]:
    async with database.read() as transaction:
        return list(await transaction.scalars(select(Video.title).order_by(Video.title)))


async def seen_by_others(database: Database) -> list[str]:
    return await asyncio.create_task(titles(database))


async def test_writes_together_commit_together(database: Database) -> None:
    async with undertaking(together=True):
        await add(database, "a")
        await add(database, "b")

        assert await titles(database) == ["a", "b"]
        assert await seen_by_others(database) == []

    assert await seen_by_others(database) == ["a", "b"]


async def test_an_error_undoes_all_of_them(database: Database) -> None:
    called: list[str] = []

    async def fail() -> None:
        async with undertaking(together=True):
            await add(database, "a")
            async with database.write() as transaction:
                transaction.after_commit(lambda: called.append("a"))
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        await fail()

    assert await titles(database) == called == []
    await add(database, "b")  # nothing is held any more
    assert await titles(database) == ["b"]


async def test_a_part_that_fails_and_is_caught_leaves_the_others(database: Database) -> None:
    called: list[str] = []

    async def fail() -> None:
        async with database.write() as transaction:
            transaction.after_commit(lambda: called.append("b"))
            await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="b"))
            raise ValueError("stop")

    async with undertaking(together=True):
        await add(database, "a")
        with pytest.raises(ValueError, match="stop"):
            await fail()
        async with database.write() as transaction:
            transaction.after_commit(lambda: called.append("c"))
        assert called == []

    assert await titles(database) == ["a"]
    assert called == ["c"]


async def test_listeners_hear_of_all_that_changed(database: Database) -> None:
    heard: list[set[str]] = []
    database.on_commit(lambda changed: heard.append(set(changed)))
    async with undertaking(together=True):
        ids = {await add(database, "a"), await add(database, "b")}

    assert len(heard) == 1
    assert ids <= heard[0]


@pytest.mark.parametrize("together", [True, False])
async def test_one_within_another_commits_with_it(database: Database, together: bool) -> None:
    async def fail() -> None:
        async with undertaking(together=True):
            async with undertaking(together=together):
                assert await add(database, "inner")
                assert await titles(database) == ["inner"]
            await add(database, "outer")
            assert await seen_by_others(database) == []
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        await fail()
    assert await titles(database) == []

    async with undertaking(together=True):
        await add(database, "outer")
        async with undertaking(together=together):
            assert await titles(database) == ["outer"]
            await add(database, "inner")
    assert await seen_by_others(database) == ["inner", "outer"]


async def test_one_that_fails_within_another_is_undone_whole(database: Database) -> None:
    async def fail() -> None:
        async with undertaking(together=True):
            await add(database, "inner")
            await add(database, "inner too")
            raise ValueError("stop")

    async with undertaking(together=True):
        await add(database, "before")
        with pytest.raises(ValueError, match="stop"):
            await fail()
        await add(database, "after")

    assert await titles(database) == ["after", "before"]


@pytest.mark.parametrize("together", [True, False])
async def test_looks_of_one_within_another(database: Database, together: bool) -> None:
    seen: list[str] = []

    async def look(word: str, _: Transaction) -> None:
        seen.append(word)

    def looks(name: str) -> tuple[undertakings.Look, undertakings.Look]:
        return partial(look, f"{name} begun"), partial(look, f"{name} ending")

    async with undertaking(*looks("outer"), together=True), undertaking(*looks("inner"), together=together):
        await add(database, "a")
        await add(database, "b")

    inner = ["inner begun", "inner ending"]
    assert seen == ["outer begun", *inner, *([] if together else inner), "outer ending"]


@pytest.mark.parametrize("together", [True, False])
async def test_looks_see_each_transaction(database: Database, together: bool) -> None:
    seen: list[tuple[str, int]] = []

    async def count(when: str, transaction: Transaction) -> None:
        seen.append((when, await transaction.scalar(select(func.count()).select_from(Video)) or 0))

    async with undertaking(
        lambda transaction: count("begun", transaction), lambda transaction: count("ending", transaction),
        together=together,
    ):  # fmt: skip
        await add(database, "a")
        await add(database, "b")

    apart = [("begun", 0), ("ending", 1), ("begun", 1), ("ending", 2)]
    assert seen == ([("begun", 0), ("ending", 2)] if together else apart)


async def test_what_the_task_starts_is_not_part_of_it(database: Database) -> None:
    async with undertaking(together=True):
        await asyncio.create_task(add(database, "beside"))  # nothing is held yet
        await add(database, "a")
        later = asyncio.create_task(add(database, "later"))  # waits for the commit

    await later
    assert await titles(database) == ["a", "beside", "later"]


async def test_it_holds_the_catalogue_for_a_limited_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undertakings, "HELD_S", 0.1)

    async def wait_for_another() -> None:
        async with undertaking(together=True):
            await add(database, "a")
            await asyncio.create_task(add(database, "waits for ever"))

    with pytest.raises(TimeoutError):
        await wait_for_another()
    assert await titles(database) == []


@pytest.mark.parametrize(("together", "seen"), [(False, ["begun", "ending"]), (True, [])])
async def test_work_in_a_task_that_is_waited_for_is_carried_on(
    database: Database, together: bool, seen: list[str]
) -> None:
    looks: list[str] = []

    async def begun(_: Transaction) -> None:
        looks.append("begun")

    async def ending(_: Transaction) -> None:
        looks.append("ending")

    async with undertaking(begun, ending, together=together):
        await asyncio.create_task(carried_on(add(database, "a")))
        assert looks == seen
        assert await seen_by_others(database) == ["a"]
