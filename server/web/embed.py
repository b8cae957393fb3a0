"""The player's pages: `/embed/{id}`, `/vod/{id}`, `/live/{id}`, and the built files they load.

The page is one static file; what it plays is put into it as JSON. A problem (unknown id, bad token) is the same page
with the words in place of a picture, under the status that a program expects.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from aiohttp import hdrs, web

from server.errors import Problem
from server.playback.assets import Asset, Kind
from server.playback.themes import Theme, Themes
from server.vod import sandbox
from server.web import asset_urls
from server.web.hls import files, gate
from server.web.hls.gate import WATCHING, Watch

PLACEHOLDER = "__SLUICE_CONFIG__"
THEMES = web.AppKey("themes", Themes)
MARK = "/player/sandbox.png"

# What the page needs, and no more: hls.js makes its media from blobs and its captions tracks from a data URL; the
# hash is that of an empty style element, which the page fills by script (player/src/ui/strict_styles.js).
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
        "img-src 'self' data:",
        "media-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
HEADERS = {
    hdrs.CONTENT_TYPE: "text/html; charset=utf-8",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",  # the URL may hold a token
    hdrs.CACHE_CONTROL: "no-store",
}

# seconds behind live that the page holds; None leaves it to the playlist's hold-back
TARGET_LATENCY_S = {"ultra-low": 0.6, "low": 1.0, "reduced": None, "standard": None}


async def embed(request: web.Request) -> web.Response:
    """Whatever asset the id names; a video's where a bare one fits both."""
    return await _page(request, ("video", "live"))


async def video(request: web.Request) -> web.Response:
    return await _page(request, ("video",))


async def live(request: web.Request) -> web.Response:
    return await _page(request, ("live",))


async def _page(request: web.Request, kinds: tuple[Kind, ...]) -> web.Response:
    try:
        watch = await _enter(request, kinds)
    except Problem as problem:
        words = {"code": problem.code, "title": problem.row.title, "detail": problem.detail}
        return _filled(request, {"problem": words}, problem.row.status)
    themes, asset = request.app[THEMES], watch.asset
    looks = _themed(await themes.find(asset.project_id, asset.player_id))
    if await themes.marked(asset.project_id):  # nobody's logo takes the place of it
        looks = {"theme": {**looks.get("theme", {}), "logo": {"src": MARK, "link": None}}}
    return _filled(request, {**_playing(asset, _token(request, watch)), **looks}, 200)


def _token(request: web.Request, watch: Watch) -> str | None:
    """What the page plays with. What it asks for later doesn't tell in which page its frame is."""
    if watch.token is None and watch.grant is not None:
        return gate.session_token(request, watch, watch.grant)
    return watch.token


async def _enter(request: web.Request, kinds: tuple[Kind, ...]) -> Watch:
    for kind in kinds:
        if await request.app[WATCHING].assets.find(request.match_info["id"], kind):
            return await gate.enter(request, kind, starts=True)
    raise Problem("resource-not-found")


def _playing(asset: Asset, token: str | None) -> dict[str, Any]:
    base = _base(asset, token)
    tail = f"{asset.known_as}.m3u8" if asset.live else "hls/manifest.m3u8"
    manifest = f"{base}.m3u8" if asset.live and not token else f"{base}/{tail}"
    return {
        "id": asset.known_as,
        "kind": "live" if asset.live else "vod",
        "title": asset.title,
        "manifest": manifest,
        "poster": f"{base}/thumbnail.jpg" if asset.live or asset.playable else None,
        "storyboard": f"{base}/storyboard.vtt?v={asset.revision}" if asset.playable and not asset.live else None,
        "chapters": [
            {"language": text.language, "src": f"{base}/chapters/{text.language}.vtt?v={text.version}"}
            for text in asset.chapters
        ],
        "annotations": f"{base}/annotations.vtt" if asset.annotated else None,
        "live": asset.live,
        "latencyMode": asset.latency_mode,
        "targetLatency": TARGET_LATENCY_S.get(asset.latency_mode or ""),
        "public": asset.public,
    }


def _themed(theme: Theme | None) -> dict[str, Any]:
    """How the page is to look, where the asset names a player."""
    if theme is None:
        return {}
    logo = {"src": asset_urls.of_logo("", theme.player_id, theme.logo_version or 0), "link": theme.logo_link}
    return {"theme": {**theme.settings, "logo": logo if theme.logo_version is not None else None}}


def _base(asset: Asset, token: str | None) -> str:
    root = f"/{'live' if asset.live else 'vod'}/{asset.known_as}"
    return f"{root}/token/{token}" if token else root


def _filled(request: web.Request, configuration: Mapping[str, Any], status: int) -> web.Response:
    try:
        page = _template(request.app[WATCHING].player / "index.html")
    except FileNotFoundError:
        raise Problem("unavailable", "The player is not built: run `make player`.") from None
    # inside a script element only "<" could end it; U+2028/9 are line ends to old parsers
    told = orjson.dumps(configuration).decode().replace("<", "\\u003c").replace("\u2028", "\\u2028")
    body = page.replace(PLACEHOLDER, told.replace("\u2029", "\\u2029"))
    return web.Response(status=status, body=body.encode(), headers=HEADERS)


@cache
def _template(path: Path) -> str:
    return path.read_text()


async def asset_file(request: web.Request) -> web.StreamResponse:
    """A built file; its name holds a hash of it."""
    name = request.match_info["file"]
    path = request.app[WATCHING].player / "assets" / name
    if "/" in name or name.startswith(".") or not path.is_file():
        raise Problem("resource-not-found")
    return web.FileResponse(path, headers={hdrs.CACHE_CONTROL: f"public, max-age={files.YEAR_S}, immutable"})


async def mark(_: web.Request) -> web.Response:
    """The word that pages of sandbox projects bear, also where the pictures are passed on as they came."""
    headers = {hdrs.CACHE_CONTROL: f"public, max-age={files.YEAR_S}"}
    return web.Response(body=sandbox.picture(), content_type="image/png", headers=headers)


def add_routes(router: web.UrlDispatcher) -> None:
    router.add_get("/embed/{id}", embed)
    router.add_get("/vod/{id}", video)
    router.add_get("/live/{id:[^./]+}", live)
    router.add_get("/player/assets/{file}", asset_file)
    router.add_get(MARK, mark)
