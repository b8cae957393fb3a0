"""OAuth 2.0: for programs that act for themselves (RFC 6749, section 4.4), and for those that act for people.

For itself an API key is a client: `client_id` is the key's id and `client_secret` the key. Programs of others
(`oauth_apps`) get theirs for who consented (`server/web/consent.py`), with refresh tokens that are good once. Tokens
are short-lived, have a part of the key's scopes, and can be taken back one by one (RFC 7009). What is on offer is told
as RFC 8414 has it. Errors are problems that also carry the members of RFC 6749, section 5.2.
"""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote_plus

import orjson
from aiohttp import BasicAuth, web
from pydantic import ConfigDict, Field

from server import clock, ids
from server.catalog import oauth_apps, oauth_grants
from server.catalog.database import Transaction
from server.catalog.keys import hashed
from server.catalog.oauth_models import OAuthApp, OAuthGrant
from server.errors import Problem
from server.web.addresses import client_ip
from server.web.admission import refuse_guessing
from server.web.api.oauth_apps import KEPT, REUSED, REVOKED, end
from server.web.auth import CREDENTIAL_LIMIT, REFRESH_TTL_S, Caller, Credentials, Holder, Pair, epoch_of
from server.web.oauth_server import CODE, REFRESH, Conversation
from server.web.problems import body_of
from server.web.scopes import common, names
from server.web.shapes import LEFT_OUT, Answer
from server.web.typed import JSON_HEADERS, Call, Operations

APP = ids.PREFIXES["OAuth app"]
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
    refresh_token: str | None = LEFT_OUT


class ServerMetadata(_Plain):
    issuer: str
    authorization_endpoint: str = Field(examples=["https://video.example.com/oauth/authorize"])
    token_endpoint: str
    revocation_endpoint: str
    grant_types_supported: list[str]
    response_types_supported: list[str]
    code_challenge_methods_supported: list[str] = Field(examples=[["S256"]])
    authorization_response_iss_parameter_supported: bool
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
                "grant_type": {"enum": ["client_credentials", "authorization_code", "refresh_token"]},
                "code": {"type": "string", "description": "Of authorization_code."},
                "redirect_uri": {"type": "string", "description": "Of authorization_code: as when the code was had."},
                "code_verifier": {"type": "string", "description": "Of authorization_code (RFC 7636)."},
                "refresh_token": {"type": "string", "description": "Of refresh_token: good once."},
                "scope": {"type": "string", "description": "Separated by spaces; by default all of the key's."},
                **CLIENT,
            },
        }
    },
)
async def token(call: Call) -> Token | web.Response:
    """Good for 15 minutes. With `client_credentials` it is for the API key itself; with `authorization_code` for who
    consented on `/oauth/authorize`, and comes with a refresh token, which is good once: used twice, all that the
    program was allowed is revoked."""
    try:
        form = await _form(call)
        if form.get("grant_type") in (CODE, REFRESH):
            return await _for_program(call, form)
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


async def _for_program(call: Call, form: dict[str, str]) -> web.Response:
    """To a program that acts for somebody. Raises _Refused, Problem."""
    services, credentials = call.services, call.services.credentials
    client_id = _given(call.request, form)[0]
    presented = credentials.of_program(form.get("refresh_token", "")) if form["grant_type"] == REFRESH else None
    # a token that we signed for this program is no guess; who shows it may still guess the program's secret
    guesser = presented[0] if presented and await _is_programs(call, presented[0], client_id) else None
    refuse_guessing(call.request, services, guesser)
    app = await _app(call, client_id)
    if app is None:
        raise _wrong_client(call)
    async with services.database.write() as transaction:
        app = await oauth_apps.find(transaction, app.id)  # it may have been changed
        if app is None:
            raise _wrong_client(call)
        if presented is not None:
            row = await oauth_grants.find(transaction, presented[0])
        else:
            row = await oauth_grants.by_code(transaction, form.get("code", "")) if form["grant_type"] == CODE else None
        row = row if row is not None and row.app_id == app.id else None
        number = presented[1] if presented else 0
        good = row is not None and await _is_good(credentials, app, row, number)
        made: list[Pair] = []
        epoch = epoch_of(app.id, app.epoch)

        def mint(scopes: Sequence[str]) -> dict[str, Any]:
            assert row is not None  # who asks has looked
            holder = Holder(row.key_id, row.generation)
            made.append(credentials.for_program(holder, scopes, row.id, number + 1, epoch))
            return {
                "token_type": "Bearer", "access_token": made[0].access_token, "expires_in": made[0].expires_in,
                "refresh_token": made[0].refresh_token, "scope": " ".join(scopes),
            }  # fmt: skip

        status, told = Conversation(app, row if good else None, mint).token(form, call.request.headers)
        if row is not None and status == HTTPStatus.OK:
            row.refresh_number, row.used_at = number + 1, clock.now()
            row.expires_at = row.used_at + timedelta(seconds=REFRESH_TTL_S)
        elif row is not None and number < row.refresh_number and told.get("error") == "invalid_grant":
            await end(transaction, services, row, REUSED)  # somebody has it who should not
    if status == HTTPStatus.OK:
        return web.Response(body=orjson.dumps(told), headers={**JSON_HEADERS, "Pragma": "no-cache"})
    if told.get("error") == "invalid_client":
        for name in {guesser or "", client_ip(call.request)} - {""}:
            services.failures.take(name, "failure")
    raise _Refused(str(told.get("error")), str(told.get("error_description") or "The code or token is not good."))


