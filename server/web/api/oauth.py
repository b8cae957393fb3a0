"""OAuth 2.0 for programs that act for themselves (RFC 6749, section 4.4): an API key is a client.

`client_id` is the key's id and `client_secret` the key. Its tokens are short-lived, have a part of the key's scopes,
and can be taken back one by one (RFC 7009). What is on offer is told as RFC 8414 has it. Errors are problems that also
carry the members of RFC 6749, section 5.2.
"""

from datetime import timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote_plus

import orjson
from aiohttp import BasicAuth, web
from pydantic import ConfigDict, Field

from server.errors import Problem
from server.web.addresses import client_ip
from server.web.auth import CREDENTIAL_LIMIT, REFRESH_TTL_S, Caller
from server.web.problems import body_of
from server.web.scopes import names
from server.web.shapes import Answer
from server.web.typed import Call, Operations, refuse_guessing

FIELDS_LIMIT = 20
FORM = "application/x-www-form-urlencoded"
CLIENT = {
    "client_id": {"type": "string", "description": "The key's id, unless it comes in the Authorization header."},
    "client_secret": {"type": "string", "description": "The API key."},
}
ERRORS = ("invalid-payload", "authentication-invalid-api-key")

operations = Operations("OAuth 2.0")


class _Plain(Answer):
    model_config = ConfigDict(alias_generator=lambda name: name)


class Token(_Plain):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int
    scope: str = Field(description="Separated by spaces.")


class ServerMetadata(_Plain):
    issuer: str
    token_endpoint: str
    revocation_endpoint: str
    grant_types_supported: list[str]
    response_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    revocation_endpoint_auth_methods_supported: list[str]
    scopes_supported: list[str]


class _Refused(Exception):
    """A code of RFC 6749, section 5.2."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code)
        self.code, self.sentence = code, sentence


@operations.post(
    "/oauth/token",
    "Get an OAuth access token",
    scope=None,
    errors=ERRORS,
    raw={
        FORM: {
            "type": "object",
            "required": ["grant_type"],
            "properties": {
                "grant_type": {"const": "client_credentials"},
                "scope": {"type": "string", "description": "Separated by spaces; by default all of the key's."},
                **CLIENT,
            },
        }
    },
)
async def token(call: Call) -> Token | web.Response:
    """Of the grant `client_credentials`; good for 15 minutes."""
    try:
        form = await _form(call)
        secret, client = await _client(call, form)
        if form.get("grant_type") != "client_credentials":
            code = "unsupported_grant_type" if form.get("grant_type") else "invalid_request"
            raise _Refused(code, "The grant_type has to be client_credentials.")
        wanted = form.get("scope", "").split() or sorted(client.scopes)
        for scope in wanted:
            if scope not in names() or not client.may(scope):
                raise _Refused("invalid_scope", "The API key lacks one of the scopes.")
    except _Refused as refusal:
        return _refusal(refusal)
    made = call.services.credentials.grant(client, secret, wanted)
    return Token(access_token=made.access_token, expires_in=made.expires_in, scope=" ".join(wanted))


@operations.post(
    "/oauth/revoke",
    "Revoke an access or refresh token",
    scope=None,
    errors=ERRORS,
    raw={
        FORM: {
            "type": "object",
            "required": ["token"],
            "properties": {"token": {"type": "string"}, "token_type_hint": {"type": "string"}, **CLIENT},
        }
    },
)
async def revoke(call: Call) -> web.Response | None:
    """One that was had for the same key, here or from `/auth/api-key`; of any other nothing is said and done."""
    try:
        form = await _form(call)
        _, client = await _client(call, form)
        if not form.get("token"):
            raise _Refused("invalid_request", "The token is missing.")
    except _Refused as refusal:
        return _refusal(refusal)
    token_id = call.services.credentials.token_of(client, form["token"])
    if token_id is not None:
        await call.services.revocations.add(client.project_id, token_id, timedelta(seconds=REFRESH_TTL_S))
    return None


@operations.get("/.well-known/oauth-authorization-server", "Show what OAuth offers", scope=None, kind="free")
async def metadata(call: Call) -> ServerMetadata:
    """What clients of OAuth 2.0 look for (RFC 8414)."""
    ways = ["client_secret_basic", "client_secret_post"]
    return ServerMetadata(
        issuer=call.base_url,
        token_endpoint=call.base_url + "/oauth/token",
        revocation_endpoint=call.base_url + "/oauth/revoke",
        grant_types_supported=["client_credentials"],
        response_types_supported=[],
        token_endpoint_auth_methods_supported=ways,
        revocation_endpoint_auth_methods_supported=ways,
        scopes_supported=sorted(names()),
    )


async def _form(call: Call) -> dict[str, str]:
    """Each field once (RFC 6749, section 3.2)."""
    try:
        pairs = parse_qsl((await call.request.read()).decode(), max_num_fields=FIELDS_LIMIT, keep_blank_values=True)
    except ValueError:
        raise _Refused("invalid_request", "The body has to be a short form in UTF-8.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _Refused("invalid_request", "A parameter is given twice.")
    return form


async def _client(call: Call, form: dict[str, str]) -> tuple[str, Caller]:
    """The key and whose it is; a wrong one counts for its address. Raises Problem, 429."""
    refuse_guessing(call.request, call.services)
    key_id, secret = _given(call.request, form)
    caller = await call.services.credentials.of_key(secret)
    if caller is None or key_id != caller.key_id:
        call.services.failures.take(client_ip(call.request), "failure")
        raise _Refused("invalid_client", "The client_id or the client_secret is wrong.")
    return secret, caller


def _given(request: web.Request, form: dict[str, str]) -> tuple[str, str]:
    header = request.headers.get("Authorization")
    if header is None:
        key_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    elif "client_secret" in form:
        raise _Refused("invalid_request", "The client_secret is given twice.")
    else:
        try:
            basic = BasicAuth.decode(header, "utf-8")
        except ValueError:
            raise _Refused("invalid_client", "The Authorization header is not valid.") from None
        key_id, secret = unquote_plus(basic.login), unquote_plus(basic.password)
    if len(secret) > CREDENTIAL_LIMIT:
        raise _Refused("invalid_client", "The client_secret is too long.")
    return key_id, secret


def _refusal(refusal: _Refused) -> web.Response:
    wrong_client = refusal.code == "invalid_client"
    problem = Problem("authentication-invalid-api-key" if wrong_client else "invalid-payload", refusal.sentence)
    body: dict[str, Any] = {**body_of(problem), "error": refusal.code, "error_description": refusal.sentence}
    headers = {"Cache-Control": "no-store", "Content-Type": "application/json"}
    if wrong_client:
        headers["WWW-Authenticate"] = 'Basic realm="Sluice"'
    return web.Response(body=orjson.dumps(body), status=problem.row.status, headers=headers)
