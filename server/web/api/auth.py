"""Access tokens for API keys. The one corner of the API in snake_case, as OAuth has it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from server.errors import Problem
from server.web.addresses import client_ip
from server.web.admission import refuse_guessing
from server.web.auth import CREDENTIAL_LIMIT, Pair
from server.web.shapes import Answer, Body
from server.web.typed import Call, Operations

operations = Operations("Authentication")


class ApiKeyBody(Body):
    api_key: Annotated[str, Field(min_length=1, max_length=CREDENTIAL_LIMIT)]


class RefreshBody(Body):
    refresh_token: Annotated[str, Field(min_length=1, max_length=CREDENTIAL_LIMIT)]


class AccessToken(Answer):
    model_config = ConfigDict(alias_generator=lambda name: name)

    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int
    access_token: str
    refresh_token: str


@operations.post(
    "/auth/api-key",
    "Exchange an API key for an access token",
    scope=None,
    errors=["authentication-invalid-user-credentials"],
)
async def exchange(call: Call, body: ApiKeyBody) -> AccessToken:
    """The access token is sent as `Bearer`, and lives for an hour; the refresh token makes the next one."""
    if not call.services.credentials.knows_key(body.api_key):
        refuse_guessing(call.request, call.services)
    try:
        return _answer(await call.services.credentials.exchange(body.api_key))
    except Problem:
        call.services.failures.take(client_ip(call.request), "failure")
        raise


@operations.post(
    "/auth/refresh",
    "Exchange a refresh token for an access token",
    scope=None,
    errors=["authentication-invalid-refresh-token"],
)
async def refresh(call: Call, body: RefreshBody) -> AccessToken:
    """The API key is not needed again. It has to be there still: without it its tokens end."""
    return _answer(await call.services.credentials.refresh(body.refresh_token))


def _answer(pair: Pair) -> AccessToken:
    return AccessToken(
        expires_in=pair.expires_in, access_token=pair.access_token, refresh_token=pair.refresh_token
    )
