"""Posters: `/vod/{id}[/token/{jwt}]/thumbnail.jpg`, `/live/{id}[/token/{jwt}]/thumbnail.jpg`."""

import aiofiles
from aiohttp import web

from server.errors import Problem
from server.ingest.on_air import OnAir
from server.packager.presentation import VIDEO
from server.packager.rendition import InMemory, Media, Rendition
from server.web.hls import files, gate
from server.web.hls.gate import IMAGE_AUDIENCES, WATCHING

LIVE_KEPT_S = 10


async def video(request: web.Request) -> web.StreamResponse:
    """The video's poster, once it is made."""
    watch = await gate.enter(request, "video", IMAGE_AUDIENCES)
    if not watch.asset.has_poster:
        if watch.asset.state in ("done", "error", "aborted"):
            raise Problem("resource-not-found", "The video has no poster.")
        return files.not_ready()
    path = request.app[WATCHING].layout.video_poster(watch.asset.id)
    return files.file_answer(path, files.JPEG, files.REVALIDATED)


async def live(request: web.Request) -> web.StreamResponse:
    """A picture of the last seconds on air."""
    watch = await gate.enter(request, "live", IMAGE_AUDIENCES)
    watching = request.app[WATCHING]
    on_air = watching.broadcasts.get(watch.asset.id)
    found = newest(on_air) if on_air else None
    if on_air is None or found is None:
        return files.not_ready()
    init, segment = found
    picture = await watching.posters.live(on_air.broadcast_id, init, lambda: read(segment))
    if picture is None:
        raise Problem("resource-not-found", "No picture could be made.")
    return files.body_answer(request, picture, files.JPEG, files.brief(watch, LIVE_KEPT_S))


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
        router.add_get(f"/vod/{{id}}{tail}/thumbnail.jpg", video)
        router.add_get(f"/live/{{id:[^./]+}}{tail}/thumbnail.jpg", live)
