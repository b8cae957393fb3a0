"""Videos as files: what was uploaded, and progressive MP4 of what is made of it.

    /vod/{id}[/token/{jwt}]/mp4/source.mp4      the file as it was uploaded; of a recording, its own quality as MP4;
                                                of a video that is shown otherwise, the best that is made of it
    /vod/{id}[/token/{jwt}]/mp4/{quality}.mp4   pictures of a rendition with sound: 720p.mp4, video.mp4, …
    /vod/{id}[/token/{jwt}]/mp4/audio.m4a       sound alone

`?dl=1` offers a file for download, under the video's title.
"""

import asyncio
import re
from pathlib import Path
from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from server import log
from server.errors import Problem
from server.media.containers import HEAD_BYTES, MATROSKA, MP4, container_of
from server.packager.presentation import AUDIO, VIDEO, Presentation, ShortReadError
from server.packager.qualities import extension, own_file
from server.vod.movies import BusyError, Film, Movies, NoFilmError
from server.web.hls import files, gate, vod
from server.web.hls.gate import WATCHING, Watch

MOVIES = web.AppKey("movies", Movies)

TYPES = {"mp4": "video/mp4", "m4a": "audio/mp4"}
# By container: type and extension with pictures, and without.
OF_SOURCES: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "MP4": (("video/mp4", "mp4"), ("audio/mp4", "m4a")),
    "QuickTime": (("video/quicktime", "mov"), ("video/quicktime", "mov")),
    "Matroska": (("video/x-matroska", "mkv"), ("audio/x-matroska", "mka")),
    "WebM": (("video/webm", "webm"), ("audio/webm", "weba")),
    "MPEG-TS": (("video/mp2t", "ts"), ("video/mp2t", "ts")),
    "MPEG-PS": (("video/mpeg", "mpg"), ("video/mpeg", "mpg")),
    "FLV": (("video/x-flv", "flv"), ("video/x-flv", "flv")),
    "AVI": (("video/x-msvideo", "avi"), ("video/x-msvideo", "avi")),
    "ASF": (("video/x-ms-wmv", "wmv"), ("audio/x-ms-wma", "wma")),
    "Ogg": (("video/ogg", "ogv"), ("audio/ogg", "ogg")),
    "WAV": (("audio/wav", "wav"), ("audio/wav", "wav")),
    "FLAC": (("audio/flac", "flac"), ("audio/flac", "flac")),
    "MP3": (("audio/mpeg", "mp3"), ("audio/mpeg", "mp3")),
    "AAC (ADTS)": (("audio/aac", "aac"), ("audio/aac", "aac")),
    "AMR": (("audio/amr", "amr"), ("audio/amr", "amr")),
    "AIFF": (("audio/aiff", "aiff"), ("audio/aiff", "aiff")),
    "CAF": (("audio/x-caf", "caf"), ("audio/x-caf", "caf")),
    "AU": (("audio/basic", "au"), ("audio/basic", "au")),
    "AC-3": (("audio/ac3", "ac3"), ("audio/ac3", "ac3")),
    "E-AC-3": (("audio/eac3", "eac3"), ("audio/eac3", "eac3")),
}
UNKNOWN = ("application/octet-stream", "bin")
QUICKTIME, WEBM = b"qt  ", b"webm"
MAX_NAME = 100  # characters of a title in a file name
WRITE_TIMEOUT_S = 60.0  # a client that takes nothing for so long is gone
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')

_log = log.get("vod")


async def source(request: web.Request) -> web.StreamResponse:
    """The uploaded file itself."""
    watch = await gate.enter(request, "video", starts=True)
    asset = watch.asset
    if not asset.playable or not asset.mp4:
        raise Problem("resource-not-found")
    presentation = await vod.presentation_of(request, watch)
    if asset.broadcast_id is None and not asset.altered:
        return await _uploaded(request, watch, presentation)
    gate.play(request, watch, _lines(presentation, own_file(presentation)) if presentation else 0)
    if asset.broadcast_id is not None:
        return await _film(request, watch, own_file(presentation) if presentation else VIDEO)
    if presentation is None or presentation.growing:
        return files.not_ready()
    return await _film(request, watch, own_file(presentation))


async def _uploaded(request: web.Request, watch: Watch, presentation: Presentation | None) -> web.StreamResponse:
    """The bytes as they came. Raises Problem."""
    gate.play(request, watch, _lines_of_file(watch, presentation))
    pictures = presentation is None or any(not name.startswith(AUDIO) for name in presentation.renditions)
    path = request.app[WATCHING].layout.video_source(watch.asset.material)
    try:
        type_, ending = await asyncio.to_thread(_described, path, pictures)
    except FileNotFoundError:
        raise Problem("resource-not-found", vod.GONE) from None
    return files.file_answer(path, type_, files.REVALIDATED, **_disposition(request, watch, "", ending))


async def movie(request: web.Request) -> web.StreamResponse:
    """A progressive file; 202 while the video has none yet but more is to come."""
    watch = await gate.enter(request, "video", starts=True)
    quality, ending = request.match_info["quality"], request.match_info["ending"]
    if not watch.asset.mp4 or ending != extension(quality):
        raise Problem("resource-not-found")
    if not watch.asset.playable:
        if watch.asset.state in vod.ENDED_BADLY:
            raise Problem("resource-not-found")
        return files.not_ready()
    presentation = await vod.presentation_of(request, watch) if watch.grant else None
    gate.play(request, watch, _lines(presentation, quality) if presentation else 0)
    return await _film(request, watch, quality)


