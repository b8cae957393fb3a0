"""Tokens taken back stay so over a restart, for as long as they could open anything."""

from datetime import timedelta

from server import clock
from server.catalog import revoked_tokens
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.playback.revocations import Revocations


async def test_it_is_in_force_at_once_and_after_a_restart(database: Database) -> None:
    revocations = Revocations(database)
    await revocations.load()
    assert "jti-1" not in revocations

    await revocations.add(DEFAULT_PROJECT, "jti-1")
    await revocations.add(DEFAULT_PROJECT, "jti-1")
    restarted = Revocations(database)
    await restarted.load()

    assert "jti-1" in revocations
    assert "jti-1" in restarted


async def test_rows_without_effect_are_swept(database: Database) -> None:
    async with database.write() as transaction:
        await revoked_tokens.add(transaction, DEFAULT_PROJECT, "old", clock.now() - timedelta(seconds=1))
    revocations = Revocations(database)

    await revocations.load()

    assert "old" not in revocations
    async with database.read() as transaction:
        assert await revoked_tokens.all_ids(transaction) == set()
