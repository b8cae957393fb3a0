"""Captions and chapters as files: `/vod/{id}[/token/{jwt}]/{captions|chapters}/{language}.vtt`."""

from typing import get_args

from aiohttp import web

from server.catalog.text_tracks import Kind
from server.errors import Problem
from server.web.api.text_tracks import TEXTS
from server.web.hls import files, gate

WEBVTT = "text/vtt; charset=utf-8"


async def text(request: web.Request) -> web.StreamResponse:
    """The newest text of a language."""
    watch = await gate.enter(request, "video")
    kind: Kind = "captions" if request.match_info["kind"] == "captions" else "chapters"
    found = await request.app[TEXTS].find(watch.asset.id, kind, request.match_info["language"])
    if found is None:
        raise Problem("resource-not-found", f"There are no {kind} in this language.")
    version, body = found
    return files.body_answer(request, body, WEBVTT, files.REVALIDATED, f"{kind}-{version}")


def add_routes(router: web.UrlDispatcher) -> None:
    kinds = "|".join(get_args(Kind))
    for root in ("/vod/{id}", "/vod/{id}/token/{token}"):
        router.add_get(rf"{root}/{{kind:{kinds}}}/{{language:[A-Za-z0-9-]{{1,35}}}}.vtt", text)
