"""Sweeps one after the other."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from server.app import sweeping
from server.catalog.database import Database, Transaction
from tests.harness import catalogue


@pytest.fixture
def catalogue_url(tmp_path: Path) -> str:
    return catalogue.copy(tmp_path)


@pytest.fixture
async def database(catalogue_url: str) -> AsyncIterator[Database]:
    async with Database.open(catalogue_url) as database:
        yield database


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "PAUSE_S", 0.0)


async def test_each_has_its_turns_until_there_is_no_more(database: Database) -> None:
    left = {"a": 2, "b": 0, "c": 9}
    done: list[str] = []

    def of(name: str) -> sweeping.Sweep:
        async def sweep(_transaction: Transaction, _now: datetime) -> bool:
            done.append(name)
            left[name] -= 1
            return left[name] > 0

        return sweep

    await sweeping.sweep(database, [of(name) for name in left], turns=3)
    assert "".join(done) == "aabccc"


async def test_what_is_wrong_with_one_keeps_no_other(database: Database) -> None:
    done: list[str] = []

    async def wrong(_transaction: Transaction, _now: datetime) -> bool:
        raise OverflowError("date value out of range")

    async def right(_transaction: Transaction, _now: datetime) -> None:
        done.append("right")

    await sweeping.sweep(database, [wrong, right])
    assert done == ["right"]


async def test_a_database_that_is_away_ends_the_round(database: Database) -> None:
    async def away(_transaction: Transaction, _now: datetime) -> bool:
        raise OperationalError("CONNECT", None, ConnectionRefusedError(111, "Connection refused"))

    async def never(_transaction: Transaction, _now: datetime) -> bool:
        pytest.fail("it was asked")

    with pytest.raises(OperationalError):
        await sweeping.sweep(database, [away, never])
