"""Videos: `/vod/{id}/hls/manifest.m3u8` and what it leads to, and api.video's session exchange.

    /vod/{id}[/token/{jwt}]/hls/manifest.m3u8
    /vod/{id}[/token/{jwt}]/hls/r{revision}/{rendition}/{media.m3u8 | init.mp4 | init-<generation>.mp4 | <number>.m4s}
    /vod/{id}/token/{jwt}/session
"""

import re
import zlib
from dataclasses import replace

import orjson
from aiohttp import hdrs, web

from server import log
from server.errors import Problem
from server.packager.presentation import (
    MEDIA_PLAYLIST,
    NoQualityError,
    NoSuchMediaError,
    Presentation,
    ShortReadError,
    Span,
    Stored,
)
from server.playback.assets import BROADCAST, Asset
from server.storage.segment_cache import SegmentKey
from server.vod.places import place
from server.vod.requests import BusyError, NoSuchSegmentError, NotMadeError, Requests
from server.web.hls import files, gate, texts
from server.web.hls.gate import WATCHING, Watch

_INIT = re.compile(r"init(?:-(\d{1,6}))?\.mp4", re.ASCII)
_SEGMENT = re.compile(r"(\d{1,9})\.m4s", re.ASCII)

SETTLED = ("done", "error", "aborted")
GROWING = "Sluice-Growing"  # on a multivariant playlist that more will come to: `240p=8.50 480p=2.00`, or 1
BETTER = 1 << 31  # lines: more than any limit
ENDED_BADLY = ("error", "aborted")
GONE = "The video's files are not there."
ARCHIVED = "The video is archived: its owner has to make it anew before it can be watched."
TOO_MANY, RETRY_S = "Too many segments have to be made at once.", "2"
NOT_MADE, RETRY_NOT_MADE_S = "The segment could not be made.", "20"

REQUESTS = web.AppKey("requests", Requests)

_log = log.get("vod")


async def manifest(request: web.Request) -> web.StreamResponse:
    """The multivariant playlist, 202 while there is nothing to watch yet."""
    watch = await gate.enter(request, "video", starts=True, manifest=True)
    redirect = gate.redirect_to_session(request, watch, "hls/manifest.m3u8")
    if redirect is not None:
        return redirect
    asset, presentation = watch.asset, await presentation_of(request, watch)
    if presentation is None:
        return files.not_ready()
    try:
        captions = texts.captions(asset)
        text = gate.offered(watch, lambda most: presentation.master(f"r{asset.revision}/", captions, most)).encode()
    except NoQualityError:
        return none_so_low(request, watch, presentation)
    cache = files.of_manifest(watch, growing=presentation.growing)
    answer = files.playlist(request, text, cache, files.etag_of(text))
    if presentation.growing:
        answer.headers[GROWING] = _growing(presentation)
    return answer


def none_so_low(request: web.Request, watch: Watch, presentation: Presentation) -> web.Response:
    """The answer where all pictures are better than the token allows: worse ones may be to come. Raises Problem."""
    if not presentation.growing:
        gate.play(request, watch, BETTER)
    return files.not_ready()


def _growing(presentation: Presentation) -> str:
    """The renditions that grow, with the seconds that are made of each; 1 where others are to come."""
    return " ".join(f"{name}={made_s:.2f}" for name, made_s in presentation.unfinished.items()) or "1"


async def presentation_of(request: web.Request, watch: Watch) -> Presentation | None:
    """What a manifest describes; None while there is nothing to watch yet. Raises Problem."""
    if watch.asset.playable:
        return await _presentation(request, watch)
    if watch.asset.archived:
        raise Problem("resource-not-found", ARCHIVED)
    if watch.asset.state in ENDED_BADLY:
        raise Problem("resource-not-found", "The video could not be made watchable.")
    return None


async def media(request: web.Request) -> web.StreamResponse:
    """A playlist, init segment or segment of a revision."""
    watch, presentation = await at_revision(request, await gate.enter(request, "video"))
    rendition, name = request.match_info["rendition"], request.match_info["file"]
    try:
        gate.play(request, watch, presentation.lines(rendition) if watch.most is not None else 0)
        return await _answer(request, watch, presentation, rendition, name)
    except NoSuchMediaError as error:
        raise Problem("resource-not-found", str(error)) from None
    except (OSError, ShortReadError) as error:
        _log.error("a video's file is damaged", video=watch.asset.id, reason=str(error))
        raise Problem("resource-not-found", GONE) from None


async def at_revision(request: web.Request, watch: Watch) -> tuple[Watch, Presentation]:
    """What is watched under the revision of the URL. Raises Problem."""
    watch = _at_revision(watch, request.match_info["revision"])
    return watch, await _presentation(request, watch)


