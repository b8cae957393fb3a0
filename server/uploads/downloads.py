"""One go at a file that is fetched: asks for what is missing, stores what comes, and tells what became of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from server import clock
from server.errors import Problem
from server.media.containers import HEAD_BYTES
from server.outbound.client import CallFailed, Outbound, Reason, Reply
from server.outbound.target import Target
from server.protocols import download
from server.protocols.download import Again, Refused, Restart, Take, Whole
from server.uploads import fetch_rows, fetched_content
from server.uploads.fetch_rows import Superseded
from server.uploads.service import Uploads

NOTE_S = 1.0  # how old the row's `received` may get: people watch it

CODES: Mapping[Reason, str] = {
    "forbidden": "source-forbidden-address",
    "bad-url": "source-url-invalid",
    "redirects": "source-redirects",
    "certificate": "source-certificate",
    "unresolved": "source-unreachable",
    "unreachable": "source-unreachable",
    "timeout": "source-unreachable",
    "broken": "source-unreachable",
}

Progress = Callable[[float], None]  # 0 to 1

Outcome = Again | Refused | None  # None: the file is whole, and has been finished


class Downloads:
    """All methods raise Superseded."""

    def __init__(self, service: Uploads, outbound: Outbound, timeout_s: float) -> None:
        self._service = service
        self._files = service.files
        self._database = service.database
        self._outbound = outbound
        self._timeout_s = timeout_s

    async def go(self, upload_id: str, progress: Progress) -> Outcome:
        """Fetches as much as comes."""
        row, fetch = await fetch_rows.begin(self._database, upload_id)
        if fetch.get("complete") and row.length is not None:
            await self._finish(upload_id, row.length)
            return None
        size = await self._files.size(upload_id)
        if size is None:
            await self._files.create(upload_id)
        left_s = self._timeout_s - (clock.wall_ms() - fetch["begun"]) / 1000
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                return await self._call(upload_id, fetch, size or 0, progress)
        except TimeoutError:
            return Refused("source-too-slow", f"The file was not there after {self._timeout_s:g} seconds.")

    async def size(self, upload_id: str) -> int:
        return await self._files.size(upload_id) or 0

    async def _call(self, upload_id: str, fetch: Mapping[str, Any], size: int, progress: Progress) -> Outcome:
        target, validator = Target.parse(fetch["url"]), fetch.get("validator")
        limit = await self._service.limit_of(upload_id)
        try:
            async with self._outbound.get(target, download.request(size, validator)) as reply:
                verdict = download.judge(reply.status, reply.headers, size, validator)
                if isinstance(verdict, Take):
                    if verdict.offset < size:
                        await self._cut(upload_id, verdict.offset)
                    return await self._take(upload_id, target, reply, verdict, limit, progress)
                return await self._follow(upload_id, size, verdict)
        except CallFailed as failure:
            code = CODES[failure.reason]
            return Refused(code, str(failure)) if failure.lasting else Again(code, str(failure))
        except Problem as problem:
            if problem.code == "uploaded-file-too-large":
                return _too_large(limit)
            return Again(problem.code, problem.detail or problem.row.title)

    async def _follow(self, upload_id: str, size: int, verdict: Whole | Restart | Again | Refused) -> Outcome:
        match verdict:
            case Whole():
                await self._complete(upload_id, size)
                return None
            case Restart():
                await self._cut(upload_id, 0)
                return Again("source-failing", "The source does not go on where it broke off.")
            case _:
                return verdict

    async def _take(
        self, upload_id: str, target: Target, reply: Reply, take: Take, limit: int, progress: Progress
    ) -> Outcome:
        """Stores an answer's body."""
        if take.length is not None and take.length > limit:
            return _too_large(limit)
        await self._files.check_space((take.length or take.offset + 1) - take.offset)
        await fetch_rows.note(self._database, upload_id, take.offset, take.length, validator=take.validator)
        async with aclosing(self._noted(upload_id, take, reply, progress)) as chunks:
            head = b""
            if take.offset == 0:
                head = await _beginning(chunks)
                refusal = fetched_content.refusal(head, target.host)
                if refusal is not None:
                    return refusal
            size = await self._files.append(upload_id, take.offset, _joined(head, chunks), limit - take.offset)
        if take.length is not None and size != take.length:
            return Again("source-failing", "The source sent another number of bytes than it had said.")
        await self._complete(upload_id, size)
        return None

    async def _noted(
        self, upload_id: str, take: Take, reply: Reply, progress: Progress
    ) -> AsyncGenerator[bytes]:
        """The chunks; how many bytes have come is noted now and then."""
        received, noted = take.offset, clock.monotonic()
        async for chunk in reply.chunks():
            yield chunk
            received += len(chunk)
            if clock.monotonic() - noted >= NOTE_S:
                await fetch_rows.note(self._database, upload_id, received)
                if take.length:
                    progress(min(1.0, received / take.length))
                noted = clock.monotonic()

    async def _cut(self, upload_id: str, size: int) -> None:
        """What is beyond is of another state of the file: it goes before the row takes the new one's validator."""
        await self._files.cut(upload_id, size)
        await fetch_rows.note(self._database, upload_id, size, validator=None)

    async def _complete(self, upload_id: str, size: int) -> None:
        # said first: a crash may come between the bytes' move to the video and the commit that tells of it
        await fetch_rows.note(self._database, upload_id, size, size, complete=True)
        await self._finish(upload_id, size)

    async def _finish(self, upload_id: str, size: int) -> None:
        try:
            await self._service.finish(upload_id, size)
        except Problem:  # the video doesn't wait for it any more
            raise Superseded from None


def _too_large(limit: int) -> Refused:
    return Refused("source-too-large", f"At most {limit} bytes are taken.")


async def _beginning(chunks: AsyncIterator[bytes]) -> bytes:
    """As much as tells what it is, or all."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= HEAD_BYTES:
            break
    return head


async def _joined(head: bytes, chunks: AsyncIterator[bytes] | None = None) -> AsyncIterator[bytes]:
    if head:
        yield head
    if chunks is not None:
        async for chunk in chunks:
            yield chunk
