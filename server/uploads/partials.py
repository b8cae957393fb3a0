"""Partial uploads: parts of a file that come side by side, and the upload that they are joined to.

    create ──► append … ──► whole ──► joined to an upload ──► expires
       └─────────┴───────────┴── given up, or expired

The row of the upload and the partial uploads' new owner commit together, and only then their bytes move, in the
background (`joins`). The first part's file becomes the data, the others are appended to it by the file system: what it
shares between files costs no copy.
"""

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from server import clock, ids, log
from server.catalog import partial_uploads, uploads, videos
from server.catalog.keys import hashed
from server.catalog.models import Upload
from server.catalog.undertakings import carried_on
from server.catalog.upload_models import PartialUpload
from server.errors import Problem
from server.protocols.content_range import Piece, Pieces
from server.protocols.tus import admission
from server.protocols.tus.commands import Append, Create, Delete, Head, Join
from server.protocols.tus.concatenation import PARTIAL, Partial
from server.storage.appender import uncancelled
from server.uploads.joins import Joins
from server.uploads.locks import Hold
from server.uploads.placement import Sender
from server.uploads.service import CONCAT, SECRET_BYTES, Opened, Uploads

ANSWER_S = 20.0  # that a sender waits for its parts to be joined; proxies give up after 60
PREFIX = "pu"
PROTOCOL = "tus"

_log = log.get("uploads")


