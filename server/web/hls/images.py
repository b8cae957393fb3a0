"""Images of what is watched.

    /vod/{id}[/token/{jwt}]/thumbnail.{jpg,webp}      the poster; ?time=&exact=1: the picture at a time, the nearest key
                                                      frame by default; ?width=&height=&fit= in another size
    /vod/{id}[/token/{jwt}]/poster/{xs,sm,md,lg}.{jpg,webp}
    /vod/{id}[/token/{jwt}]/storyboard.{vtt,json,jpg,webp}
    /vod/{id}[/token/{jwt}]/animated.{gif,webp,mp4}   ?start=&end=&width=&height=&fit=&fps=
    /live/{id}[/token/{jwt}]/thumbnail.{jpg,webp}     its owner's picture or the newest; ?width=&height=&fit=

They are made when they are first asked for. A URL of ours that holds the revision (`?v=`) never changes.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import aiofiles
from aiohttp import hdrs, web

from server.errors import Problem
from server.ingest.on_air import OnAir
from server.media.fitting import Box
from server.packager.presentation import VIDEO
from server.packager.rendition import InMemory, Media, Rendition
from server.vod import images, orders, storyboards
from server.vod.images import BusyError, Images, NoImageError, Subject
from server.vod.orders import Order
from server.web.addresses import client_ip
from server.web.hls import files, gate, vod
from server.web.hls.gate import IMAGE_AUDIENCES, WATCHING, Watch
from server.web.hls.image_query import (
    ANIMATED_DEFAULT_S,
    ANIMATED_S,
    AnimatedQuery,
    ThumbnailQuery,
    Versioned,
    parsed,
)
from server.web.rates import Rates, refusal

LIVE_KEPT_S = 10
BUSY_S = 2  # after which somebody may come again
# Widths of posters, pixels: from a list's thumbnail to a player's.
POSTERS = {"xs": 160, "sm": 320, "md": 640, "lg": 1280}
TYPES = {
    "jpg": files.JPEG,
    "webp": "image/webp",
    "gif": "image/gif",
    "mp4": "video/mp4",
    "json": "application/json",
    "vtt": "text/vtt; charset=utf-8",
}
UNFINISHED = ("pending", "uploading", "pre-processing", "processing")


@dataclass(frozen=True, slots=True)
class Desk:
    """Makes images, for each client so many a minute."""

    images: Images
    rates: Rates


IMAGES = web.AppKey("images", Desk)


async def video(request: web.Request) -> web.StreamResponse:
    """The video's poster, or its picture at a time."""
    watch = await gate.enter(request, "video", IMAGE_AUDIENCES)
    query, output = parsed(request, ThumbnailQuery), request.match_info["output"]
    if query.time is None:
        if not _has_poster(watch):
            return files.not_ready()
        if query.plain and output == "jpg":
            path = request.app[WATCHING].layout.video_poster(watch.asset.poster_of)
            return files.file_answer(path, files.JPEG, files.REVALIDATED)
        return await _answer(request, watch, query.v, orders.poster(output, query.box), output)
    if not _watchable(watch):
        return files.not_ready()
    at_s = min(query.time, _duration_s(watch))
    return await _answer(request, watch, query.v, orders.thumbnail(output, at_s, query.box, query.exact), output)


async def poster(request: web.Request) -> web.StreamResponse:
    """The poster in one of four sizes."""
    watch = await gate.enter(request, "video", IMAGE_AUDIENCES)
    output, box = request.match_info["output"], Box(POSTERS[request.match_info["size"]])
    if not _has_poster(watch):
        return files.not_ready()
    query = parsed(request, Versioned)
    return await _answer(request, watch, query.v, orders.poster(output, box), output)


async def storyboard(request: web.Request) -> web.StreamResponse:
    """Sheets, and what is on them as WebVTT or as Mux's JSON."""
    watch = await gate.enter(request, "video", IMAGE_AUDIENCES)
    query, output = parsed(request, Versioned), request.match_info["output"]
    if not _watchable(watch):
        return files.not_ready()
    order = orders.storyboard(_duration_s(watch))
    if output in ("jpg", "webp"):
        return await _answer(request, watch, query.v, order, output)
    key, data = await _found(request, watch, order, "json")
    told, duration_s = json.loads(data), _duration_s(watch)
    sheet = f"storyboard.jpg?v={watch.asset.revision}"
    if output == "vtt":
        body = storyboards.webvtt(told, order.make["times"], duration_s, sheet).encode()
    else:
        body = storyboards.as_json(told, order.make["times"], duration_s, sheet)
    return files.body_answer(request, body, TYPES[output], _cache(watch, query.v), f"{key}-{output}")


async def animated(request: web.Request) -> web.StreamResponse:
    """Some seconds without sound."""
    watch = await gate.enter(request, "video", IMAGE_AUDIENCES)
    query, output = parsed(request, AnimatedQuery), request.match_info["output"]
    if not _watchable(watch):
        return files.not_ready()
    duration_s = _duration_s(watch)
    start_s = min(query.start, max(0.0, duration_s - 1))
    end_s = min(query.end or start_s + ANIMATED_DEFAULT_S, start_s + ANIMATED_S, duration_s)
    order = orders.animated(output, start_s, max(end_s, start_s + 1 / query.fps), query.box, query.fps)
    return await _answer(request, watch, query.v, order, output)


