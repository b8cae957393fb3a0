"""The page on which somebody lets a program of others act for them: `/oauth/authorize`.

There is no log-in: who consents shows an API key, in a form of this origin, which goes nowhere but here. The program
gets what it asked for, as far as the key has it.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from string import Template
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web

from server import clock, ids
from server.catalog import audit, oauth_apps, oauth_grants
from server.catalog.audit import Actor
from server.catalog.keys import hashed
from server.catalog.models import DEFAULT_PROJECT
from server.catalog.oauth_models import OAuthApp, OAuthGrant
from server.errors import Problem
from server.web import rates
from server.web.addresses import client_ip
from server.web.auth import CREDENTIAL_LIMIT, Caller
from server.web.middleware import REQUEST_ID
from server.web.oauth_server import Conversation, OAuth2Error
from server.web.services import SERVICES
from server.web.typed import Call, count, refuse_guessing

FIELDS_LIMIT = 20
ASKED_S = 600  # that somebody may look at the page
CODE_S = 60  # until a program has to have its tokens
PARAMETERS = ("response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")
TEXT_LIMIT = 2000  # characters of one of them

PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style nonce="$nonce">
body { font: 16px/1.5 system-ui, sans-serif; max-width: 28rem; margin: 10vh auto 2rem; padding: 0 1rem; color: #1a1a1a }
h1 { font-size: 1.4rem; line-height: 1.3 }
ul { padding-left: 1.2rem }
code { font-size: .95em; overflow-wrap: anywhere }
label { display: block; margin: 1.5rem 0 .3rem; font-weight: 600 }
input[type=password] { width: 100%; box-sizing: border-box; padding: .6rem; font: inherit; border: 1px solid #767676;
  border-radius: .3rem }
.buttons { display: flex; gap: .75rem; margin-top: 1rem }
button { font: inherit; padding: .6rem 1.2rem; border-radius: .3rem; border: 1px solid #1456c4; background: #fff;
  color: #1456c4; cursor: pointer }
button.first { background: #1456c4; color: #fff }
.fault { border-left: .25rem solid #b3261e; padding: .3rem .8rem; background: #fceeee }
small { color: #555 }
</style>
<main>
$content
</main>
</html>
""")


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
    call = _call(request, "read")
    given = dict(request.query)
    if len(given) < len(request.query):
        return _fault("A parameter is given twice.")
    asked = await _asked(call, given)
    return asked if isinstance(asked, web.Response) else _page(call, asked)


async def decide(request: web.Request) -> web.Response:
    """The form of that page, which only it can send: 303 leads back to the program."""
    call = _call(request, "write")
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin" or not _own_origin(call):
        return _fault("The form was sent from another page.", 403)
    form = await _form(request)
    asked = await _asked(call, {name: form[name] for name in PARAMETERS if name in form})
    if isinstance(asked, web.Response):
        return asked
    if not _is_fresh(call, asked, form.get("shown", "")):
        return _page(call, asked, "The page was open for too long. Please try again.", 400)
    if form.get("decision") != "allow":
        return _back(call, asked.redirect_uri, {"error": "access_denied"}, asked.given)
    return await _allow(call, asked, form.get("key", "").strip())


def _call(request: web.Request, kind: rates.Kind) -> Call:
    """Raises Problem, 429."""
    services = request.app[SERVICES]
    count(request, services, client_ip(request), kind)
    return Call(request, services, None)


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
    async with audit.audited(_actor(call, caller)), call.services.database.write() as transaction:
        await oauth_grants.add(transaction, row)
    return _redirect(f"{location}&{urlencode({'iss': call.base_url})}")


def _actor(call: Call, caller: Caller) -> Actor:
    request_id = call.request.get(REQUEST_ID)
    return Actor(
        "api-key", "POST_oauth-authorize", caller.project_id, caller.key_id, request_id, client_ip(call.request)
    )


async def _asked(call: Call, given: Mapping[str, str]) -> Asked | web.Response:
    """What is asked for, or the answer that says what is wrong with it."""
    if any(len(value) > TEXT_LIMIT or "\x00" in value for value in given.values()):
        return _fault("A parameter is too long, or no text.")
    app = await _app(call, given.get("client_id", ""))
    if app is None:
        return _fault("The program that sent you here is not registered.")
    if given.get("redirect_uri") not in app.redirect_uris:
        return _fault("The program that sent you here wants to have you back at an address that is not registered.")
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


async def _form(request: web.Request) -> Mapping[str, str]:
    """Each field once. Raises Problem."""
    try:
        pairs = parse_qsl((await request.read()).decode(), max_num_fields=FIELDS_LIMIT, keep_blank_values=True)
    except ValueError:
        raise Problem("invalid-payload", "The body has to be a short form in UTF-8.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Problem("invalid-payload", "A field is given twice.")
    return form


def _own_origin(call: Call) -> bool:
    origin = call.request.headers.get("Origin")
    own = urlsplit(call.base_url)
    return origin is not None and origin == f"{own.scheme}://{own.netloc}"


def _seal(call: Call, asked: Asked, until: int) -> str:
    told = urlencode(sorted((name, value) for name, value in asked.given.items() if name in PARAMETERS))
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
<p>It gets no more of this than your API key has, and not the key itself. You can take it back at any time.
Afterwards you are led to <code>{escape(where.netloc or where.scheme)}</code>.</p>
<form method="post" action="authorize" autocomplete="off">
{fields}
<label for="key">Your API key</label>
<input type="password" id="key" name="key" autocomplete="off" spellcheck="false" maxlength="{CREDENTIAL_LIMIT}">
<div class="buttons">
<button class="first" name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Cancel</button>
</div>
</form>
<p><small>Nobody else needs your key: give it on this page only where you trust its address.</small></p>"""
    leads_to = f"{where.scheme}://{where.netloc}" if where.netloc else f"{where.scheme}:"
    return _html(f"{asked.app.name} wants to act for you", content, status, leads_to)


def _fault(sentence: str, status: int = 400) -> web.Response:
    return _html("This can't go on", f"<h1>This can't go on</h1><p>{escape(sentence)}</p>", status)


def _html(title: str, content: str, status: int, leads_to: str = "") -> web.Response:
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {leads_to}"  # browsers hold what a form leads to against it too
    )
    headers = {
        "Content-Security-Policy": policy.strip(),
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",  # with none, the form's own origin would not be told
        "X-Frame-Options": "DENY",
    }
    body = PAGE.substitute(title=escape(title), nonce=nonce, content=content)
    return web.Response(text=body, status=status, content_type="text/html", headers=headers)


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