async def _app(call: Call, client_id: str) -> OAuthApp | None:
    """The program of that id, which may be anything."""
    try:
        if ids.canonical(APP, client_id) != client_id:
            return None
    except ids.InvalidId:
        return None
    async with call.services.database.read() as transaction:
        return await oauth_apps.find(transaction, client_id)


async def _is_programs(call: Call, grant_id: str, client_id: str) -> bool:
    """Whether it was allowed to the program of that id."""
    async with call.services.database.read() as transaction:
        row = await oauth_grants.find(transaction, grant_id)
    return row is not None and row.app_id == client_id


async def _program(call: Call, form: dict[str, str]) -> OAuthApp | None:
    """The registered program that calls; None where nobody says so. Raises _Refused, Problem."""
    client_id, secret = _given(call.request, form)
    app = await _app(call, client_id)
    if app is None:
        return None
    refuse_guessing(call.request, call.services)
    own = app.secret_hash
    good = own is not None and secrets.compare_digest(own, hashed(secret)) if app.confidential else not secret
    if not good:
        raise _wrong_client(call)
    return app


def _wrong_client(call: Call) -> _Refused:
    """It counts for its address."""
    call.services.failures.take(client_ip(call.request), "failure")
    return _Refused("invalid_client", "The client_id or the client_secret is wrong.")


async def _is_good(credentials: Credentials, app: OAuthApp, row: OAuthGrant, number: int) -> bool:
    """Whether it is the newest code or refresh token, in time, the app may have some of it and be where it goes, and
    who consented still could."""
    gone = not row.refresh_number and row.redirect_uri not in app.redirect_uris
    if gone or not common(row.scopes, app.scopes):
        return False
    in_time = row.expires_at > clock.now() and number == row.refresh_number
    return in_time and await credentials.still_holds(Holder(row.key_id, row.generation))


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
    """One that was had for the same key, here or from `/auth/api-key`, or by the same program; of any other nothing is
    said and done. A program that only holds the token may give it back: with a refresh token all that it was allowed
    ends, with an access token that alone."""
    try:
        form = await _form(call)
        if not form.get("token"):
            raise _Refused("invalid_request", "The token is missing.")
        app = await _program(call, form)
        if await _program_gives_back(call, form["token"], app) or app is not None or _is_nobodys(call, form):
            return None
        _, client = await _client(call, form)
    except _Refused as refusal:
        return _refusal(refusal)
    token_id = call.services.credentials.token_of(client, form["token"])
    if token_id is not None:
        await call.services.revocations.add(client.project_id, token_id, timedelta(seconds=REFRESH_TTL_S))
    return None


def _is_nobodys(call: Call, form: dict[str, str]) -> bool:
    """Whether somebody who does not say who he is has a token that is none, or has expired: there is nothing to revoke,
    and that is no error (RFC 7009, section 2.2)."""
    says_who = "Authorization" in call.request.headers or "client_secret" in form
    return not says_who and not call.services.credentials.is_token(form["token"])


async def _program_gives_back(call: Call, token: str, app: OAuthApp | None) -> bool:
    """Whether it was a program's token, which opens what it ends: no more has to be shown. Another program's stays."""
    credentials = call.services.credentials
    refresh, access = credentials.of_program(token), credentials.of_grant(token)
    if refresh is not None:
        async with call.services.database.write() as transaction:
            row = await _granted(transaction, refresh[0], app)
            if row is not None:
                await end(transaction, call.services, row, REVOKED)
    elif access is not None:
        async with call.services.database.read() as transaction:
            row = await _granted(transaction, access[0], app)
        if row is not None:
            await call.services.revocations.add(row.project_id, access[1], KEPT)
    return refresh is not None or access is not None


async def _granted(transaction: Transaction, grant_id: str, app: OAuthApp | None) -> OAuthGrant | None:
    row = await oauth_grants.find(transaction, grant_id)
    return row if row is not None and (app is None or row.app_id == app.id) else None


@operations.get("/.well-known/oauth-authorization-server", "Show what OAuth offers", scope=None, kind="free")
async def metadata(call: Call) -> ServerMetadata:
    """What clients of OAuth 2.0 look for (RFC 8414)."""
    ways = ["client_secret_basic", "client_secret_post"]
    return ServerMetadata(
        issuer=call.base_url,
        authorization_endpoint=call.base_url + "/oauth/authorize",
        token_endpoint=call.base_url + "/oauth/token",
        revocation_endpoint=call.base_url + "/oauth/revoke",
        grant_types_supported=["client_credentials", CODE, REFRESH],
        response_types_supported=["code"],
        code_challenge_methods_supported=["S256"],
        authorization_response_iss_parameter_supported=True,
        token_endpoint_auth_methods_supported=[*ways, "none"],
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
    key_id, secret = _given(call.request, form)
    if not call.services.credentials.knows_key(secret):
        refuse_guessing(call.request, call.services)
    caller = await call.services.credentials.of_key(secret)
    if caller is None or key_id != caller.key_id:
        raise _wrong_client(call)
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