class Partials:
    """Beside the uploads over tus, in the same store."""

    def __init__(self, service: Uploads, joins: Joins) -> None:
        self._service = service
        self._joins = joins
        self._files = service.files
        self._database = service.database

    async def create(self, sender: Sender, command: Create) -> Opened:
        """A new one, without a video. Raises Problem: 413, 507."""
        await self._service.check_length(sender, command.length)
        await self._files.check_space(command.length or command.body_length or 1)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        row = PartialUpload(
            id=ids.new(PREFIX),
            project_id=sender.project_id,
            secret_hash=hashed(secret),
            length=command.length,
            meta=dict(command.pairs),
            upload_token_id=sender.token_id,
            expires_at=self._service.expiry(),
        )
        await self._files.create(row.id)
        try:
            async with self._database.write() as transaction:
                await partial_uploads.add(transaction, row)
        except BaseException:
            await uncancelled(self._files.remove(row.id))
            raise
        return Opened(row.id, secret, None, await self._view(row))

    async def head(self, partial_id: str, secret: str) -> tuple[admission.Upload, dict[str, str]]:
        """Where it stands, and its metadata. Raises Problem: 404, 410, 423."""
        await self._authorised(partial_id, secret)  # who asks for the lock breaks off its holder
        async with self._service.locks.hold(partial_id):
            row = await self._authorised(partial_id, secret)
            upload = await self._view(row)
            admission.admit(Head(), upload)
        return upload, row.meta

    async def append(
        self, partial_id: str, secret: str, command: Append, chunks: AsyncIterator[bytes]
    ) -> admission.Upload:
        """As Uploads.append."""
        await self._authorised(partial_id, secret)
        async with self._service.locks.hold(partial_id) as hold:
            row = await self._authorised(partial_id, secret)
            upload = await self._view(row)
            write = admission.admit_append(command, upload, await self._service.limit(row.project_id))
            if upload.state == "uploaded":
                return upload
            await self._files.check_space(write.limit if write.length else command.body_length or 1)
            row = await self._note(row, write.length)
            try:
                size = await self._receive(row, write, command, chunks, hold)
            finally:  # the bytes may have come for longer than an upload lasts that nobody goes on with
                row = await uncancelled(self._note(row, write.length))
        return _view(row, size)

    async def abort(self, partial_id: str, secret: str) -> None:
        """Raises Problem: 403 it is joined, 404, 410, 423."""
        await self._authorised(partial_id, secret)
        async with self._service.locks.hold(partial_id):
            row = await self._authorised(partial_id, secret)
            if row.upload_id is not None:
                admission.admit(Delete(), await self._view(row))
            await uncancelled(self._remove(partial_id))

    async def join(self, sender: Sender, command: Join) -> Opened:
        """The upload that they make; `uploaded` unless that takes more than ANSWER_S. Asked again, the same one.

        Raises Problem: 404 for a partial upload or the video, 409 one is not whole or belongs elsewhere, 413, 423,
        507, and as Uploads.create for the video.
        """
        await self._all_of(sender, command.partials)  # who asks for the locks breaks off their holders
        async with AsyncExitStack() as stack:
            for partial_id in sorted(partial.id for partial in command.partials):
                await stack.enter_async_context(self._service.locks.hold(partial_id))
            rows = await self._all_of(sender, command.partials)
            secret = secrets.token_urlsafe(SECRET_BYTES)
            upload_id = await self._joined_before(rows, secret)
            if upload_id is None:
                upload_id = await uncancelled(carried_on(self._begin(sender, command, rows, secret)))
        upload = await self._joined(upload_id)
        video_id = await self._video_of(upload)
        return Opened(upload.id, secret, video_id, self._service.view(upload))

    async def sweep(self) -> int:
        """Those whose time is over go; how many."""
        async with self._database.read() as transaction:
            listed = await partial_uploads.expired(transaction, clock.now())
        return sum([await self._expire(partial_id) for partial_id in listed])

    async def _expire(self, partial_id: str) -> bool:
        """Removes it unless somebody writes it, or went on with it or joined it since it was listed; whether."""
        if self._service.locks.is_held(partial_id):
            return False
        async with self._service.locks.hold(partial_id):
            async with self._database.read() as transaction:
                over = await partial_uploads.is_expired(transaction, partial_id, clock.now())
            if over:
                await uncancelled(self._remove(partial_id))
        return over

    async def alive(self, partial_id: str) -> bool:
        """Whether the bytes are a partial upload's."""
        async with self._database.read() as transaction:
            return await partial_uploads.get(transaction, partial_id) is not None

    async def _authorised(self, partial_id: str, secret: str) -> PartialUpload:
        """Raises Problem (404): to those who don't know the secret there is no such upload."""
        async with self._database.read() as transaction:
            row = await partial_uploads.get(transaction, partial_id)
        known = row.secret_hash if row is not None else hashed("")
        if not hmac.compare_digest(known, hashed(secret)) or row is None:
            raise Problem("resource-not-found", detail="There is no such upload.")
        return row

    async def _view(self, row: PartialUpload) -> admission.Upload:
        """Where it stands by what is on disk."""
        if row.upload_id is not None:
            return _view(row, row.length or 0)
        size = await self._files.size(row.id)
        if size is None:
            raise Problem("upload-gone", detail="The bytes of the upload are lost.")
        return _view(row, size)

    async def _note(self, row: PartialUpload, length: int | None) -> PartialUpload:
        """It was heard of."""
        async with self._database.write() as transaction:
            fresh = await partial_uploads.get(transaction, row.id)
            if fresh is None:
                raise Problem("upload-gone")
            fresh.length, fresh.expires_at = length, self._service.expiry()
        return fresh

    async def _receive(
        self, row: PartialUpload, write: admission.Write, command: Append, chunks: AsyncIterator[bytes], hold: Hold
    ) -> int:
        numbers = self._service.numbers
        numbers.goes_on(row.id, write.offset, PROTOCOL)
        try:
            with hold.evictable():
                size = await self._files.append(
                    row.id, write.offset, chunks, write.limit, command.checksum, watched=False
                )
        except Exception:
            numbers.came(row.id, PROTOCOL, whole=False)
            raise
        numbers.came(row.id, PROTOCOL, whole=True)
        return size

    async def _remove(self, partial_id: str) -> None:
        async with self._database.write() as transaction:
            await partial_uploads.remove(transaction, partial_id)
        await self._files.remove(partial_id)

    async def _all_of(self, sender: Sender, partials: Sequence[Partial]) -> list[PartialUpload]:
        """Raises Problem (404) where one is not the sender's."""
        rows = []
        for partial in partials:
            row = await self._authorised(partial.id, partial.secret)
            if (row.project_id, row.upload_token_id) != (sender.project_id, sender.token_id):
                raise Problem("resource-not-found", detail="There is no such upload.", name="Upload-Concat")
            rows.append(row)
        return rows

    async def _joined_before(self, rows: Sequence[PartialUpload], secret: str) -> str | None:
        """The upload that just these make already: its sender missed the answer, so the secret is another now."""
        wanted = {row.upload_id for row in rows}
        if wanted == {None}:
            return None
        (upload_id,) = wanted if len(wanted) == 1 else (None,)
        async with self._database.write() as transaction:
            upload = await uploads.get(transaction, upload_id) if upload_id else None
            made_of = await partial_uploads.of_upload(transaction, upload_id) if upload_id else []
            if upload is None or [row.id for row in made_of] != [row.id for row in rows]:
                raise Problem("conflict", detail="A partial upload belongs to another upload.", name="Upload-Concat")
            if upload.state not in (*uploads.OPEN, "uploaded"):
                raise Problem("upload-gone", name="Upload-Concat")
            upload.secret_hash = hashed(secret)
        return upload.id

    async def _begin(self, sender: Sender, command: Join, rows: Sequence[PartialUpload], secret: str) -> str:
        """The upload's row, and its parts'; the upload's id."""
        sizes = [await self._whole(row) for row in rows]
        await self._service.check_length(sender, sum(sizes))
        await self._files.check_space(max(sizes[1:], default=0))
        upload = self._service.row(sender, PROTOCOL, command.description.filename)
        upload.filetype, upload.meta, upload.secret_hash = (
            command.description.filetype, dict(command.pairs), hashed(secret),
        )  # fmt: skip
        upload.length = upload.received = sum(sizes)
        upload.parts = {**_pieces(sizes).to_row(), CONCAT: command.concat}
        await self._service.add(sender, upload, command.description, [row.id for row in rows])
        _log.info("partial uploads joined", upload=upload.id, parts=len(rows), bytes=upload.length)
        return upload.id

    async def _whole(self, row: PartialUpload) -> int:
        """Its bytes. Raises Problem: 409, 410."""
        view = await self._view(row)
        admission.admit(Head(), view)
        if view.state != "uploaded":
            raise Problem("upload-unfinished", name="Upload-Concat")
        return view.offset

    async def _joined(self, upload_id: str) -> Upload:
        """The upload's row once it is whole, or as far as it has come in ANSWER_S. Raises Problem, OSError."""
        row = await self._row(upload_id)
        if row.state in uploads.OPEN:
            done, _ = await asyncio.wait([self._joins.begin(upload_id)], timeout=ANSWER_S)
            for each in done:
                if not each.cancelled():  # or the server stops, and goes on with it when it is back
                    each.result()
        return await self._row(upload_id)

    async def _row(self, upload_id: str) -> Upload:
        async with self._database.read() as transaction:
            row = await uploads.get(transaction, upload_id)
        if row is None:
            raise Problem("upload-gone")
        return row

    async def _video_of(self, upload: Upload) -> str:
        """The video that the sender knows."""
        async with self._database.read() as transaction:
            video = await videos.find(transaction, upload.video_id)
        return (video.version_of if video else None) or upload.video_id


def _pieces(sizes: Sequence[int]) -> Pieces:
    pieces = Pieces("part", len(sizes), {})
    for number, size in enumerate(sizes, 1):
        pieces = pieces.with_piece(Piece("part", number, len(sizes)), size)
    return pieces


def _view(row: PartialUpload, size: int) -> admission.Upload:
    if row.upload_id is None and row.expires_at <= clock.now():
        state: admission.State = "expired"
    elif size == row.length:
        state = "uploaded"
    else:
        state = "uploading" if size else "created"
    upload = admission.Upload(state, size, row.length, row.expires_at, PARTIAL)
    return replace(upload, expires_at=None) if row.upload_id is not None else upload
