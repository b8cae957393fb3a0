"""What the player shows over a video's pictures: `/vod/{id}[/token/{jwt}]/annotations.vtt`.

A metadata track: each cue holds an object of JSON with `title`, `link`, and `image`, the picture's address as seen from
the file, where there is one. Only pages of videos that have annotations ask for it.
"""

import hashlib
from collections.abc import Iterable

import orjson
from aiohttp import web

from server.catalog import annotations
from server.catalog.library_models import Annotation, Poster
from server.formats import webvtt
from server.formats.webvtt import Cue, TextTrack
from server.web.hls import files, gate
from server.web.hls.texts import WEBVTT
from server.web.services import SERVICES

IMAGE_WIDTH = 160  # pixels: of a card's picture, on a screen that has two in each of CSS's


async def track(request: web.Request) -> web.StreamResponse:
    watch = await gate.enter(request, "video")
    async with request.app[SERVICES].database.read() as transaction:
        rows = await annotations.shown(transaction, watch.asset.id)
    body = webvtt.write(TextTrack(tuple(_cues(rows)))).encode()
    return files.body_answer(request, body, WEBVTT, files.REVALIDATED, hashlib.sha256(body).hexdigest()[:16])


def _cues(rows: Iterable[tuple[Annotation, Poster | None]]) -> Iterable[Cue]:
    for row, poster in rows:
        told = {"title": row.title, "link": row.link, "image": _image(poster)}
        # "-->" would be the beginning of another cue
        text = orjson.dumps(told).decode().replace(">", "\\u003e")
        yield Cue(row.start_ms, row.end_ms, text, name=row.id)


def _image(poster: Poster | None) -> str | None:
    """Of one that is not shown with the video there is none where it was not taken of it."""
    if poster is None or (poster.at_s is None and not poster.active):
        return None
    moment = "" if poster.active else f"&time={poster.at_s:g}&exact=1"
    return f"thumbnail.jpg?width={IMAGE_WIDTH}{moment}"


def add_routes(router: web.UrlDispatcher) -> None:
    for root in ("/vod/{id}", "/vod/{id}/token/{token}"):
        router.add_get(f"{root}/annotations.vtt", track)
