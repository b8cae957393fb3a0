"""The page on which somebody lets a program of others act for them: `/oauth/authorize`.

There is no log-in: who consents shows an API key, in a form of this origin, which goes nowhere but here. The program
gets what it asked for, as far as the key has it.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from server import clock, ids
from server.catalog import audit, oauth_apps, oauth_grants
from server.catalog.keys import hashed
from server.catalog.models import DEFAULT_PROJECT
from server.catalog.oauth_models import OAuthApp, OAuthGrant
from server.web.addresses import client_ip
from server.web.admission import refuse_guessing
from server.web.auth import CREDENTIAL_LIMIT
from server.web.oauth_server import Conversation, OAuth2Error
from server.web.person_pages import FOREIGN, KEY_FIELD, actor, begin, fault, form_of, html, is_own_form
from server.web.typed import Call

ASKED_S = 600  # that somebody may look at the page
CODE_S = 60  # until a program has to have its tokens
PARAMETERS = ("response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")
TEXT_LIMIT = 2000  # characters of one of them


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program asks for."""

    given: Mapping[str, str]
    app: OAuthApp
    redirect_uri: str
    scopes: Sequence[str]


async def ask(request: web.Request) -> web.Response:
    """The page that a program of others sends people to: with `response_type=code`, `client_id`, `redirect_uri` as
    registered, `scope`, `state`, `code_challenge` and `code_challenge_method=S256`. It leads back to the program, with
    a `code` or an `error`."""
    call = begin(request, "read")
    given = dict(request.query)
    if len(given) < len(request.query):
        return fault("A parameter is given twice.")
    asked = await _asked(call, given)
    return asked if isinstance(asked, web.Response) else _page(call, asked)


async def decide(request: web.Request) -> web.Response:
    """The form of that page, which only it can send: 303 leads back to the program."""
    call = begin(request, "write")
    if not is_own_form(call):
        return fault(FOREIGN, 403)
    form = await form_of(request)
    asked = await _asked(call, {name: form[name] for name in PARAMETERS if name in form})
    if isinstance(asked, web.Response):
        return asked
    if not _is_fresh(call, asked, form.get("shown", "")):
        return _page(call, asked, "The page was open for too long. Please try again.", 400)
    if form.get("decision") != "allow":
        return _back(call, asked.redirect_uri, {"error": "access_denied"}, asked.given)
    return await _allow(call, asked, form.get("key", "").strip())


async def _allow(call: Call, asked: Asked, key: str) -> web.Response:
    refuse_guessing(call.request, call.services)
    credentials = call.services.credentials
    caller = await credentials.of_key(key) if 0 < len(key) <= CREDENTIAL_LIMIT else None
    if caller is None or asked.app.project_id not in (DEFAULT_PROJECT, caller.project_id):
        call.services.failures.take(client_ip(call.request), "failure")
        return _page(call, asked, "This API key opens nothing here.", 403)
    scopes = [scope for scope in asked.scopes if caller.may(scope)]
    if not scopes:
        return _page(call, asked, "This API key has none of the scopes that are asked for.", 403)
    location, code = Conversation(asked.app).allowed(asked.given, caller.key_id)
    holder, until = credentials.holder(caller, key), clock.now() + timedelta(seconds=CODE_S)
    row = OAuthGrant(
        id=ids.new("grant_"), project_id=caller.project_id, app_id=asked.app.id, key_id=holder.key_id,
        generation=holder.generation, scopes=scopes, code_hash=hashed(code), code_expires_at=until, expires_at=until,
        code_challenge=asked.given["code_challenge"], redirect_uri=asked.redirect_uri,
    )  # fmt: skip
    doer = actor(call, caller.key_id, caller.project_id, "POST_oauth-authorize")
    async with audit.audited(doer), call.services.database.write() as transaction:
        app = await oauth_apps.find(transaction, asked.app.id)
        if app is None or app.updated_at != asked.app.updated_at:
            return fault("The program was changed meanwhile. Please begin again.", 409)
        await oauth_grants.add(transaction, row)
    return _redirect(f"{location}&{urlencode({'iss': call.base_url})}")


