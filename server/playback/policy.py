"""May this request watch this asset? A pure rule over the asset, the grant and facts of the request.

What is presented must be true: a token that is given is checked and its limits obeyed on public assets too, where
none is needed. So a tampered or expired link never half works, whatever the asset's visibility is today.
"""

import ipaddress
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from server.errors import Problem
from server.playback.assets import Asset
from server.playback.tokens import Grant, Limits

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a request says of itself."""

    ip: str  # of the client, behind trusted proxies
    origin: str | None = None  # the Origin header, else the Referer's
    own_page: bool = False  # made by a page of this server (Sec-Fetch-Site: same-origin)
    country: str | None = None  # ISO 3166-1 alpha-2, where somebody who knows said so


@dataclass(frozen=True, slots=True)
class Allow:
    """Go on; `max_quality` is the height of the best rendition that may be given out."""

    grant: Grant | None = None
    max_quality: int | None = None
    viewer: str | None = None


PUBLIC = Allow()


def decide(asset: Asset, grant: Grant | None, facts: Facts, revoked: Container[str] = ()) -> Allow | Problem:
    """`grant` was verified for the asset's id; `revoked` holds the ids of tokens that open nothing any more."""
    if grant is None:
        return PUBLIC if asset.public else Problem("playback-token-missing")
    if grant.token_id is not None and grant.token_id in revoked:
        return Problem("playback-token-invalid", "The token has been revoked.")
    if asset.tokens_valid_after is not None and grant.issued_at < asset.tokens_valid_after:
        return Problem("playback-token-invalid", "Tokens made before a certain time are no longer valid.")
    broken = _broken_limit(grant, facts)
    if broken:
        return Problem("playback-blocked", broken)
    return Allow(grant, grant.limits.max_quality, grant.limits.viewer)


def _broken_limit(grant: Grant, facts: Facts) -> str | None:
    limits = grant.limits
    if limits.origins and not _from_allowed_page(limits, facts, in_session=grant.session is not None):
        return "Playback is not allowed on this page."
    if limits.ip and not _within(facts.ip, limits.ip):
        return "Playback is not allowed from this address."
    if limits.countries and facts.country not in limits.countries:
        return "Playback is not allowed in this country."
    return None


def _from_allowed_page(limits: Limits, facts: Facts, in_session: bool) -> bool:
    """Our own page was checked when it was opened in its frame; a session, when it began.

    Their later requests often say nothing of the page (the embed page sends no referrer, native players neither);
    where they do say something, it has to be an allowed one.
    """
    if facts.own_page:
        return True
    if facts.origin is None:
        return in_session
    return any(_origin_matches(facts.origin, allowed) for allowed in limits.origins)


def _origin_matches(origin: str, allowed: str) -> bool:
    """https://www.example.com against https://www.example.com, www.example.com or *.example.com."""
    scheme, host, port = _parts(origin)
    wanted_scheme, wanted_host, wanted_port = _allowed_parts(allowed)
    if not host or not wanted_host or (wanted_scheme and wanted_scheme != scheme):
        return False
    if wanted_port is not None or wanted_scheme:
        default = DEFAULT_PORTS.get(scheme)
        if (port or default) != (wanted_port or default):
            return False
    if wanted_host.startswith("*."):
        return host.endswith(wanted_host[1:])
    return host == wanted_host


@lru_cache(maxsize=1024)
def _allowed_parts(allowed: str) -> tuple[str, str, int | None]:
    return _parts(allowed if "://" in allowed else f"//{allowed}")


def _parts(url: str) -> tuple[str, str, int | None]:
    try:
        split = urlsplit(url)
        return split.scheme, split.hostname or "", split.port
    except ValueError:
        return "", "", None


@lru_cache(maxsize=1024)
def _within(address: str, network: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
        allowed = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)  # ::ffff:192.0.2.1, as a dual-stack socket names it
    return (mapped or found) in allowed
