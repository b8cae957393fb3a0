"""Uploads as requests: one with the whole file, or several with a part each, in any order and perhaps twice.

A request's bytes are staged under an upload id of their own, since a form may name its video after the file. Bound to
the video, they become its upload, or a part of the one that earlier parts began.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from server.catalog import uploads, videos
from server.catalog.database import Transaction
from server.catalog.models import Upload, Video
from server.catalog.undertakings import carried_on
from server.errors import Problem
from server.protocols.content_range import Piece, Pieces
from server.protocols.tus.metadata import Description
from server.storage.appender import uncancelled
from server.storage.parts import PartsMissing
from server.uploads import placement
from server.uploads.placement import Sender
from server.uploads.service import Uploads

JOINING_PATIENCE_S = 600.0  # another request of the same upload may be copying gigabytes
ENVELOPE_BYTES = 1 << 16  # what a form may have around its file


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes that have come and are on disk, but are not yet anybody's."""

    upload: Upload
    size: int


class SourceUploads:
    """Beside the uploads over tus, in the same store."""

    def __init__(self, service: Uploads) -> None:
        self._service = service
        self._files = service.files
        self._database = service.database

    async def check(self, sender: Sender, video_id: str, piece: Piece | None, replace: bool = False) -> None:
        """Refuses before any byte what would be refused after the last. Raises Problem as `bind`."""
        async with self._database.read() as transaction:
            video = await placement.own_video(transaction, sender, video_id)
            if await _come(transaction, sender, video, piece, replace) is not None:
                return
            if replace and video.state not in placement.WAITING:
                placement.check_replaceable(sender, video)
            else:
                await placement.waiting_video(transaction, sender, video_id)

    async def stage(
        self,
        sender: Sender,
        filename: str | None,
        expected: int | None,
        chunks: AsyncIterator[bytes],
        content_type: str | None = None,
    ) -> Staged:
        """Stores a request's file; `expected` bytes at most are announced. Raises Problem: 400 empty, 413, 415, 507."""
        sender.check_type(filename, content_type)
        limit = sender.limit(await self._service.limit(sender.project_id))
        if expected is not None and expected > limit + ENVELOPE_BYTES:
            raise Problem("uploaded-file-too-large", detail=f"At most {limit} bytes are taken.")
        await self._files.check_space(expected or 1)
        upload = self._service.row(sender, "request", filename)
        await self._files.create(upload.id)
        try:
            size = await self._files.append(upload.id, 0, chunks, limit)
            if size == 0:
                raise Problem("uploaded-file-empty")
        except BaseException as error:
            if not isinstance(error, Problem):
                self._service.numbers.broken.add(upload.protocol)
            await uncancelled(self._files.remove(upload.id))
            raise
        return Staged(upload, size)

    async def drop(self, staged: Staged) -> None:
        """The bytes are nobody's."""
        await uncancelled(self._files.remove(staged.upload.id))

    async def bind(
        self, sender: Sender, staged: Staged, video_id: str | None, piece: Piece | None, replace: bool = False
    ) -> Video:
        """Gives staged bytes to a video, a new one without `video_id`; the video as it is then. To `replace` the file
        that it has they go to a version of it.

        Raises Problem, and drops the bytes: 400 they don't fit to what came before or the video has a source,
        403, 404, 409, 413, 423.
        """
        try:
            return await uncancelled(carried_on(self._bind(sender, staged, video_id, piece, replace)))
        except BaseException:
            await uncancelled(self._drop_unless_owned(staged))
            raise

    async def recover(self, row: Upload) -> None:
        """Joins what a crash left apart, and finishes what is complete."""
        async with self._service.locks.hold(row.video_id, JOINING_PATIENCE_S):
            async with self._database.read() as transaction:
                fresh = await uploads.get(transaction, row.id)
            if fresh is not None:
                await self._join(fresh)

    async def _bind(
        self, sender: Sender, staged: Staged, video_id: str | None, piece: Piece | None, replace: bool
    ) -> Video:
        if video_id is None:
            video_id = await self._begin(sender, staged, None, piece)
        else:
            async with self._database.read() as transaction:
                video_id = (await placement.own_video(transaction, sender, video_id)).id
            async with self._service.locks.hold(video_id, JOINING_PATIENCE_S):
                await self._add(sender, staged, video_id, piece, replace)
        async with self._database.read() as transaction:
            return await placement.own_video(transaction, sender, video_id)

    async def _add(
        self, sender: Sender, staged: Staged, video_id: str, piece: Piece | None, replace: bool
    ) -> None:
        """Adds to what there is of the video."""
        async with self._database.write() as transaction:
            video = await placement.own_video(transaction, sender, video_id)
            come = await _come(transaction, sender, video, piece, replace)
            filled = video if come else await placement.to_fill(transaction, sender, video_id, replace)
            last = await uploads.of_video(transaction, filled.id)
        if come is not None:
            await self.drop(staged)
            await self._join(come)
        elif last is None or piece is None or last.parts is None or last.state not in uploads.OPEN:
            await self._begin(sender, staged, filled, piece)
        else:
            await self._go_on(sender, last.id, Pieces.from_row(last.parts), staged, piece)

    async def _begin(self, sender: Sender, staged: Staged, filled: Video | None, piece: Piece | None) -> str:
        """The staged bytes become an upload; the video's id."""
        upload, size = staged.upload, staged.size
        upload.received = size
        if piece is not None:
            upload.parts = Pieces.first(piece).with_piece(piece, size).to_row()
        whole = piece is None or piece.whole
        if whole:
            upload.length = size
        elif piece is not None:
            await self._files.adopt_part(upload.id, piece.key, upload.id)
        async with self._database.write() as transaction:
            video = await self._video(transaction, sender, filled, upload.filename)
            superseded = await placement.begin(transaction, video, upload)
            await uploads.move(transaction, upload, "uploading")
        self._service.numbers.begun.add(upload.protocol)
        await self._service.endings.supersede(superseded)
        if whole:
            await self._service.finish(upload.id, size)
        else:
            await self._join(upload)
        return video.id

    async def _video(
        self, transaction: Transaction, sender: Sender, filled: Video | None, filename: str | None
    ) -> Video:
        if filled is None:
            return await placement.new_video(transaction, sender, Description(filename=filename))
        return await placement.still_waiting(transaction, sender, filled.id)

    async def _go_on(
        self, sender: Sender, upload_id: str, before: Pieces, staged: Staged, piece: Piece
    ) -> None:
        """The staged bytes become a part of an upload that others began."""
        pieces = before.with_piece(piece, staged.size)
        await self._service.check_length(sender, pieces.bytes_received)
        # first the bytes, then the row that counts on them
        await self._files.adopt_part(upload_id, piece.key, staged.upload.id)
        async with self._database.write() as transaction:
            upload = await uploads.get(transaction, upload_id)
            if upload is None or upload.state not in uploads.OPEN:
                raise Problem("upload-gone")
            upload.parts, upload.received = pieces.to_row(), pieces.bytes_received
            upload.expires_at = self._service.expiry()
        await self._join(upload)

    async def _join(self, upload: Upload) -> None:
        """Moves parts into the data as their turn has come; finishes the upload with the last one."""
        if upload.parts is None or upload.state not in uploads.OPEN:
            return
        pieces = Pieces.from_row(upload.parts)
        prefix, total = pieces.prefix(), pieces.bytes_received
        size = await self._files.join_parts(upload.id, prefix) if prefix else 0
        if not pieces.complete:
            return
        if size == 0 and await self._files.source_size(upload.video_id) == total:
            size = total  # a crash came after the bytes moved to the video, and before the commit
        if size != total:
            raise PartsMissing
        await self._service.finish(upload.id, total)

    async def _drop_unless_owned(self, staged: Staged) -> None:
        async with self._database.read() as transaction:
            owned = await uploads.get(transaction, staged.upload.id) is not None
        if not owned:
            await self.drop(staged)


async def _come(
    transaction: Transaction, sender: Sender, video: Video, piece: Piece | None, replace: bool
) -> Upload | None:
    """The upload that has the piece already."""
    asked = [video]
    if replace:
        asked = (await videos.versions(transaction, video.id))[-1:] or asked
    for each in asked:
        last = await uploads.of_video(transaction, each.id)
        if last is not None and _has_come(sender, last, piece):
            return last
    return None


def _has_come(sender: Sender, last: Upload, piece: Piece | None) -> bool:
    """The piece is there already: its sender missed the answer."""
    if piece is None or last.parts is None or last.state not in (*uploads.OPEN, "uploaded"):
        return False
    if sender.token_id is not None and sender.token_id != last.upload_token_id:
        return False
    pieces = Pieces.from_row(last.parts)
    return pieces.unit == piece.unit and piece.key in pieces.received
