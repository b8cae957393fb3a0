"""Pages of playlists: `/pl/{id}` with a list to choose from, `/embed/pl/{id}` for other pages to show.

Each video is shown by the player's own page, which decides whether it may be seen.
"""

import base64
import hashlib
from collections.abc import Sequence
from html import escape

from aiohttp import hdrs, web

from server import ids
from server.catalog import playlists
from server.catalog.models import Video
from server.catalog.sharing_models import Playlist
from server.playback import origins
from server.web.hls import gate
from server.web.services import SERVICES

STYLE = (
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{margin:0}"
    "iframe{border:0;display:block;width:100%;aspect-ratio:16/9}ol{margin:1rem}"
)
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    hdrs.CONTENT_TYPE: "text/html; charset=utf-8",
    hdrs.CACHE_CONTROL: "no-cache",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-src 'self'; base-uri 'none'; "
    "form-action 'none'",
}
ITEM = "item"  # of the query: which video is shown, from 1


async def page(request: web.Request) -> web.Response:
    """404 where there is no such playlist, or nobody is to see it."""
    found = await _find(request)
    if found is None:
        body = _page("Not found", "<p>There is no such playlist.</p>")
        return web.Response(status=404, body=body.encode(), headers=HEADERS)
    row, shown = found
    return web.Response(body=_page(row.name, _videos(shown, _item(request, len(shown)))).encode(), headers=HEADERS)


async def _find(request: web.Request) -> tuple[Playlist, list[Video]] | None:
    try:
        playlist_id = ids.canonical("py", request.match_info["id"])
    except ids.InvalidId:
        return None
    async with request.app[SERVICES].database.read() as transaction:
        row = await playlists.find(transaction, playlist_id)
        if row is None or not _may_show(request, row):
            return None
        entries = await playlists.entries(transaction, row)
    return row, [video for _, video in entries if video.public]  # titles of others are for those who have tokens


def _may_show(request: web.Request, row: Playlist) -> bool:
    """`custom`: in pages of its domains, which its own links are followed in."""
    if row.privacy_type != "custom":
        return row.privacy_type != "nowhere"
    said = gate.facts(request)
    if said.own_page or said.origin is None:
        return said.own_page
    return origins.matches_any(said.origin, [request.host, *row.privacy_domains])


def _item(request: web.Request, count: int) -> int:
    text = request.query.get(ITEM, "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 1
    return min(max(number, 1), max(count, 1))


def _videos(shown: Sequence[Video], item: int) -> str:
    if not shown:
        return "<p>There is nothing in this playlist.</p>"
    links = "".join(
        f'<li><a href="?{ITEM}={number}"{" aria-current=true" if number == item else ""}>{escape(video.title)}</a></li>'
        for number, video in enumerate(shown, 1)
    )
    allowed = "autoplay; fullscreen; picture-in-picture"
    return f'<iframe src="/embed/{shown[item - 1].id}" allow="{allowed}" allowfullscreen></iframe><ol>{links}</ol>'


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>{body}</body></html>'
    )


def add_routes(router: web.UrlDispatcher) -> None:
    router.add_get("/pl/{id}", page)
    router.add_get("/embed/pl/{id}", page)
