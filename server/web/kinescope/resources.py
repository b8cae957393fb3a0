"""All operations of the dialect, and the OpenAPI document of them at /v1/openapi.json."""

import asyncio
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version

import orjson
from aiohttp import web

from server.web import typed
from server.web.docs import JSON_HEADERS
from server.web.kinescope import (
    absent,
    access_tokens,
    analytics,
    annotations,
    billing,
    chapters,
    dictionaries,
    drm_auth,
    edits,
    endpoints,
    errors,
    file_request_page,
    file_requests,
    folders,
    live_events,
    live_restreams,
    live_streams,
    materials,
    pages,
    players,
    playlist_page,
    playlists,
    posters,
    privacy_domains,
    projects,
    subtitles,
    tags,
    uploader,
    videos,
    webhooks,
    zones,
)
from server.web.openapi import document
from server.web.typed import Call, Operation, Operations

TITLE = "Sluice, in the Kinescope dialect"

OPERATIONS: Sequence[Operations] = (
    projects.operations,
    folders.operations,
    videos.operations,
    chapters.operations,
    edits.operations,
    posters.operations,
    subtitles.operations,
    annotations.operations,
    materials.operations,
    uploader.operations,
    playlists.operations,
    tags.operations,
    privacy_domains.operations,
    players.operations,
    access_tokens.operations,
    file_requests.operations,
    webhooks.operations,
    drm_auth.operations,
    zones.operations,
    analytics.operations,
    billing.operations,
    live_events.operations,
    live_restreams.operations,
    live_streams.operations,
    dictionaries.operations,
    absent.operations,
)

PAGES = (endpoints, file_request_page, materials, pages, playlist_page)  # mounted beside the operations

_about = Operations("About")


def declared() -> list[Operation]:
    return [one for group in OPERATIONS for one in group.all]


def mount(app: web.Application) -> None:
    typed.mount(app, [*declared(), *_about.all])


@_about.get(
    "/v1/openapi.json",
    "The OpenAPI document of the dialect",
    answers={"application/json": {"type": "object"}},
    scope=None,
    kind="free",
)
async def show_document(call: Call) -> web.Response:
    return web.Response(body=await asyncio.to_thread(_document), headers=JSON_HEADERS)


@cache
def _document() -> bytes:
    whole = document([*declared(), *_about.all], TITLE, version("sluice"))
    return orjson.dumps(errors.in_document(whole))
