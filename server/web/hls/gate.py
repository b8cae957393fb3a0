"""The gate before every byte that is watched: asset, token, policy.

A token comes as a path segment, `/vod/{id}/token/{jwt}/…`, which relative URIs of playlists inherit, or as `?token=`
(on a manifest, which then redirects to the path form). An opening token on a manifest is exchanged for a session
token, on the same path.
"""

from asyncio import Event
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from aiohttp import hdrs, web

from server.errors import Problem
from server.ingest.broadcasts import Broadcasts
from server.packager.presentation import NoQualityError
from server.playback.assets import Asset, Assets, Kind
from server.playback.door import Door
from server.playback.facts import Blocked, Facts
from server.playback.policy import Allow
from server.playback.tokens import PLAYBACK, THUMBNAIL, Grant
from server.playback.zones import NONE, Zone
from server.storage.layout import Layout
from server.vod.posters import Posters
from server.vod.presentations import Presentations
from server.web.access_log import WATCHED
from server.web.addresses import client_ip, country

IMAGE_AUDIENCES = (PLAYBACK, THUMBNAIL)
FORBIDDEN = 403
OTHER_SITES = ("cross-site", "same-site")  # that is, of another origin (Fetch Metadata 2.3)
Manifest = TypeVar("Manifest")

TOO_GOOD = "This is of a higher quality than is allowed here."  # by a token, or a delivery zone


@dataclass(frozen=True, slots=True)
class Watching:
    """What the handlers of this package use, built by the composition root."""

    assets: Assets
    door: Door
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
    facts: Facts
    zone: Zone = NONE

    @property
    def grant(self) -> Grant | None:
        return self.allow.grant

    @property
    def most(self) -> int | None:
        """Lines of the best pictures that may be given out."""
        return self.allow.max_quality


async def enter(
    request: web.Request,
    kind: Kind,
    audiences: Collection[str] = (PLAYBACK,),
    id: str | None = None,
    *,
    starts: bool = False,
    manifest: bool = False,
) -> Watch:
    """Lets the request in, or raises Problem: 404 for an unknown asset, 403 with the reason otherwise.

    `starts`: with this request playback, or a page that plays, begins; `manifest`: of those to which our own page and
    `redirect_to_session` lead.
    """
    watching = request.app[WATCHING]
    asset = await watching.assets.find(id or request.match_info["id"], kind)
    if asset is None:
        raise Problem("resource-not-found", headers={hdrs.CACHE_CONTROL: "no-store"})
    token, known, door = given_token(request), facts(request), watching.door
    led = manifest and "token" in request.match_info
    with counted(door):
        await door.prepare(asset, token)
        allow = door.check(asset, token, known, audiences, starts=starts, led=led)
    request[WATCHED] = asset.project_id
    return Watch(asset, allow, token, known, await watching.assets.zone(asset.project_id))


def offered(watch: Watch, describe: Callable[[int | None], Manifest]) -> Manifest:
    """What `describe` says of pictures of so many lines at most: no more than the zone's, where there are any such.

    Raises NoQualityError where the token allows none that there is.
    """
    lines = watch.zone.lines
    if lines is not None and (watch.most is None or lines < watch.most):
        try:
            return describe(lines)
        except NoQualityError:
            pass
    return describe(watch.most)


def play(request: web.Request, watch: Watch, lines: int = 0) -> None:
    """For media: counts the session, and looks whether pictures of so many lines may be given out. Raises Problem."""
    door = request.app[WATCHING].door
    if watch.grant is not None:
        with counted(door):
            door.play(watch.asset, watch.allow, watch.facts)
            keep_to(watch, lines)


def keep_to(watch: Watch, lines: int) -> None:
    """Raises Blocked where pictures are better than may be given out."""
    if watch.most is not None and lines > watch.most:
        raise Blocked("quality", TOO_GOOD)


@contextmanager
def counted(door: Door) -> Iterator[None]:
    """Refusals within are counted."""
    try:
        yield
    except Problem as problem:
        if problem.row.status == FORBIDDEN:
            door.refused(problem)
        raise


def given_token(request: web.Request) -> str | None:
    """The token of the path, else of the query."""
    return request.match_info.get("token") or request.query.get("token") or request.query.get("avh")


def facts(request: web.Request) -> Facts:
    headers = request.headers
    site, agent = headers.get("Sec-Fetch-Site"), headers.get(hdrs.USER_AGENT, "")
    ip = client_ip(request)
    return said(ip, headers.get(hdrs.ORIGIN), headers.get(hdrs.REFERER), site, country(request, ip), agent)


def said(
    ip: str, origin: str | None, referer: str | None, site: str | None, country: str | None, agent: str
) -> Facts:
    """Facts from the values of headers: Origin, Referer, Sec-Fetch-Site; and User-Agent."""
    page = referer if origin in (None, "null") else origin
    return Facts(ip, page, site == "same-origin", site in OTHER_SITES, country, agent)


def redirect_to_session(request: web.Request, watch: Watch, tail: str) -> web.Response | None:
    """Where a manifest is to be fetched with a session token; None when it is already, or none is needed.

    `tail` is the manifest's path behind `…/token/{jwt}/`.
    """
    grant = watch.grant
    if grant is None:
        return None
    if grant.session and "token" in request.match_info:
        play(request, watch)
        return None
    token = (watch.token or "") if grant.session else session_token(request, watch, grant)
    steps = "../" * tail.count("/")
    if "token" in request.match_info:
        location = f"{steps}../{token}/{tail}"
    elif watch.asset.live:  # /live/{id}.m3u8
        location = f"{request.match_info['id']}/token/{token}/{tail}"
    else:  # /vod/{id}/hls/manifest.m3u8
        location = f"{steps}token/{token}/{tail}"
    return web.Response(status=302, headers={hdrs.LOCATION: location, hdrs.CACHE_CONTROL: "no-store"})



def session_token(request: web.Request, watch: Watch, grant: Grant) -> str:
    """Begins a playback session. Raises Problem."""
    door = request.app[WATCHING].door
    with counted(door):
        return door.begin(watch.asset, grant, watch.facts).token
