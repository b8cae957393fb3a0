"""The gate before every byte that is watched: asset, token, policy.

A token comes as a path segment, `/vod/{id}/token/{jwt}/…`, which relative URIs of playlists inherit, or as `?token=`
(on a manifest, which then redirects to the path form). An opening token on a manifest is exchanged for a session
token, on the same path.
"""

from asyncio import Event
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import hdrs, web

from server.errors import Problem
from server.ingest.broadcasts import Broadcasts
from server.playback import policy
from server.playback.assets import Asset, Assets, Kind
from server.playback.policy import Allow, Facts
from server.playback.revocations import Revocations
from server.playback.tokens import PLAYBACK, THUMBNAIL, Grant, Tokens
from server.storage.layout import Layout
from server.vod.posters import Posters
from server.vod.presentations import Presentations
from server.web.addresses import client_ip

IMAGE_AUDIENCES = (PLAYBACK, THUMBNAIL)


@dataclass(frozen=True, slots=True)
class Watching:
    """What the handlers of this package use, built by the composition root."""

    assets: Assets
    tokens: Tokens
    revocations: Revocations
    broadcasts: Broadcasts
    presentations: Presentations
    posters: Posters
    layout: Layout
    player: Path  # the built player
    stopping: Event = field(default_factory=Event)  # set when nobody may wait any more


WATCHING = web.AppKey("watching", Watching)


@dataclass(frozen=True, slots=True)
class Watch:
    """A request that may watch."""

    asset: Asset
    allow: Allow
    token: str | None  # as it came

    @property
    def grant(self) -> Grant | None:
        return self.allow.grant


async def enter(
    request: web.Request, kind: Kind, audiences: Collection[str] = (PLAYBACK,), id: str | None = None
) -> Watch:
    """Lets the request in, or raises Problem: 404 for an unknown asset, 403 with the reason otherwise."""
    watching = request.app[WATCHING]
    asset = await watching.assets.find(id or request.match_info["id"], kind)
    if asset is None:
        raise Problem("resource-not-found", headers={hdrs.CACHE_CONTROL: "no-store"})
    token = given_token(request)
    allow = check(watching, asset, token, facts(request), audiences)
    return Watch(asset, allow, token)


def check(
    watching: Watching, asset: Asset, token: str | None, known: Facts, audiences: Collection[str] = (PLAYBACK,)
) -> Allow:
    """The decision for an asset. Raises Problem."""
    grant = watching.tokens.verify(token, asset.id, audiences) if token else None
    decision = policy.decide(asset, grant, known, watching.revocations)
    if isinstance(decision, Problem):
        raise decision
    return decision


def given_token(request: web.Request) -> str | None:
    """The token of the path, else of the query."""
    return request.match_info.get("token") or request.query.get("token") or request.query.get("avh")


def facts(request: web.Request) -> Facts:
    headers = request.headers
    site = headers.get("Sec-Fetch-Site")
    return said(client_ip(request), headers.get(hdrs.ORIGIN), headers.get(hdrs.REFERER), site)


def said(ip: str, origin: str | None, referer: str | None, site: str | None) -> Facts:
    """Facts from the values of headers: Origin, Referer, Sec-Fetch-Site."""
    return Facts(ip, referer if origin in (None, "null") else origin, site == "same-origin")


def redirect_to_session(request: web.Request, watch: Watch, tail: str) -> web.Response | None:
    """Where a manifest is to be fetched with a session token; None when it is already.

    `tail` is the manifest's path behind `…/token/{jwt}/`.
    """
    grant = watch.grant
    if grant is None or (grant.session and "token" in request.match_info):
        return None
    if grant.session:
        token = watch.token or ""
    else:
        token = request.app[WATCHING].tokens.mint_session(grant, watch.asset.duration_s).token
    steps = "../" * tail.count("/")
    if "token" in request.match_info:
        location = f"{steps}../{token}/{tail}"
    elif watch.asset.live:  # /live/{id}.m3u8
        location = f"{request.match_info['id']}/token/{token}/{tail}"
    else:  # /vod/{id}/hls/manifest.m3u8
        location = f"{steps}token/{token}/{tail}"
    return web.Response(status=302, headers={hdrs.LOCATION: location, hdrs.CACHE_CONTROL: "no-store"})

