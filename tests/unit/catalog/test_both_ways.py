"""Whatever a row holds, prepared statements write and read it as SQLAlchemy does."""

import asyncio
import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, String, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from server import catalog
from server.catalog.database import Database, Transaction
from server.catalog.flushing import Addition
from server.catalog.models import Base, Video
from server.catalog.prepared import Prepared
from server.catalog.types import Json, Utc
from tests.harness import catalogue

for module in pkgutil.iter_modules(catalog.__path__, f"{catalog.__name__}."):
    if module.name.endswith("models"):
        importlib.import_module(module.name)
CLASSES = sorted((mapper.class_ for mapper in Base.registry.mappers), key=lambda each: each.__name__)
LETTERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | LETTERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LETTERS, inner, max_size=3),
    max_leaves=5,
)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
VALUES: list[tuple[type, st.SearchStrategy[Any]]] = [
    (Utc, st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))),
    (Json, JSON), (Boolean, st.booleans()), (LargeBinary, st.binary(max_size=8)), (Float, st.floats()),
    (BigInteger, NUMBERS), (Integer, NUMBERS), (String, LETTERS),
]  # fmt: skip
INDEXED = {
    "position": st.none(), "custom": st.just({}), "tags": st.lists(LETTERS, max_size=2),
    "meta": st.lists(st.fixed_dictionaries({"key": LETTERS, "value": LETTERS}), max_size=2),
}  # fmt: skip


def columns_of(entity: type[Base]) -> dict[str, Column[Any]]:
    mapper: Any = inspect(entity)
    return {mapper.get_property_by_column(each).key: each for each in mapper.local_table.columns}


def rows_of(entity: type[Base]) -> st.SearchStrategy[dict[str, Any]]:
    needed, free = {}, {}
    for key, column in columns_of(entity).items():
        if key == "updated_at" or column is inspect(entity).local_table.autoincrement_column:  # type: ignore[attr-defined]
            continue
        values = next(values for kind, values in VALUES if isinstance(column.type, kind))
        asked = column.default is None and not column.nullable
        (needed if asked else free)[key] = values | st.none() if column.nullable else values
    return st.fixed_dictionaries(needed, optional=free | (INDEXED if entity is Video else {}))


async def raw(transaction: Transaction, entity: type[Base], given: Mapping[str, Any]) -> list[Any]:
    """What SQLite has; only the types of what differs from time to time."""
    found: list[Any] = []
    for key, column in columns_of(entity).items():
        made = key in ("position", "updated_at") or (key not in given and column.default is not None)
        shown = f'typeof("{column.name}")' + ("" if made else f' || quote("{column.name}")')
        found.append([key, *await transaction.scalars(text(f"SELECT {shown} FROM {entity.__tablename__} ORDER BY 1"))])
    if entity is Video:
        found += map(tuple, await transaction.execute(text("SELECT words, marks, spoken FROM video_words")))
    return found


async def by_sqlalchemy(transaction: Transaction, row: Base) -> None:
    transaction.add(row)
    await transaction.run_sync(Session.flush)


async def by_flush(transaction: Transaction, row: Base) -> None:
    transaction.add(row)
    await transaction.flush()


async def by_addition(transaction: Transaction, row: Base) -> None:
    await Addition(type(row)).add(transaction, row)


def values_of(row: Base) -> dict[str, str]:
    return {key: repr(value) for key, value in sorted(vars(row).items()) if key != "_sa_instance_state"}


async def read(transaction: Transaction, entity: type[Base]) -> None:
    assert transaction.direct is not None
    found: list[Base] = await Prepared[Base](select(entity)).written(transaction, transaction.direct)
    transaction.expunge_all()
    assert list(map(values_of, found)) == list(map(values_of, await transaction.scalars(select(entity))))


class _Over(Exception):
    """Nothing stays."""


async def outcome(
    database: Database, row: Base, given: Mapping[str, Any], later: Mapping[str, Any],
    write: Callable[[Transaction, Base], Awaitable[None]],
) -> list[Any]:  # fmt: skip
    entity, found = type(row), list[Any]()
    try:
        async with database.write() as transaction:
            await transaction.execute(text("PRAGMA defer_foreign_keys = ON"))
            await write(transaction, row)
            found.append(await raw(transaction, entity, given))
            if later:
                for key, value in later.items():
                    setattr(row, key, value)
                await write(transaction, row)
                found.append(await raw(transaction, entity, {**given, **later}))
            await read(transaction, entity)
            raise _Over
    except (_Over, SQLAlchemyError, OverflowError) as error:
        found.append((type(error), str(getattr(error, "orig", None))))
    return found


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return catalogue.copy(tmp_path_factory.mktemp("catalogue"))


@pytest.mark.parametrize("entity", CLASSES)
@given(data=st.data())
@settings(max_examples=4, phases=[Phase.generate])  # to find the least of what differs takes minutes
def test_a_row_is_the_same_whichever_way(url: str, entity: type[Base], data: st.DataObject) -> None:
    first, second = data.draw(rows_of(entity)), data.draw(rows_of(entity))
    fixed = {each.key for each in inspect(entity).primary_key} | {"project_id"}
    later = {key: value for key, value in second.items() if key not in fixed}

    async def compare() -> None:
        async with Database.open(url) as database:
            for changes, write in ((later, by_flush), ({}, by_flush if entity is Video else by_addition)):
                wanted = await outcome(database, entity(**first), first, changes, by_sqlalchemy)
                assert await outcome(database, entity(**first), first, changes, write) == wanted

    asyncio.run(compare())