async def _asked(call: Call, given: Mapping[str, str]) -> Asked | web.Response:
    """What is asked for, or the answer that says what is wrong with it."""
    if any(len(value) > TEXT_LIMIT or "\x00" in value for value in given.values()):
        return fault("A parameter is too long, or no text.")
    app = await _app(call, given.get("client_id", ""))
    if app is None:
        return fault("The program that sent you here is not registered.")
    if given.get("redirect_uri") not in app.redirect_uris:
        return fault("The program that sent you here wants to have you back at an address that is not registered.")
    try:
        redirect_uri, scopes = Conversation(app).asked(given)
    except OAuth2Error as error:
        told = {"error": error.error or "invalid_request", "error_description": str(error.description or "")}
        return _back(call, given["redirect_uri"], told, given)
    return Asked(given, app, redirect_uri, scopes)


async def _app(call: Call, client_id: str) -> OAuthApp | None:
    try:
        id = ids.canonical("app_", client_id)
    except ids.InvalidId:
        return None
    if id != client_id:
        return None
    async with call.services.database.read() as transaction:
        return await oauth_apps.find(transaction, id)


def _seal(call: Call, asked: Asked, until: int) -> str:
    given = sorted((name, value) for name, value in asked.given.items() if name in PARAMETERS)
    told = urlencode([*given, ("app", asked.app.name), ("as of", asked.app.updated_at.isoformat())])
    return f"{until}.{call.services.credentials.sealed(f'{until} {told}')}"


def _is_fresh(call: Call, asked: Asked, shown: str) -> bool:
    """Whether what is sent is what the page showed, not long ago."""
    until = shown.partition(".")[0]
    if not (until.isascii() and until.isdigit() and len(until) < 12) or int(until) < clock.wall_ms() / 1000:
        return False
    return secrets.compare_digest(shown.encode(), _seal(call, asked, int(until)).encode())


def _page(call: Call, asked: Asked, fault: str | None = None, status: int = 200) -> web.Response:
    until = clock.wall_ms() // 1000 + ASKED_S
    hidden = {**{name: asked.given[name] for name in PARAMETERS if name in asked.given},
              "shown": _seal(call, asked, until)}  # fmt: skip
    fields = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in hidden.items())
    scopes = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in asked.scopes)
    where = urlsplit(asked.redirect_uri)
    content = f"""<h1>{escape(asked.app.name)} wants to act for you</h1>
{f'<p class="fault" role="alert">{escape(fault)}</p>' if fault else ""}
<p>It asks for:</p>
<ul>{scopes}</ul>
<p>It gets no more of this than your API key has, and not the key itself. You can <a href="allowed">take it
back</a> at any time. Afterwards you are led to <code>{escape(where.netloc or where.scheme)}</code>.</p>
<form method="post" action="authorize" autocomplete="off">
{fields}
{KEY_FIELD}
<div class="buttons">
<button class="first" name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Cancel</button>
</div>
</form>
<p><small>Nobody else needs your key: give it on this page only where you trust its address.</small></p>"""
    leads_to = f"{where.scheme}://{where.netloc}" if where.netloc else f"{where.scheme}:"
    return html(f"{asked.app.name} wants to act for you", content, status, leads_to)


def _back(
    call: Call, redirect_uri: str, told: Mapping[str, str], given: Mapping[str, str]
) -> web.Response:
    """To the program, with what went wrong (RFC 6749, section 4.1.2.1; RFC 9207)."""
    pairs = {**told, "iss": call.base_url, **({"state": given["state"]} if "state" in given else {})}
    separator = "&" if urlsplit(redirect_uri).query else "?"
    return _redirect(f"{redirect_uri}{separator}{urlencode(pairs)}")


def _redirect(location: str) -> web.Response:
    return web.Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})


def add_routes(router: web.UrlDispatcher) -> None:
    router.add_get("/oauth/authorize", ask)
    router.add_post("/oauth/authorize", decide)
