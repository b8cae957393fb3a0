"""Rows whose time is over, and the rounds in which they go."""

from datetime import timedelta

from sqlalchemy import func, select

from server import clock
from server.app import sweeping
from server.catalog import removal, stored_answers
from server.catalog.access_models import StoredAnswer
from server.catalog.models import DEFAULT_PROJECT


async def test_many_rows_go_in_turns_and_what_is_left_at_the_next_round(database, monkeypatch):
    monkeypatch.setattr(removal, "AT_ONCE", 2)
    monkeypatch.setattr(sweeping, "PAUSE_S", 0)
    over = clock.now() - timedelta(seconds=1)
    async with database.write() as transaction:
        for key in range(7):
            transaction.add(answer(str(key), over))
        transaction.add(answer("young", clock.now() + timedelta(hours=1)))

    assert [await left(database, turns) for turns in (1, 2, 9)] == [6, 2, 1]


def answer(key, expires_at):
    return StoredAnswer(
        project_id=DEFAULT_PROJECT, key_hash=key, fingerprint="f", status=200, sealed=b"", expires_at=expires_at
    )


async def left(database, turns):
    await sweeping.sweep(database, [stored_answers.sweep], turns)
    async with database.read() as transaction:
        return await transaction.scalar(select(func.count()).select_from(StoredAnswer))