async def _answer(
    request: web.Request, watch: Watch, presentation: Presentation, rendition: str, name: str
) -> web.StreamResponse:
    cache, content_type = files.immutable(watch), files.segment_type(rendition)
    etag = f"{watch.asset.revision}-{rendition}-{name}"
    if name == MEDIA_PLAYLIST:
        if presentation.growing:
            cache, etag = files.REVALIDATED, f"{etag}-{presentation.version}"
        return files.playlist(request, presentation.media(rendition), cache, etag)
    if found := _INIT.fullmatch(name):
        init = presentation.init(rendition, int(found[1] or 0))
        return files.body_answer(request, init, content_type, cache, etag)
    if found := _SEGMENT.fullmatch(name):
        return await _segment(request, watch, presentation, rendition, int(found[1]), (content_type, cache, etag))
    raise NoSuchMediaError(f"there is no {name}")


async def _segment(
    request: web.Request,
    watch: Watch,
    presentation: Presentation,
    rendition: str,
    number: int,
    described: tuple[str, str, str],
) -> web.StreamResponse:
    watching = request.app[WATCHING]
    plan = presentation.segment(rendition, number)
    content_type, cache, etag = described
    if plan.on_request:
        body = await _made_on_request(request, stored_of(watch.asset), rendition, number)
        # made again it has the same pictures, but libx264 with threads and a ceiling does not repeat its bytes
        return files.body_answer(request, body, content_type, cache, f"{etag}-{zlib.crc32(body):08x}")
    if plan.source is not None:
        where = place(watching.layout, stored_of(watch.asset), rendition, number, plan)
        return await files.segment_answer(request, where, content_type, cache, etag)
    return files.body_answer(
        request, await watching.presentations.segment(watch.asset.material, plan), content_type, cache, etag
    )


async def _made_on_request(request: web.Request, stored: Stored, rendition: str, number: int) -> bytes:
    """A segment that may have to be made first. Raises Problem, NoSuchMediaError, OSError."""
    key = SegmentKey(stored.video_id, stored.source_revision, rendition, number)
    try:
        return await request.app[REQUESTS].segment(key)
    except NoSuchSegmentError as error:
        raise NoSuchMediaError(str(error)) from None
    except BusyError:
        raise Problem("unavailable", TOO_MANY, headers={hdrs.RETRY_AFTER: RETRY_S}) from None
    except NotMadeError:
        raise Problem("unavailable", NOT_MADE, headers={hdrs.RETRY_AFTER: RETRY_NOT_MADE_S}) from None


async def _presentation(request: web.Request, watch: Watch) -> Presentation:
    asset = watch.asset
    try:
        return await request.app[WATCHING].presentations.get(
            stored_of(asset), asset.revision, asset.source or "upload"
        )
    except (OSError, ValueError, LookupError) as error:
        _log.error("a video can't be read", video=asset.id, reason=str(error))
        raise Problem("resource-not-found", GONE) from error


def _at_revision(watch: Watch, wanted: str) -> Watch:
    """What is watched under the revision of a URL. Raises Problem.

    Who began to watch a clip before its edges were made goes on with it as it was; who watches a file that another
    has taken the place of, with that one for a while.
    """
    asset = watch.asset
    if asset.playable and wanted == str(asset.revision):
        return watch
    if asset.playable and asset.exact == asset.revision and wanted == str(asset.revision - 1):
        return replace(watch, asset=replace(asset, revision=asset.revision - 1, exact=None))
    for old in asset.before if asset.playable else ():
        if wanted == str(old.revision):
            shown = replace(
                asset, revision=old.revision, material_id=old.video_id, source_revision=old.source_revision,
                state="done",
            )  # fmt: skip
            if (own := asset.recording) is not None and old.video_id == asset.id:
                shown = replace(
                    shown, source=BROADCAST, broadcast_id=own.broadcast_id, segments=own.segments, exact=own.exact
                )
            return replace(watch, asset=shown)
    raise Problem("resource-not-found")


def stored_of(asset: Asset) -> Stored:
    return Stored(
        asset.material,
        asset.broadcast_id,
        asset.segments and Span(*asset.segments),
        asset.exact is not None,
        asset.source_revision,
        asset.state in SETTLED,
        asset.altered,
        asset.poster_of,
    )


async def session(request: web.Request) -> web.StreamResponse:
    """api.video's exchange of a token for a session, which then goes as `?avh=`."""
    watch = await gate.enter(request, "video", starts=True)
    if watch.grant is None or watch.token is None:
        raise Problem("playback-token-missing")
    token = watch.token  # a session's own gives no other: none would ever end
    if watch.grant.session is None:
        token = gate.session_token(request, watch, watch.grant)
    return web.Response(
        body=orjson.dumps({"session_token": token}),
        headers={hdrs.CACHE_CONTROL: files.NEVER, hdrs.CONTENT_TYPE: "application/json"},
    )


def add_routes(router: web.UrlDispatcher) -> None:
    for root in ("/vod/{id}", "/vod/{id}/token/{token}"):
        router.add_get(f"{root}/hls/manifest.m3u8", manifest)
        router.add_get(rf"{root}/hls/r{{revision:\d+}}/{{rendition}}/{{file}}", media)
    router.add_get("/vod/{id}/token/{token}/session", session)
