"""Captions as renditions: `/vod/{id}[/token/{jwt}]/hls/r{revision}/text-{language}/{version}/{file}`.

`file` is media.m3u8, all.vtt or {milliseconds}.vtt (server/packager/texts.py). Who began to watch with an older version
is given the newest.
"""

import asyncio
import re

from aiohttp import web

from server.errors import Problem
from server.formats import webvtt
from server.packager.presentation import MEDIA_PLAYLIST, Presentation
from server.packager.texts import WHOLE, text_playlist
from server.web.hls import files, gate, texts, vod
from server.web.hls.gate import Watch

_STRETCH = re.compile(r"(\d{1,10})\.vtt", re.ASCII)  # milliseconds


async def rendition(request: web.Request) -> web.StreamResponse:
    """A playlist or text of a revision."""
    watch, presentation = await vod.at_revision(request, await gate.enter(request, "video"))
    version, body = await texts.find(request, watch.asset, "captions")
    name, cache = request.match_info["file"], _cache(watch, presentation, version, request.match_info["version"])
    etag = f"{watch.asset.revision}-{version}-{name}"
    if name == MEDIA_PLAYLIST:
        text = text_playlist(presentation.duration_s)
        return files.playlist(request, text, cache, files.etag_of(text.encode()))
    if name == WHOLE:
        on_clock = webvtt.on_clock(body.decode(), presentation.clock_start_s)
        return files.body_answer(request, on_clock.encode(), texts.WEBVTT, cache, etag)
    found = _STRETCH.fullmatch(name)
    if found is None:
        raise Problem("resource-not-found")
    stretch = await asyncio.to_thread(_from, body.decode(), int(found[1]))
    return files.body_answer(request, stretch.encode(), texts.WEBVTT, cache, etag)


def _cache(watch: Watch, presentation: Presentation, version: int, wanted: str) -> str:
    lasting = str(version) == wanted and not presentation.growing  # a length that grows is in the playlist
    return files.immutable(watch) if lasting else files.REVALIDATED


def _from(text: str, ms: int) -> str:
    return webvtt.write(webvtt.starting(webvtt.read(text), ms)) if ms else text


def add_routes(router: web.UrlDispatcher) -> None:
    for root in ("/vod/{id}", "/vod/{id}/token/{token}"):
        folder = r"text-{language:[A-Za-z0-9-]{1,35}}/{version:\d{1,9}}"
        router.add_get(rf"{root}/hls/r{{revision:\d+}}/{folder}/{{file}}", rendition)
