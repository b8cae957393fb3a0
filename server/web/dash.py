"""DASH manifests, over the media that HLS is served from.

    /live/{id}.mpd                  /live/{id}/token/{jwt}/{id}.mpd
    /vod/{id}/dash/manifest.mpd     /vod/{id}/token/{jwt}/dash/manifest.mpd
"""

from aiohttp import web

from server import clock
from server.errors import Problem
from server.ingest.on_air import OnAir
from server.packager.presentation import NoQualityError
from server.web.hls import files, gate, live, texts, vod
from server.web.hls.gate import WATCHING, Watch

CONTENT_TYPE = "application/dash+xml"


async def live_manifest(request: web.Request) -> web.StreamResponse:
    """202 while nothing is on air or too little of it; after the end the recording is to be watched."""
    watch = await gate.enter(request, "live", starts=True, manifest=True)
    redirect = gate.redirect_to_session(request, watch, f"{request.match_info['id']}.mpd")
    if redirect is not None:
        return redirect
    on_air = request.app[WATCHING].broadcasts.get(watch.asset.id)
    try:
        text = gate.offered(watch, lambda most: _live(watch, on_air, most)) if on_air else None
    except NoQualityError:
        return live.none_so_low(request, watch)
    if text is None:
        return files.not_ready()
    return files.body_answer(request, text.encode(), CONTENT_TYPE, files.REVALIDATED)


async def vod_manifest(request: web.Request) -> web.StreamResponse:
    """202 while there is nothing to watch yet."""
    watch = await gate.enter(request, "video", starts=True, manifest=True)
    redirect = gate.redirect_to_session(request, watch, "dash/manifest.mpd")
    if redirect is not None:
        return redirect
    asset = watch.asset
    presentation = await vod.presentation_of(request, watch)
    if presentation is None:
        return files.not_ready()
    try:
        base, captions = f"../hls/r{asset.revision}/", texts.captions(asset)
        text = gate.offered(watch, lambda most: presentation.mpd(base, captions, most))
    except NoQualityError:
        return vod.none_so_low(request, watch, presentation)
    except ValueError as error:
        raise Problem("resource-not-found", str(error)) from None
    body = text.encode()
    cache = files.of_manifest(watch, growing=presentation.growing)
    return files.body_answer(request, body, CONTENT_TYPE, cache, files.etag_of(body))


def _live(watch: Watch, on_air: OnAir, most: int | None) -> str | None:
    return on_air.packager.mpd(clock.wall_ms(), name=watch.asset.known_as, most=most)


def add_routes(router: web.UrlDispatcher) -> None:
    router.add_get(r"/live/{id:[^./]+}.mpd", live_manifest)
    router.add_get(r"/live/{id:[^./]+}/token/{token}/{again:[^./]+}.mpd", live_manifest)
    router.add_get("/vod/{id}/dash/manifest.mpd", vod_manifest)
    router.add_get("/vod/{id}/token/{token}/dash/manifest.mpd", vod_manifest)
