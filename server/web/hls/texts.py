"""Captions and chapters as files: `/vod/{id}[/token/{jwt}]/{captions|chapters}/{language}.vtt`."""

from typing import get_args

from aiohttp import web

from server.catalog.text_tracks import Kind
from server.errors import Problem
from server.packager.texts import TextFacts
from server.playback.assets import Asset
from server.web.api.text_tracks import TEXTS, native_name
from server.web.hls import files, gate

WEBVTT = "text/vtt; charset=utf-8"


def captions(asset: Asset) -> list[TextFacts]:
    """As manifests list them, the default first."""
    ordered = sorted(asset.captions, key=lambda text: not text.default)
    return [TextFacts(text.folder, text.language, native_name(text.language), text.default) for text in ordered]


async def text(request: web.Request) -> web.StreamResponse:
    """The newest text of a language."""
    watch = await gate.enter(request, "video")
    kind: Kind = "captions" if request.match_info["kind"] == "captions" else "chapters"
    version, body = await find(request, watch.asset, kind)
    return files.body_answer(request, body, WEBVTT, files.REVALIDATED, f"{kind}-{version}-{watch.asset.revision}")


async def find(request: web.Request, asset: Asset, kind: Kind) -> tuple[int, bytes]:
    """The version and the bytes of the text of the URL's language. Raises Problem."""
    found = await request.app[TEXTS].find(asset.id, kind, request.match_info["language"])
    if found is None:
        raise Problem("resource-not-found", f"There are no {kind} in this language.")
    return found


def add_routes(router: web.UrlDispatcher) -> None:
    kinds = "|".join(get_args(Kind))
    for root in ("/vod/{id}", "/vod/{id}/token/{token}"):
        router.add_get(rf"{root}/{{kind:{kinds}}}/{{language:[A-Za-z0-9-]{{1,35}}}}.vtt", text)
