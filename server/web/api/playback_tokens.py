"""Playback tokens over the API: what a product hands its viewers. The same for videos and live streams."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from server.playback.tokens import (
    COUNT_LIMIT,
    DEFAULT_TTL_S,
    LIST_LIMIT,
    MAX_TTL_S,
    PLAYBACK,
    SESSIONS_LIMIT,
    TEXT_LIMIT,
    Limits,
    check_limits,
)
from server.web import validation
from server.web.api import playback_restrictions
from server.web.api.playback_restrictions import ORIGIN
from server.web.asset_urls import AssetUrls
from server.web.shapes import Answer, Body, Moment, Text
from server.web.typed import Call

Count = Annotated[int, Field(ge=1, le=COUNT_LIMIT)]
Sessions = Annotated[int, Field(ge=1, le=SESSIONS_LIMIT)]
ShortText = Annotated[Text, Field(min_length=1, max_length=TEXT_LIMIT)]
# checked by `check_limits`, as when they come in a token
Origin = Annotated[Text, Field(json_schema_extra={"pattern": ORIGIN})]
Country = Annotated[Text, Field(json_schema_extra={"pattern": "^[A-Za-z]{2}$"})]


class TokenBody(Body):
    """How long the token opens playback, and what narrows it. The claims go by their names in the token."""

    ttl: Annotated[int, Field(ge=1, le=MAX_TTL_S, description="Seconds in which playback may start.")] = DEFAULT_TTL_S
    aud: Annotated[
        Literal["playback", "thumbnail"], Field(description="playback opens everything, thumbnail images only.")
    ] = "playback"
    origins: list[Origin] = Field(
        default_factory=list,
        max_length=LIST_LIMIT,
        description="Pages that may play: example.com, *.example.com, https://example.com",
    )
    ip: ShortText | None = Field(None, description="An address or a network.")
    countries: list[Country] = Field(
        default_factory=list, max_length=LIST_LIMIT, description="ISO 3166-1 codes, such as FR."
    )
    max_quality: Count | None = Field(
        None,
        validation_alias=AliasChoices("max_quality", "maxQuality"),
        description="Height of the best rendition that is given out.",
    )
    viewer: ShortText | None = Field(None, description="Your own id of who watches.")
    sessions: Sessions | None = Field(
        None, description="How many may watch at once: of this viewer, or with this token where it names no viewer."
    )
    restriction: ShortText | None = Field(
        None,
        description="Id of a playback restriction that holds for who watches with it.",
        examples=["restriction_3wNhx2mPzXcVbT6sYqR9dK"],
    )


class PlaybackToken(Answer):
    token: str
    token_id: str = Field(description="To revoke it by.")
    expires_at: Moment
    hls: str
    dash: str
    embed: str
    thumbnail: str


def limits(body: TokenBody) -> Limits:
    """Raises Problem."""
    found = Limits(
        origins=tuple(origin.lower() for origin in body.origins),
        ip=body.ip,
        countries=tuple(code.upper() for code in body.countries),
        max_quality=body.max_quality,
        viewer=body.viewer,
        sessions=body.sessions,
        restriction=body.restriction,
    )
    try:
        check_limits(found)
    except ValueError as error:
        raise validation.of_attribute(*error.args) from None
    return found


async def mint(call: Call, body: TokenBody, id: str) -> tuple[str, str, datetime]:
    """(token, its id, its end) for an asset that the caller may give out. Raises Problem."""
    checked = limits(body)
    if checked.restriction is not None:
        async with call.services.database.read() as transaction:
            named = await playback_restrictions.given(transaction, call, checked.restriction, "restriction")
        checked = replace(checked, restriction=named)
    made = call.services.tokens.mint(id, audience=body.aud or PLAYBACK, ttl_s=body.ttl, limits=checked)
    return made.token, made.token_id, datetime.fromtimestamp(made.expires_at, UTC)


def answer(minted: tuple[str, str, datetime], urls: AssetUrls) -> PlaybackToken:
    token, token_id, expires_at = minted
    return PlaybackToken(
        token=token,
        token_id=token_id,
        expires_at=expires_at,
        hls=urls.hls,
        dash=urls.dash,
        embed=urls.player,
        thumbnail=urls.thumbnail,
    )
