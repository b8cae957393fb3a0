"""Live streams: `/live/{id}.m3u8` and what it leads to; requests that wait for a part wait here.

    /live/{id}.m3u8                        /live/{id}/token/{jwt}/{id}.m3u8
    /live/{id}/{broadcast}/{rendition}/…   /live/{id}/token/{jwt}/{id}/{broadcast}/{rendition}/…
        media.m3u8[?_HLS_msn=&_HLS_part=&_HLS_skip=]   init-<generation>.mp4   <msn>.m4s   <msn>.<part>.m4s
"""

import asyncio
import re

from aiohttp import hdrs, web

from server import clock
from server.errors import Problem
from server.ingest.on_air import OnAir
from server.packager.playlist import BLOCKED
from server.packager.presentation import NoQualityError
from server.packager.window import Window
from server.web.addresses import client_ip
from server.web.hls import files, gate, live_media, vod
from server.web.hls.gate import WATCHING, Watch, Watching
from server.web.hls.live_media import Ask, Growing, Later, Stored

_NEVER = re.compile(r"\s*q=0(\.0*)?\s*", re.IGNORECASE)

MEDIA_PATH = r"{broadcast:br\w+}/{rendition:[a-z0-9]+}/{file}"
OPEN_ROUTE = "/live/{id}/{broadcast}/{rendition}/{file}"  # as logs and metrics name them
TOKEN_ROUTE = "/live/{id}/token/{token}/{again}/{broadcast}/{rendition}/{file}"


async def master(request: web.Request) -> web.StreamResponse:
    """The multivariant playlist, 202 while nothing is on air or too little of it."""
    watch = await gate.enter(request, "live", starts=True, manifest=True)
    redirect = gate.redirect_to_session(request, watch, f"{request.match_info['id']}.m3u8")
    if redirect is not None:
        return redirect
    on_air = request.app[WATCHING].broadcasts.get(watch.asset.id)
    try:
        text = gate.offered(watch, lambda most: _listed(watch, on_air, most)) if on_air else None
    except NoQualityError:
        return none_so_low(request, watch)
    if text is None:
        return files.not_ready()
    return files.playlist(request, text, files.REVALIDATED)


def _listed(watch: Watch, on_air: OnAir, most: int | None) -> str | None:
    return on_air.packager.master(name=watch.asset.known_as, most=most)


def none_so_low(request: web.Request, watch: Watch) -> web.Response:
    """The answer where all pictures are better than the token allows. Raises Problem."""
    gate.play(request, watch, vod.BETTER)
    return files.not_ready()


async def media(request: web.Request) -> web.StreamResponse:
    """A playlist, init segment, segment or part of a broadcast; most are answered by `quick` before they come here."""
    watch = await gate.enter(request, "live")
    gate.play(request, watch)
    watching, match = request.app[WATCHING], request.match_info
    gzip = takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
    who = live_media.player(client_ip(request), request.headers.get(hdrs.USER_AGENT, ""), watch.token)
    ask = Ask(match["broadcast"], match["rendition"], match["file"], request.query, gzip, who)
    deadline: float | None = None
    with gate.counted(watching.door):
        while isinstance(found := live_media.find(watching.broadcasts, watch, ask), Later):
            deadline = deadline or clock.monotonic() + found.timeout_s
            await _next_version(watching, found.window, deadline)
    if isinstance(found, Stored):
        where = found.path, found.offset, found.size
        return await files.segment_answer(request, where, found.content_type, found.cache, found.etag)
    if isinstance(found, Growing):
        return await _as_it_grows(request, found)
    response = files.body_answer(request, found.body, found.content_type, found.cache, found.etag)
    if found.encoding:
        response.headers[hdrs.CONTENT_ENCODING] = found.encoding
    if found.varies:
        response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
    return response


async def _as_it_grows(request: web.Request, growing: Growing) -> web.StreamResponse:
    """Each part as it is made, up to the segment's end; cut off, and so seen as incomplete, when none comes."""
    watching, window, segment = request.app[WATCHING], growing.window, growing.segment
    headers = {hdrs.CACHE_CONTROL: growing.cache, hdrs.CONTENT_TYPE: growing.content_type}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    sent = 0
    while request.method != hdrs.METH_HEAD:
        deadline = clock.monotonic() + BLOCKED * window.target_duration_s
        while sent < len(segment.payloads):
            await response.write(segment.payloads[sent])
            sent += 1
        if window.open is not segment:
            break
        try:
            await _next_version(watching, window, deadline)
        except Problem:
            if request.transport is not None:
                request.transport.abort()
            break
    await response.write_eof()
    return response


def takes_gzip(accepted: str) -> bool:
    """What Accept-Encoding says of it (RFC 9110 12.5.3), as far as it is used."""
    for coding in accepted.split(","):
        name, _, quality = coding.partition(";")
        if name.strip().lower() == "gzip":
            return not _NEVER.fullmatch(quality)
    return False


async def _next_version(watching: Watching, window: Window, deadline: float) -> None:
    """Raises Problem unavailable (503) when the time is up."""
    if watching.stopping.is_set():
        raise stopping()
    changed = asyncio.Event()
    cancel = window.subscribe(changed.set)
    try:
        async with asyncio.timeout(deadline - clock.monotonic()):
            await changed.wait()
    except TimeoutError:
        raise waited_in_vain() from None
    finally:
        cancel()


def stopping() -> Problem:
    return Problem("unavailable", "The server is stopping.", headers={hdrs.RETRY_AFTER: "1"})


def waited_in_vain() -> Problem:
    return Problem("unavailable", "Nothing new came in time.", headers={hdrs.RETRY_AFTER: "1"})


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
    router.add_get(rf"/live/{{id:[^./]+}}/token/{{token}}/{{again:[^./]+}}/{MEDIA_PATH}", media)
    router.add_get(rf"/live/{{id:[^./]+}}/{MEDIA_PATH}", media)
