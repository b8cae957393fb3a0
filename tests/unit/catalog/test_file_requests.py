"""File requests: their tokens open and close their pages."""

from datetime import timedelta

import pytest

from server import clock
from server.catalog import events, file_requests, uploads
from server.catalog.database import Database, Transaction
from server.catalog.limits import TooMany
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Upload, UploadToken, Video
from server.catalog.sharing_models import FileRequest


async def _change(transaction: Transaction, row: FileRequest, **changes: object) -> None:
    values = {"title": row.title, "location_id": row.location_id, "expires_at": row.expires_at, "archived": False}
    await file_requests.change(transaction, row, **(values | changes))  # type: ignore[arg-type]


async def _made(transaction: Transaction, title: str = "mine") -> FileRequest:
    return await file_requests.add(transaction, FileRequest(project_id=DEFAULT_PROJECT, title=title))


async def test_a_page_is_open_while_its_token_is_good(database: Database) -> None:
    async with database.write() as transaction:
        row = await _made(transaction)
        first = row.token
        assert await file_requests.opened(transaction, row.id) is row
        assert await file_requests.of_token(transaction, first) is row

        await _change(transaction, row, expires_at=clock.now() - timedelta(seconds=1))
        assert await file_requests.opened(transaction, row.id) is None
        await _change(transaction, row, expires_at=clock.now() + timedelta(hours=1))
        assert await file_requests.opened(transaction, row.id) is row
        assert row.token == first

        await _change(transaction, row, archived=True)
        assert await file_requests.opened(transaction, row.id) is None
        assert await transaction.get(UploadToken, first) is None
        await _change(transaction, row, expires_at=None)
        assert row.token != first
        assert await uploads.token(transaction, row.token) is not None

        await file_requests.remove(transaction, row)
        assert await transaction.get(UploadToken, row.token) is None
        told = await events.of_object(transaction, DEFAULT_PROJECT, row.id)
    assert [each.type.partition(".")[2] for each in told] == ["created", *["updated"] * 4, "deleted"]
    assert not [each for each in told if row.token in str(each.payload)]


async def test_lists_and_counts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_requests, "MOST", 2)
    async with database.write() as transaction:
        second, first = await _made(transaction, "b"), await _made(transaction, "a")
        with pytest.raises(TooMany):
            await _made(transaction)
        await _change(transaction, second, archived=True)
        video = Video(project_id=DEFAULT_PROJECT, title="sent")
        transaction.add(video)
        await transaction.flush()
        for state in ("uploaded", "aborted"):
            upload = Upload(
                project_id=DEFAULT_PROJECT, video_id=video.id, state=state, protocol="tus",
                upload_token_id=first.token, expires_at=clock.now(),
            )  # fmt: skip
            transaction.add(upload)
        await transaction.flush()
        assert await file_requests.files(transaction, [first, second]) == {first.id: 1, second.id: 0}
        for archived, wanted in ((None, [first, second]), (True, [second]), (False, [first])):
            page = await file_requests.page(transaction, DEFAULT_PROJECT, archived, Paging())
            assert page.rows == wanted
        assert await file_requests.get(transaction, "pr2", first.id) is None
