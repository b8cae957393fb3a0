"""May this request watch this asset? A pure rule over the asset, the grant and facts of the request.

What is presented must be true: a token that is given is checked and its limits obeyed on public assets too, where
none is needed. So a tampered or expired link never half works, whatever the asset's visibility is today.
"""

import math
from collections.abc import Container, Iterable
from dataclasses import dataclass

from server.errors import Problem
from server.playback import origins
from server.playback.assets import Asset
from server.playback.facts import Blocked, Facts, within
from server.playback.restrictions import Restriction
from server.playback.tokens import PLAYBACK, Grant, Limits


@dataclass(frozen=True, slots=True)
class Allow:
    """Go on; `max_quality` is the height of the best rendition that may be given out."""

    grant: Grant | None = None
    max_quality: int | None = None
    viewer: str | None = None


PUBLIC = Allow()


def decide(
    asset: Asset,
    grant: Grant | None,
    facts: Facts,
    revoked: Container[str] = (),
    restrictions: Iterable[Restriction] = (),
    *,
    starts: bool = False,
    led: bool = False,
) -> Allow | Problem:
    """`grant` was verified for the asset's id; `revoked` holds the ids of tokens that open nothing any more.

    `restrictions` are those of the playback id and of the token; `starts`: the request is the first of playback;
    `led`: our own page or redirect has led it there, with the session that it brings.
    """
    for restriction in restrictions:
        broken = restriction.broken(facts, starts=starts and (grant is None or grant.session is None))
        if broken:
            return broken
    if grant is None:
        return PUBLIC if asset.public else _by_page(asset, facts)
    if grant.page is not None and not asset.public and grant.page not in asset.pages:
        return Problem("playback-token-invalid", "The page may not play it any more.")
    if grant.token_id is not None and grant.token_id in revoked:
        return Problem("playback-token-invalid", "The token has been revoked.")
    if asset.tokens_valid_after is not None and grant.issued_at < asset.tokens_valid_after:
        return Problem("playback-token-invalid", "Tokens made before a certain time are no longer valid.")
    broken = _broken_limit(grant, facts, alone=starts and not led)
    if broken:
        return broken
    return Allow(grant, grant.limits.max_quality, grant.limits.viewer)


def _by_page(asset: Asset, facts: Facts) -> Allow | Problem:
    """A page of a named domain plays with a token that we give it, which holds for that page alone."""
    if not asset.pages:
        return Problem("playback-token-missing")
    page = next((each for each in asset.pages if facts.origin and origins.matches(facts.origin, each)), None)
    if page is None:
        return Blocked("domain" if facts.origin else "no-referrer", "Playback is not allowed on this page.")
    return Allow(Grant(asset.id, PLAYBACK, math.inf, limits=Limits(origins=(page,)), page=page))


def _broken_limit(grant: Grant, facts: Facts, *, alone: bool) -> Blocked | None:
    limits = grant.limits
    if limits.origins and not _from_allowed_page(grant, facts, alone=alone):
        return Blocked("domain" if facts.origin else "no-referrer", "Playback is not allowed on this page.")
    if limits.ip and not within(facts.ip, limits.ip):
        return Blocked("network", "Playback is not allowed from this address.")
    if limits.countries and facts.country not in limits.countries:
        return Blocked("country", "Playback is not allowed in this country.")
    return None


def _from_allowed_page(grant: Grant, facts: Facts, *, alone: bool) -> bool:
    """Our own page was checked when it was opened in its frame; a session, when it began.

    Their later requests often say nothing of the page (the embed page sends no referrer, native players neither);
    where they do say something, it has to be an allowed one. A session that a page began without a token can be had
    by everybody who names that page. So it is of no use to another page that keeps its name to itself, and it begins
    nothing where no page is named, but what our own page or redirect leads to (`alone`: neither does).
    """
    if facts.own_page:
        return True
    if facts.origin is not None:
        return origins.matches_any(facts.origin, grant.limits.origins)
    if grant.page is not None and (alone or facts.other_page):
        return False
    return grant.session is not None
