"""Uploads over tus.

The offset is what is on disk; a row's `received` is a hint for those who watch. Whoever looks at an upload whose bytes
are all there finishes it, so a crash between the last byte and the commit costs nothing.
"""

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from server import clock, ids, log
from server.catalog import partial_uploads, uploads
from server.catalog.database import Database
from server.catalog.keys import hashed
from server.catalog.models import Upload, Video
from server.catalog.sandboxes import Sandboxes
from server.errors import Problem
from server.protocols.tus import admission
from server.protocols.tus.checksum import Checksum
from server.protocols.tus.commands import Append, Create, Delete, Head
from server.protocols.tus.metadata import Description
from server.storage.appender import uncancelled
from server.storage.upload_files import UploadFiles
from server.uploads import placement
from server.uploads.endings import Endings, Enqueue
from server.uploads.locks import Hold, Locks
from server.uploads.numbers import Numbers
from server.uploads.placement import Sender
from server.uploads.rows import Rows

SECRET_BYTES = 16
HINT_S = 5.0  # how old the row's `received`, and its expiry, may get while bytes come
CONCAT = "concat"  # among the parts of an upload that is made of partial ones: its Upload-Concat

_log = log.get("uploads")


@dataclass(frozen=True, slots=True)
class Opened:
    """A new upload; the secret is told this once. A partial one has no video."""

    id: str
    secret: str
    video_id: str | None
    upload: admission.Upload


@dataclass(frozen=True, slots=True)
class Prepared:
    """An upload that has a file, and no row yet."""

    row: Upload
    secret: str


