"""What the dialect has at the root of its watching host, by the id of a video.

    /{video_id}                             the player's page, as /embed/{video_id}
    /{video_id}/master.m3u8                 leads to the manifest
    /{video_id}/poster.{jpg,webp}           and /poster/{xs,sm,md,lg}.{jpg,webp}
    /{video_id}/preview                     leads to a few seconds as MP4: the stretch that `/v2/init` was told of
"""

from urllib.parse import quote

from aiohttp import hdrs, web

from server.catalog import video_details
from server.web import embed
from server.web.hls import files, gate, images
from server.web.services import SERVICES

# as an id can be written: a UUID, 22 characters of base58, or those behind the prefix
VIDEO = "[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}|(?:vi)?[1-9A-HJ-NP-Za-km-z]{22}"
PREVIEW_S = 5.0  # where nothing was said of it
WIDTH = 640  # of a preview: the most that moving pictures are made in
WIDTHS = {"360p": 480}  # others are as wide as it goes


async def manifest(request: web.Request) -> web.Response:
    watch = await gate.enter(request, "video")
    return _led(watch.asset.id, "hls/manifest.m3u8", watch.token)


async def preview(request: web.Request) -> web.Response:
    watch = await gate.enter(request, "video")
    async with request.app[SERVICES].database.read() as transaction:
        found = (await video_details.of_videos(transaction, [watch.asset.id])).get(watch.asset.id)
    wish = (found.preview if found else None) or {"start": 0.0, "length": PREVIEW_S, "quality": "360p"}
    start_s, width = wish["start"], WIDTHS.get(wish["quality"], WIDTH)
    tail = f"animated.mp4?start={start_s:g}&end={start_s + wish['length']:g}&width={width}"
    return _led(watch.asset.id, tail, watch.token)


def _led(video_id: str, tail: str, token: str | None) -> web.Response:
    root = f"../vod/{video_id}" + (f"/token/{quote(token, safe='')}" if token else "")
    cache = files.NEVER if token else "public, max-age=60"
    return web.Response(status=302, headers={hdrs.LOCATION: f"{root}/{tail}", hdrs.CACHE_CONTROL: cache})


def add_routes(router: web.UrlDispatcher) -> None:
    root = f"/{{id:{VIDEO}}}"
    router.add_get(root, embed.video)
    router.add_get(f"{root}/master.m3u8", manifest)
    router.add_get(f"{root}/preview", preview)
    router.add_get(f"{root}/poster.{{output:jpg|webp}}", images.video)
    router.add_get(f"{root}/poster/{{size:xs|sm|md|lg}}.{{output:jpg|webp}}", images.poster)