def _lines_of_file(watch: Watch, presentation: Presentation | None) -> int:
    """Of the pictures in an uploaded file, which may be better than all that is shown of it: who is limited does not
    get what nothing is known of."""
    passed = presentation.lines(VIDEO) if presentation is not None and VIDEO in presentation.renditions else None
    known = [lines for lines in (watch.asset.lines, passed) if lines is not None]
    return max(known, default=vod.BETTER)


def _lines(presentation: Presentation, quality: str) -> int:
    """Of the pictures in a file; its name may tell the size of the source's own (server/packager/qualities.py)."""
    if quality in presentation.renditions:
        return presentation.lines(quality)
    return int(quality[:-1]) if quality[:-1].isdecimal() else 0


async def _film(request: web.Request, watch: Watch, quality: str) -> web.StreamResponse:
    asset = watch.asset
    movies = request.app[MOVIES]
    try:
        film = await movies.get(vod.stored_of(asset), asset.revision, asset.source or "upload", quality)
    except NoFilmError as error:
        if error.growing:
            return files.not_ready()
        raise Problem("resource-not-found", str(error)) from None
    except BusyError:
        raise Problem("unavailable", headers={hdrs.RETRY_AFTER: "5", hdrs.CACHE_CONTROL: files.NEVER}) from None
    except (OSError, ValueError, LookupError) as error:
        _log.error("a film can't be made", video=asset.id, quality=quality, reason=str(error))
        raise Problem("resource-not-found", vod.GONE) from error
    ending = extension(quality)
    label = "" if quality in (VIDEO, AUDIO) else f" {quality}"
    headers = {hdrs.CONTENT_TYPE: TYPES[ending], **_disposition(request, watch, label, ending)}
    return _answer(request, movies, film, headers)


def _answer(request: web.Request, movies: Movies, film: Film, headers: dict[str, str]) -> web.StreamResponse:
    """Whole, a range of it, or 304. Raises Problem."""
    etag = f'"{film.tag}"'
    headers |= {hdrs.CACHE_CONTROL: files.REVALIDATED, hdrs.ETAG: etag, hdrs.ACCEPT_RANGES: "bytes"}
    wanted = request.if_none_match
    if wanted and any(tag.value in (film.tag, "*") for tag in wanted):
        del headers[hdrs.CONTENT_TYPE]
        return web.Response(status=304, headers=headers)
    span = _span(request, film)
    status = 200
    if span != (0, film.size):
        status = 206
        headers[hdrs.CONTENT_RANGE] = f"bytes {span[0]}-{span[1] - 1}/{film.size}"
    return FilmAnswer(movies, film, span, status, headers)


def _span(request: web.Request, film: Film) -> tuple[int, int]:
    """The bytes that are wanted, from and to. Raises Problem."""
    if hdrs.RANGE not in request.headers or not files.range_holds(request, film.tag):
        return 0, film.size
    try:
        start, stop, _ = request.http_range.indices(film.size)
    except ValueError:
        return 0, film.size  # not understood: ignored (RFC 9110 14.2)
    if start >= stop:
        refusal: dict[str, str] = {hdrs.CONTENT_RANGE: f"bytes */{film.size}", hdrs.CACHE_CONTROL: files.NEVER}
        raise Problem("range-not-satisfiable", headers=refusal)
    return start, stop


class FilmAnswer(web.StreamResponse):
    """Bytes of a film, block by block as fast as the client takes them."""

    def __init__(
        self, movies: Movies, film: Film, span: tuple[int, int], status: int, headers: dict[str, str]
    ) -> None:
        super().__init__(status=status, headers=headers)
        self.content_length = span[1] - span[0]
        self._movies, self._film, self._span = movies, film, span

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        writer = await super().prepare(request)
        if writer is not None and request.method != hdrs.METH_HEAD:
            writer.send_headers()
            await self._send(request)
        return writer

    async def _send(self, request: web.BaseRequest) -> None:
        try:
            async for block in self._movies.body(self._film, *self._span):
                async with asyncio.timeout(WRITE_TIMEOUT_S):
                    await self.write(block)
        except (OSError, ShortReadError, TimeoutError) as error:
            if not isinstance(error, ConnectionError):
                _log.warning("a film broke off", video=self._film.stored.video_id, reason=str(error))
            if request.transport is not None:
                request.transport.abort()  # fewer bytes came than were promised: the client must not take it for all
            raise ConnectionResetError("the film broke off") from None


def _disposition(request: web.Request, watch: Watch, label: str, ending: str) -> dict[str, str]:
    """Where `?dl=1` asks for it, as which file it is to be kept (RFC 6266)."""
    if not request.query.get("dl"):
        return {}
    name = _UNSAFE.sub("_", watch.asset.title).strip(" .")[:MAX_NAME].strip() or "video"
    name = f"{name}{label}.{ending}"
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    extended = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{plain}"{extended}'}


def _described(path: Path, pictures: bool) -> tuple[str, str]:
    """Content type and extension of a source. Raises FileNotFoundError."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    container = container_of(head)
    if container is None:
        return UNKNOWN
    name = container.name
    if container is MP4 and head[8:12] == QUICKTIME:
        name = "QuickTime"
    elif container is MATROSKA and WEBM in head[:64]:
        name = "WebM"
    return OF_SOURCES.get(name, (UNKNOWN, UNKNOWN))[not pictures]


def add_routes(router: web.UrlDispatcher) -> None:
    for root in ("/vod/{id}", "/vod/{id}/token/{token}"):
        router.add_get(f"{root}/mp4/source.mp4", source)
        router.add_get(rf"{root}/mp4/{{quality:[a-z0-9-]{{1,32}}}}.{{ending:mp4|m4a}}", movie)
