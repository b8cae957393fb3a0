"""Values come back from the database as they were put in."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Event

ODD = '{"a": "\\ud800", "b": NaN}'  # what json.dumps makes of such a value


async def kept(database: Database, payload: Any, created_at: datetime) -> Event:
    async with database.write() as transaction:
        event = {"project_id": DEFAULT_PROJECT, "object_id": "vi1", "sequence": 1, "type": "x", "payload": payload}
        await transaction.execute(insert(Event).values(created_at=created_at, **event))
    async with database.read() as transaction:
        found = await transaction.scalar(select(Event).order_by(Event.position.desc()).limit(1))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "value",
    [{}, [], None, 5, 0.5, -1, "", "5", "null", "text", True, {"a": [1, {"b": None}], "ü": "\u2028"}, [2**53, 0.25],
     {"a": [2**63, 2**64, -(2**63) - 1, 10**40, {"b": "x" * 30, "c": 2**65 + 1}]}],
    ids=repr,
)
async def test_json(value: Any, database: Database) -> None:
    found = (await kept(database, value, datetime.now(UTC))).payload
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 31, 10, 17, 47, 123456, UTC),
        datetime(2026, 1, 31, 10, 17, 47, 0, UTC),
        datetime(2026, 1, 31, 1, 17, 47, 1, timezone(timedelta(hours=-9))),
        datetime(999, 1, 1, tzinfo=UTC),
    ],
    ids=str,
)
async def test_moments(moment: datetime, database: Database) -> None:
    found = (await kept(database, {}, moment)).created_at
    assert found == moment
    assert found.tzinfo is UTC


async def test_json_that_only_python_writes(database: Database) -> None:
    if database.shared:
        pytest.skip("PostgreSQL does not take it")
    await kept(database, {}, datetime.now(UTC))
    async with database.write() as transaction:
        await transaction.execute(text("UPDATE events SET payload = :odd"), {"odd": ODD})
    async with database.read() as transaction:
        found = await transaction.scalar(select(Event.payload))
    assert found is not None
    assert found["a"] == "\ud800"
    assert found["b"] != found["b"]
