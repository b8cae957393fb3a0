"""Bytes and files as answers: ranges, ETags, and how long a cache may keep what.

    IMMUTABLE     the URL holds a revision or a broadcast: what it names never changes
    REVALIDATED   may change at any time: kept, but asked for again each time
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from server.errors import Problem
from server.web.hls.gate import WATCHING, Watch

PLAYLIST = "application/vnd.apple.mpegurl"
JPEG = "image/jpeg"

Bytes = bytes | bytearray

YEAR_S = 31_536_000
SMALL = 16 << 10  # bytes that are cheaper to copy than to send by themselves
REVALIDATED = "no-cache"
NEVER = "no-store"


def segment_type(rendition: str) -> str:
    """The content type of a rendition's segments, by its name: audio, audio2, …; all others are pictures."""
    return "audio/mp4" if rendition.startswith("audio") else "video/mp4"


def immutable(watch: Watch) -> str:
    """A shared cache may keep a private asset's bytes only if it asks us first; it says so by its own set-up."""
    seconds = watch.zone.segment_s
    if seconds is not None:
        return brief(watch, seconds)
    return f"{'public' if watch.asset.shared else 'private'}, max-age={YEAR_S}, immutable"


def of_manifest(watch: Watch, *, growing: bool) -> str:
    """Of what lists the renditions of a video."""
    seconds = watch.zone.playlist_s
    return REVALIDATED if growing or not seconds else brief(watch, seconds)


def brief(watch: Watch, seconds: int) -> str:
    return f"{'public' if watch.asset.shared else 'private'}, max-age={seconds}"


def playlist(request: web.Request, text: str | bytes, cache: str, etag: str | None = None) -> web.StreamResponse:
    """A playlist's text."""
    body = text.encode() if isinstance(text, str) else text
    return body_answer(request, body, PLAYLIST, cache, etag)


class PiecesAnswer(web.StreamResponse):
    """Large bytes, sent as they are: an ordinary response joins its body to its headers, a copy for each viewer."""

    def __init__(self, pieces: Sequence[Bytes], headers: Mapping[str, str]) -> None:
        super().__init__(headers=headers)
        self.content_length = sum(map(len, pieces))
        self._pieces = pieces

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        writer = await super().prepare(request)
        if writer is not None and request.method != hdrs.METH_HEAD:
            writer.send_headers()
            for piece in self._pieces:
                await self.write(piece)
        return writer


def body_answer(
    request: web.Request, body: Bytes | Sequence[Bytes], content_type: str, cache: str, etag: str | None = None
) -> web.StreamResponse:
    """Bytes in memory, whole, as one range, or as 304. `etag` without its quotes; with it ranges are offered."""
    headers: dict[str, str] = {hdrs.CACHE_CONTROL: cache, hdrs.CONTENT_TYPE: content_type}
    if etag is None:
        return _whole(body, headers)
    headers[hdrs.ETAG] = f'"{etag}"'
    wanted = request.if_none_match
    if wanted and any(tag.value in (etag, "*") for tag in wanted):
        return web.Response(status=304, headers={hdrs.CACHE_CONTROL: cache, hdrs.ETAG: headers[hdrs.ETAG]})
    headers[hdrs.ACCEPT_RANGES] = "bytes"
    if hdrs.RANGE in request.headers and range_holds(request, etag):
        return _range(request, _joined(body), headers)
    return _whole(body, headers)


def _whole(body: Bytes | Sequence[Bytes], headers: Mapping[str, str]) -> web.StreamResponse:
    pieces = [body] if isinstance(body, bytes | bytearray) else body
    if sum(map(len, pieces)) > SMALL:
        return PiecesAnswer(pieces, headers)
    return web.Response(body=_joined(body), headers=headers)


def _joined(body: Bytes | Sequence[Bytes]) -> Bytes:
    return body if isinstance(body, bytes | bytearray) else b"".join(body)


async def segment_answer(
    request: web.Request, where: tuple[Path, int, int | None], content_type: str, cache: str, etag: str
) -> web.StreamResponse:
    """A stored segment, or `where` = (path, offset, size) of it. Raises Problem when it isn't there.

    Read whole, in one hop to a thread: uvloop has no sendfile, and a few MiB are less work at once than in pieces.
    """
    try:
        body = await request.app[WATCHING].presentations.run(_read, *where)
    except OSError:  # it left the window while we looked
        raise Problem("resource-not-found", headers={hdrs.CACHE_CONTROL: NEVER}) from None
    return body_answer(request, body, content_type, cache, etag)


def _read(path: Path, offset: int, size: int | None) -> bytes:
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        return file.read(-1 if size is None else size)


def range_holds(request: web.Request, etag: str) -> bool:
    """A range of something that changed meanwhile is answered whole (RFC 9110 13.1.5)."""
    condition = request.headers.get(hdrs.IF_RANGE)
    return condition is None or condition == f'"{etag}"'


def _range(request: web.Request, body: bytes | bytearray, headers: dict[str, str]) -> web.Response:
    try:
        wanted = request.http_range
    except ValueError:
        return web.Response(body=body, headers=headers)  # not understood: ignored (RFC 9110 14.2)
    start, stop, _ = wanted.indices(len(body))
    if start >= stop:
        raise Problem("range-not-satisfiable", headers={hdrs.CONTENT_RANGE: f"bytes */{len(body)}"})
    headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{len(body)}"
    return web.Response(status=206, body=body[start:stop], headers=headers)


class FileAnswer(web.FileResponse):
    """That a file is not there, or not so long, is found out while the answer is made: that must not be kept."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        condition = request.headers.get(hdrs.IF_RANGE, "")
        if condition.startswith(('"', "W/")) and condition != _tag_of(self._path):
            # the base knows dates only: it would send a range of what has changed meanwhile (RFC 9110 13.1.5)
            headers = request.headers.copy()
            headers.popall(hdrs.RANGE, None)
            request = request.clone(headers=headers)
        return await super().prepare(request)

    def set_status(self, status: int, reason: str | None = None) -> None:
        super().set_status(status, reason)
        if status >= 400:
            self.headers[hdrs.CACHE_CONTROL] = NEVER


def _tag_of(path: Path) -> str | None:
    """The ETag that the base gives a file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return f'"{found.st_mtime_ns:x}-{found.st_size:x}"'


def file_answer(path: Path, content_type: str, cache: str, **headers: str) -> web.StreamResponse:
    """A file as it lies on disk, with ranges and its own ETag. Raises Problem when it isn't there."""
    if not path.is_file():  # asked here, where the answer can still be in the one error shape
        raise Problem("resource-not-found", headers={hdrs.CACHE_CONTROL: NEVER})
    return FileAnswer(path, headers={hdrs.CONTENT_TYPE: content_type, hdrs.CACHE_CONTROL: cache, **headers})


def etag_of(body: bytes) -> str:
    """Of a manifest, which is small and may change for several reasons."""
    return hashlib.blake2s(body, digest_size=12).hexdigest()


def not_ready(retry_after_s: int = 1) -> web.Response:
    """202 with an empty body: it will be there, ask again."""
    return web.Response(
        status=202, headers={hdrs.RETRY_AFTER: str(retry_after_s), hdrs.CACHE_CONTROL: NEVER}
    )
