"""Live streams: `/live/{id}.m3u8` and what it leads to; requests that wait for a part wait here.

    /live/{id}.m3u8                        /live/{id}/token/{jwt}/{id}.m3u8
    /live/{id}/{broadcast}/{rendition}/…   /live/{id}/token/{jwt}/{id}/{broadcast}/{rendition}/…
        media.m3u8[?_HLS_msn=&_HLS_part=&_HLS_skip=]   init-<generation>.mp4   <msn>.m4s   <msn>.<part>.m4s
"""

import asyncio
import re
from collections.abc import Callable

from aiohttp import hdrs, web

from server import clock
from server.errors import Problem
from server.ingest.on_air import OnAir
from server.packager import playlist
from server.packager.playlist import Refuse, Serve
from server.packager.presentation import MEDIA_PLAYLIST
from server.packager.rendition import InMemory, Media, Rendition
from server.packager.window import Window
from server.web.hls import files, gate
from server.web.hls.gate import WATCHING, Watch, Watching

_INIT = re.compile(r"init-(\d{1,6})\.mp4", re.ASCII)
_SEGMENT = re.compile(r"(\d{1,9})\.m4s", re.ASCII)
_PART = re.compile(r"(\d{1,9})\.(\d{1,4})\.m4s", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_NEVER = re.compile(r"\s*q=0(\.0*)?\s*", re.IGNORECASE)

# "successful responses to blocking Playlist requests … caches for six Target Durations" (RFC 8216bis 6.2.5.2, B.1)
BLOCKED_KEPT = 6  # target durations
POLLED_KEPT_S = 1  # a playlist that did not wait is stale with the next part


async def master(request: web.Request) -> web.StreamResponse:
    """The multivariant playlist, 202 while nothing is on air or too little of it."""
    watch = await gate.enter(request, "live")
    redirect = gate.redirect_to_session(request, watch, f"{request.match_info['id']}.m3u8")
    if redirect is not None:
        return redirect
    on_air = request.app[WATCHING].broadcasts.get(watch.asset.id)
    text = on_air.packager.master() if on_air else None
    if text is None:
        return files.not_ready()
    return files.playlist(request, text, files.REVALIDATED)


async def media(request: web.Request) -> web.StreamResponse:
    """A playlist, init segment, segment or part of a broadcast."""
    watch = await gate.enter(request, "live")
    on_air, rendition = _rendition(request, watch)
    name = request.match_info["file"]
    if name == MEDIA_PLAYLIST:
        return await _playlist(request, watch, rendition)
    cache = files.immutable(watch)
    content_type = files.SEGMENT_TYPES[request.match_info["rendition"]]
    etag = f"{on_air.broadcast_id}-{request.match_info['rendition']}-{name}"
    described = (content_type, cache, etag)
    if found := _PART.fullmatch(name):
        msn, part = int(found[1]), int(found[2])
        await _hinted(request.app[WATCHING], rendition.window, msn, part)
        return await _answer(request, rendition.part(msn, part), described)
    if found := _SEGMENT.fullmatch(name):
        return await _answer(request, rendition.segment(int(found[1])), described)
    if (found := _INIT.fullmatch(name)) and (init := rendition.init(int(found[1]))):
        return files.body_answer(request, init, content_type, cache, etag)
    raise Problem("resource-not-found")


def _rendition(request: web.Request, watch: Watch) -> tuple[OnAir, Rendition]:
    on_air = request.app[WATCHING].broadcasts.get(watch.asset.id)
    if on_air is None or on_air.broadcast_id != request.match_info["broadcast"]:
        raise Problem("resource-not-found", "The broadcast has ended.")
    rendition = on_air.packager.renditions.get(request.match_info["rendition"])
    if rendition is None:
        raise Problem("resource-not-found")
    return on_air, rendition


# --- playlists


async def _playlist(request: web.Request, watch: Watch, rendition: Rendition) -> web.StreamResponse:
    msn, part = _count(request, "_HLS_msn"), _count(request, "_HLS_part")
    window = rendition.window
    decision = playlist.decide(window, msn, part)
    if isinstance(decision, Refuse):
        raise Problem("request-invalid-query-parameter", decision.reason, name="_HLS_msn")
    if not isinstance(decision, Serve):
        await _until(
            request.app[WATCHING],
            window,
            lambda: isinstance(playlist.decide(window, msn, part), Serve),
            decision.timeout_s,
        )
    gzipped = _takes_gzip(request)
    delta = request.query.get("_HLS_skip") in ("YES", "v2")
    kept_s = POLLED_KEPT_S if msn is None else BLOCKED_KEPT * window.target_duration_s
    response = files.playlist(
        request, rendition.playlist.text(delta=delta, gzipped=gzipped), files.brief(watch, kept_s)
    )
    if gzipped:
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
    return response


def _takes_gzip(request: web.Request) -> bool:
    """RFC 9110 12.5.3, as far as it is used."""
    for coding in request.headers.get(hdrs.ACCEPT_ENCODING, "").split(","):
        name, _, quality = coding.partition(";")
        if name.strip().lower() == "gzip":
            return not _NEVER.fullmatch(quality)
    return False


def _count(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not _COUNT.fullmatch(text):
        raise Problem("request-invalid-query-parameter", f"{name} is no number", name=name)
    return int(text)


async def _until(watching: Watching, window: Window, holds: Callable[[], bool], timeout_s: float) -> None:
    """Waits through versions of the window. Raises Problem unavailable (503) when the time is up."""
    deadline = clock.monotonic() + timeout_s
    loop = asyncio.get_running_loop()
    while not holds():
        if watching.stopping.is_set():
            raise Problem("unavailable", "The server is stopping.", headers={hdrs.RETRY_AFTER: "1"})
        changed = loop.create_future()
        cancel = window.subscribe(lambda changed=changed: changed.done() or changed.set_result(None))  # type: ignore[misc]
        try:
            async with asyncio.timeout(deadline - clock.monotonic()):
                await changed
        except TimeoutError:
            raise Problem("unavailable", "Nothing new came in time.", headers={hdrs.RETRY_AFTER: "1"}) from None
        finally:
            cancel()


# --- bytes


async def _hinted(watching: Watching, window: Window, msn: int, part: int) -> None:
    """Waits for a part that the playlist's preload hint names."""
    if _is_next(window, msn, part):
        timeout_s = playlist.BLOCKED * window.target_duration_s
        await _until(watching, window, lambda: not _is_next(window, msn, part), timeout_s)


def _is_next(window: Window, msn: int, part: int) -> bool:
    if msn != window.next_msn or window.ended:
        return False
    return part == (len(window.open.parts) if window.open else 0)


async def _answer(request: web.Request, found: Media | None, described: tuple[str, str, str]) -> web.StreamResponse:
    """The newest bytes come from memory, older ones from their file."""
    content_type, cache, etag = described
    if found is None:
        raise Problem("resource-not-found", headers={hdrs.CACHE_CONTROL: files.NEVER})
    if isinstance(found, InMemory):
        return files.body_answer(request, found.data, content_type, cache, etag)
    return await files.segment_answer(request, (found.path, found.offset, found.size), content_type, cache, etag)


async def let_go(app: web.Application) -> None:
    """The server stops: who waits for a part is answered now, or it would wait for him."""
    watching = app[WATCHING]
    watching.stopping.set()
    for on_air in watching.broadcasts.all():
        for rendition in on_air.packager.renditions.values():
            rendition.window.publish()


def add_routes(router: web.UrlDispatcher) -> None:
    router.add_get(r"/live/{id:[^./]+}.m3u8", master)
    router.add_get(r"/live/{id:[^./]+}/token/{token}/{again:[^./]+}.m3u8", master)
    media_path = r"{broadcast:br\w+}/{rendition:video|audio}/{file}"
    router.add_get(rf"/live/{{id:[^./]+}}/token/{{token}}/{{again:[^./]+}}/{media_path}", media)
    router.add_get(rf"/live/{{id:[^./]+}}/{media_path}", media)