class Uploads:
    """All uploads of a data folder."""

    def __init__(
        self,
        database: Database,
        files: UploadFiles,
        enqueue: Enqueue,
        max_bytes: int,
        expiry_s: float,
        sandbox_bytes: int | None = None,
    ) -> None:
        """Of sandbox projects at most `sandbox_bytes` are taken."""
        self._sandboxes = Sandboxes(database)
        self._sandbox_bytes = max_bytes if sandbox_bytes is None else min(max_bytes, sandbox_bytes)
        self.max_bytes = max_bytes
        self.database = database
        self.files = files
        self.locks = Locks()
        self.numbers = Numbers()
        self._rows = Rows(database)
        self.endings = Endings(database, files, enqueue, self.numbers)
        self._expiry_s = expiry_s

    async def create(self, sender: Sender, command: Create) -> Opened:
        """A new upload and its video. Raises Problem: 404, 400 and 403 for its video, 413, 415, 507."""
        prepared = await self.prepare(sender, command)
        try:
            return await self.open(sender, prepared, command.description)
        except BaseException:
            await self.drop(prepared)
            raise

    async def prepare(self, sender: Sender, command: Create) -> Prepared:
        """The file of an upload to come, for `open` or `drop`; what a crash leaves is swept. Raises Problem: 413, 415,
        507."""
        await self.check_length(sender, command.length)
        sender.check_type(command.description.filename, command.description.filetype)
        await self.files.check_space(command.length or command.body_length or 1)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        upload = self.row(sender, "tus", command.description.filename)
        upload.length, upload.secret_hash = command.length, hashed(secret)
        upload.filetype, upload.meta = command.description.filetype, dict(command.pairs)
        await self.files.create(upload.id)
        return Prepared(upload, secret)

    async def open(self, sender: Sender, prepared: Prepared, wanted: Description) -> Opened:
        """It becomes a video's. Writes rows and no file, so it may be a part of a longer transaction. Raises Problem:
        404, 400 and 403 for its video."""
        upload = prepared.row
        video = await self.add(sender, upload, wanted)
        _log.info("upload created", upload=upload.id, video=upload.video_id, bytes=upload.length)
        return Opened(upload.id, prepared.secret, video.version_of or video.id, _view(upload, 0))

    async def drop(self, prepared: Prepared) -> None:
        """What could not be opened goes."""
        await uncancelled(self.files.remove(prepared.row.id))

    async def head(self, upload_id: str, secret: str) -> tuple[admission.Upload, dict[str, str]]:
        """Where the upload stands, and its metadata. Raises Problem: 404, 410, 423."""
        await self._authorise(upload_id, secret)
        async with self.locks.hold(upload_id):
            row, upload = await self._look(upload_id)
            admission.admit(Head(), upload)
        return upload, row.meta

    async def append(
        self, upload_id: str, secret: str, command: Append, chunks: AsyncIterator[bytes]
    ) -> admission.Upload:
        """Takes the chunks; where the upload stands then, all of it on disk.

        Raises Problem: 404, 409, 410, 413, 423, 507; 400 upload-taken-over when another request wanted the upload.
        """
        await self._authorise(upload_id, secret)
        async with self.locks.hold(upload_id) as hold:
            row, upload = await self._look(upload_id)
            write = admission.admit_append(command, upload, await self._limit_of(row))
            if upload.state == "uploaded":
                return upload
            await self.files.check_space(write.limit if write.length else command.body_length or 1)
            row = await self._note(row, upload.offset, write.length)
            size = await self._receive(row, write, chunks, hold, command.checksum)
            if size == write.length:
                await self.finish(upload_id, size)
                return admission.Upload("uploaded", size, size)
            return _view(row, size)

    async def settle(self, upload_id: str, secret: str, length: int) -> admission.Upload:
        """How long the file is, of which nothing was told. Raises Problem as `append`."""
        await self._authorise(upload_id, secret)
        async with self.locks.hold(upload_id):
            row, upload = await self._look(upload_id)
            write = admission.admit_append(Append(upload.offset, length, 0), upload, await self._limit_of(row))
            row = await self._note(row, upload.offset, write.length)
            return _view(row, upload.offset)

    async def whole(
        self, upload_id: str, secret: str, length: int | None, chunks: AsyncIterator[bytes]
    ) -> admission.Upload:
        """Takes all of the file at once, in place of what came before of one that is not whole; `length` None: until
        the chunks end.

        Raises Problem: 400 empty, 404, 410, 413, 423, 507; 400 upload-taken-over when another request wants it.
        """
        await self._authorise(upload_id, secret)
        async with self.locks.hold(upload_id) as hold:
            row, upload = await self._look(upload_id)
            write = admission.admit_whole(length, upload, await self._limit_of(row))
            if upload.state == "uploaded":
                return upload
            await self.files.check_space(length or 1)
            if upload.offset:
                await self.files.cut(upload_id, 0)
            row = await self._note(row, 0, length)
            size = await self._receive(row, write, chunks, hold, None)
            if size == 0:
                raise Problem("uploaded-file-empty")
            await self.finish(upload_id, size)
            return admission.Upload("uploaded", size, size)

    async def abort(self, upload_id: str, secret: str) -> None:
        """Gives the upload up. Raises Problem: 403 it has finished, 404, 410, 423."""
        await self._authorise(upload_id, secret)
        async with self.locks.hold(upload_id):
            _, upload = await self._look(upload_id)
            admission.admit(Delete(), upload)
            await uncancelled(self.endings.end(upload_id, "aborted"))

    async def expire(self, upload_id: str) -> None:
        """Ends an upload whose time is over, unless somebody writes it."""
        if self.locks.is_held(upload_id):
            return
        async with self.locks.hold(upload_id):
            row = await self._rows.get(upload_id)
            if row is not None and _state(row) == "expired":
                await uncancelled(self.endings.end(upload_id, "expired"))

    async def recover(self, row: Upload) -> None:
        """Finishes an upload that a crash left complete."""
        async with self.locks.hold(row.id):
            await self._look(row.id)

    async def finish(self, upload_id: str, size: int) -> None:
        """All bytes are there: they become the video's, and the job that looks at them is ordered."""
        await uncancelled(self.endings.finish(upload_id, size))

    async def limit(self, project_id: str) -> int:
        """Bytes that an upload of the project may have."""
        return self._sandbox_bytes if await self._sandboxes.has(project_id) else self.max_bytes

    async def limit_of(self, upload_id: str) -> int:
        """Bytes that it may have."""
        row = await self._rows.get(upload_id)
        return self.max_bytes if row is None else await self._limit_of(row)

    async def _limit_of(self, row: Upload) -> int:
        limit = await self.limit(row.project_id)
        return limit if row.max_bytes is None else min(limit, row.max_bytes)

    async def check_length(self, sender: Sender, length: int | None) -> None:
        """Raises Problem (413)."""
        limit = sender.limit(await self.limit(sender.project_id))
        if length is not None and length > limit:
            raise Problem("uploaded-file-too-large", detail=f"At most {limit} bytes are taken.")

    def view(self, row: Upload) -> admission.Upload:
        """The upload as its row has it."""
        return _view(row, row.received)

    def row(self, sender: Sender, protocol: str, filename: str | None) -> Upload:
        """A new row, not yet a video's."""
        return Upload(
            id=ids.new("up"),
            project_id=sender.project_id,
            protocol=protocol,
            filename=placement.base_name(filename),
            upload_token_id=sender.token_id,
            max_bytes=sender.terms.max_bytes if sender.terms else None,
            expires_at=self.expiry(),
        )

    def expiry(self) -> datetime:
        """When an upload that was heard of now expires."""
        return clock.now() + timedelta(seconds=self._expiry_s)

    async def add(
        self, sender: Sender, upload: Upload, wanted: Description, partials: Sequence[str] = ()
    ) -> Video:
        """The upload, made of those partial ones, becomes a video's: a new one's, or that which is wanted."""
        leaving: list[asyncio.Future[None]] = []
        async with self.database.write() as transaction:
            if wanted.video_id is None:
                video = await placement.new_video(transaction, sender, wanted)
            else:
                video = await placement.to_fill(transaction, sender, wanted.video_id, wanted.replace)
            superseded = await placement.begin(transaction, video, upload)
            for number, partial in enumerate(await partial_uploads.named(transaction, partials), 1):
                partial.upload_id, partial.number, partial.expires_at = upload.id, number, self.expiry()
            transaction.after_commit(lambda: leaving.append(self._begun(upload, superseded)))
        if leaving:  # none yet, where this is a part of what is committed later
            await asyncio.wait(leaving)
        return video

    def _begun(self, upload: Upload, superseded: Upload | None) -> asyncio.Future[None]:
        self.numbers.begun.add(upload.protocol)
        return self.endings.superseding(superseded)

    async def _authorise(self, upload_id: str, secret: str) -> None:
        """Raises Problem (404): to those who don't know the secret there is no such upload."""
        row = await self._rows.get(upload_id)
        known = row.secret_hash if row is not None and row.secret_hash else hashed("")
        if not hmac.compare_digest(known, hashed(secret)) or row is None or row.secret_hash is None:
            raise Problem("resource-not-found", detail="There is no such upload.")

    async def _look(self, upload_id: str) -> tuple[Upload, admission.Upload]:
        """The row, and where the upload stands; finished now if all bytes are there."""
        row = await self._rows.get(upload_id)
        if row is None:
            raise Problem("upload-gone")  # with its video
        if row.state not in uploads.OPEN or row.parts is not None:
            return row, _view(row, row.received)
        size = await self.files.size(upload_id)
        if size is None:  # a crash came after the bytes moved to the video, and before the commit
            size = await self.files.source_size(row.video_id)
            if size is None or size != row.length:
                raise Problem("upload-gone", detail="The bytes of the upload are lost.")
        if size == row.length:
            await self.finish(upload_id, size)
            return row, admission.Upload("uploaded", size, size)
        return row, _view(row, size)

    async def _receive(
        self,
        row: Upload,
        write: admission.Write,
        chunks: AsyncIterator[bytes],
        hold: Hold,
        checksum: Checksum | None,
    ) -> int:
        try:
            self.numbers.goes_on(row.id, write.offset, row.protocol)
            with hold.evictable():
                size = await self.files.append(row.id, write.offset, chunks, write.limit, checksum)
            self.numbers.came(row.id, row.protocol, whole=True)
            return size
        except Exception as error:
            self.numbers.came(row.id, row.protocol, whole=False)
            size = await self.files.size(row.id) or 0
            _log.info("upload interrupted", upload=row.id, bytes=size, reason=str(error) or type(error).__name__)
            await self._note(row, size, write.length)
            raise

    async def _note(self, row: Upload, size: int, length: int | None) -> Upload:
        """Brings the row up to date where that is due: its length at once, what has come now and then."""
        age_s = (clock.now() - row.updated_at).total_seconds()
        if row.state == "uploading" and row.length == length and age_s < HINT_S:
            return row
        async with self.database.write() as transaction:
            fresh = await uploads.get(transaction, row.id)
            if fresh is None or fresh.state not in uploads.OPEN:
                raise Problem("upload-gone")
            fresh.length, fresh.received, fresh.expires_at = length, size, self.expiry()
            fresh.updated_at = clock.now()
            if fresh.state == "created":
                await uploads.move(transaction, fresh, "uploading")
        return fresh

def _view(row: Upload, size: int) -> admission.Upload:
    """The upload as tus sees it."""
    state = _state(row)
    expires_at = row.expires_at if state in uploads.OPEN else None
    return admission.Upload(state, size, row.length, expires_at, (row.parts or {}).get(CONCAT))


def _state(row: Upload) -> admission.State:
    if row.state in uploads.OPEN and row.expires_at <= clock.now():
        return "expired"
    return cast(admission.State, row.state)