async def live(request: web.Request) -> web.StreamResponse:
    """The picture that its owner uploaded, else one of the last seconds on air."""
    watch = await gate.enter(request, "live", IMAGE_AUDIENCES)
    query, output = parsed(request, ThumbnailQuery), request.match_info["output"]
    picture = await (_own_poster if watch.asset.has_poster else _on_air)(request, watch)
    if picture is None:
        return files.not_ready()
    if query.width or query.height or output != "jpg":
        with _refusals():
            _count(request)
            picture = await request.app[IMAGES].images.of_picture(picture, orders.poster(output, query.box))
    return files.body_answer(request, picture, TYPES[output], files.brief(watch, LIVE_KEPT_S))


async def _own_poster(request: web.Request, watch: Watch) -> bytes | None:
    path = request.app[WATCHING].layout.picture(watch.asset.id)
    try:
        async with aiofiles.open(path, "rb") as file:
            return await file.read()
    except FileNotFoundError:  # deleted this moment
        return None


async def _on_air(request: web.Request, watch: Watch) -> bytes | None:
    """None: nothing is. Raises Problem."""
    watching = request.app[WATCHING]
    on_air = watching.broadcasts.get(watch.asset.id)
    found = newest(on_air) if on_air else None
    if on_air is None or found is None:
        return None
    init, segment = found
    picture = await watching.posters.live(on_air.broadcast_id, init, lambda: read(segment))
    if picture is None:
        raise Problem("resource-not-found", "No picture could be made.")
    return picture


async def _answer(
    request: web.Request, watch: Watch, version: str | None, order: Order, output: str
) -> web.StreamResponse:
    cache = _cache(watch, version)
    key, data = await _found(request, watch, order, output)
    return files.body_answer(request, data, TYPES[output], cache, f"{key}-{output}")


async def _found(request: web.Request, watch: Watch, order: Order, output: str) -> tuple[str, bytes]:
    """The image's name and bytes: kept, or made now. Raises Problem."""
    asset = watch.asset
    subject = Subject(vod.stored_of(asset), asset.revision, asset.source or images.UPLOAD, _duration_s(watch))
    return await found(request, subject, order, output)


async def found(request: web.Request, subject: Subject, order: Order, output: str) -> tuple[str, bytes]:
    """As `_found`, of whatever is known of a video."""
    desk = request.app[IMAGES]
    with _refusals():
        key = await desk.images.key(subject, order)
        data = await desk.images.kept(subject, key, output)
        if data is None:
            _count(request)
            data = await desk.images.make(subject, order, key, output)
    return key, data


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except NoImageError as error:
        raise Problem("resource-not-found", str(error), headers={hdrs.CACHE_CONTROL: files.NEVER}) from None
    except BusyError:
        raise Problem("too-many-requests", headers={hdrs.RETRY_AFTER: str(BUSY_S)}) from None


def _count(request: web.Request) -> None:
    """Counts an image that is to be made. Raises Problem."""
    headers, allowed = request.app[IMAGES].rates.take(client_ip(request), "image")
    if not allowed:
        raise refusal(headers)


def _has_poster(watch: Watch) -> bool:
    """False: not yet. Raises Problem when there never will be one."""
    if not watch.asset.has_poster and watch.asset.state not in UNFINISHED:
        raise Problem("resource-not-found", "The video has no poster.")
    return watch.asset.has_poster


def _watchable(watch: Watch) -> bool:
    """False: not yet. Raises Problem when it never will be."""
    if not watch.asset.playable and watch.asset.state not in UNFINISHED:
        raise Problem("resource-not-found", "The video could not be made watchable.")
    return watch.asset.playable


def _duration_s(watch: Watch) -> float:
    return max(0.0, watch.asset.duration_s or 0.0)


def _cache(watch: Watch, version: str | None) -> str:
    return files.immutable(watch) if version == str(watch.asset.revision) else files.REVALIDATED


def newest(on_air: OnAir) -> tuple[bytes, Media] | None:
    """The init segment and bytes of the newest key frame: the part that begins with it, else its whole segment."""
    rendition: Rendition | None = on_air.packager.renditions.get(VIDEO)
    if rendition is None:
        return None
    segment = rendition.window.open
    if segment is not None and segment.parts and segment.parts[0].independent:
        init = rendition.init(segment.generation)
        if init:
            return init, InMemory(segment.payloads[:1])
    for entry in reversed(rendition.window.closed):
        init = rendition.init(entry.generation)
        media = rendition.part(entry.msn, 0) or rendition.segment(entry.msn)
        if entry.independent and init and media:
            return init, media
    return None


async def read(media: Media) -> bytes:
    """The bytes, from memory or their file."""
    if isinstance(media, InMemory):
        return b"".join(media.data)
    async with aiofiles.open(media.path, "rb") as file:
        await file.seek(media.offset)
        return await file.read(media.size if media.size is not None else -1)


def add_routes(router: web.UrlDispatcher) -> None:
    for tail in ("", "/token/{token}"):
        router.add_get(f"/vod/{{id}}{tail}/thumbnail.{{output:jpg|webp}}", video)
        router.add_get(f"/vod/{{id}}{tail}/poster/{{size:xs|sm|md|lg}}.{{output:jpg|webp}}", poster)
        router.add_get(f"/vod/{{id}}{tail}/storyboard.{{output:vtt|json|jpg|webp}}", storyboard)
        router.add_get(f"/vod/{{id}}{tail}/animated.{{output:gif|webp|mp4}}", animated)
        router.add_get(f"/live/{{id:[^./]+}}{tail}/thumbnail.{{output:jpg|webp}}", live)
