"""Rows of uploads in memory: never older than what is committed."""

from typing import Any

import pytest

from server.catalog import uploads
from server.catalog.models import Upload
from server.catalog.undertakings import undertaking
from server.uploads import rows as module
from server.uploads.rows import Rows


async def abort(house: Any, upload_id: str) -> None:
    async with house.database.write() as transaction:
        row = await uploads.get(transaction, upload_id)
        await uploads.move(transaction, row, "aborted")


async def state(rows: Rows, upload_id: str) -> str:
    row = await rows.get(upload_id)
    assert row
    return row.state


async def test_a_row_is_read_once_until_it_changes(house: Any) -> None:
    opened, rows = await house.create(10), Rows(house.database)
    assert await rows.get(opened.id) is await rows.get(opened.id)
    await abort(house, opened.id)
    assert await state(rows, opened.id) == "aborted"


async def test_a_row_that_changes_while_it_is_read_is_not_kept(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, rows = await house.create(10), Rows(house.database)
    really_get = uploads.get

    async def slow(transaction: Any, upload_id: str) -> Upload | None:
        row = await really_get(transaction, upload_id)
        monkeypatch.undo()
        await abort(house, upload_id)
        return row

    monkeypatch.setattr(module.uploads, "get", slow)
    assert await state(rows, opened.id) == "created"
    assert await state(rows, opened.id) == "aborted"


async def test_what_comes_to_nothing_is_not_kept(house: Any) -> None:
    """It was read in the transaction that changed it."""
    opened, rows = await house.create(10), Rows(house.database)

    async def undone() -> None:
        async with undertaking(together=True):
            await abort(house, opened.id)
            assert await state(rows, opened.id) == "aborted"
            raise KeyError

    with pytest.raises(KeyError):
        await undone()
    assert await state(rows, opened.id) == "created"
