"""The page on which somebody sees which programs may act for them, and takes that back: `/oauth/allowed`.

There is no log-in: who asks shows an API key, in a form of this origin; the list that follows carries a seal in its
place, which is good for that key's own list, and not for long.
"""

import secrets
from collections.abc import Mapping
from html import escape

from aiohttp import web

from server import clock
from server.catalog import audit, oauth_grants
from server.catalog.oauth_models import OAuthGrant
from server.web.addresses import client_ip
from server.web.admission import refuse_guessing
from server.web.api.oauth_apps import REVOKED, end
from server.web.auth import CREDENTIAL_LIMIT, Holder
from server.web.person_pages import FOREIGN, KEY_FIELD, actor, begin, fault, form_of, html, is_own_form
from server.web.typed import Call

SHOWN_S = 600  # that somebody may look at the list
TITLE = "Programs that act for you"
INTRODUCTION = "You see which programs were allowed to act for the holder of a key, and can take it back."


async def ask(request: web.Request) -> web.Response:
    """The question for a key."""
    return _question(begin(request, "read"))


async def decide(request: web.Request) -> web.Response:
    """The form of that page, with a key; or that of the list, with what is to be taken back."""
    call = begin(request, "write")
    if not is_own_form(call):
        return fault(FOREIGN, 403)
    form = await form_of(request)
    if "grant" not in form:
        return await _with_key(call, form.get("key", "").strip())
    holder = _sealed(call, form)
    if holder is None or not await call.services.credentials.still_holds(holder):
        return _question(call, "The page was open for too long. Please show your key again.", 400)
    name = await _take_back(call, holder, form["grant"])
    return await _list(call, holder, f"{name} acts for you no more." if name else "It had ended already.")


async def _with_key(call: Call, key: str) -> web.Response:
    refuse_guessing(call.request, call.services)
    credentials = call.services.credentials
    caller = await credentials.of_key(key) if 0 < len(key) <= CREDENTIAL_LIMIT else None
    if caller is None:
        call.services.failures.take(client_ip(call.request), "failure")
        return _question(call, "This API key opens nothing here.", 403)
    return await _list(call, credentials.holder(caller, key))


async def _take_back(call: Call, holder: Holder, grant_id: str) -> str | None:
    """The name of the program; None where there is no such grant of this key."""
    async with call.services.database.read() as transaction:
        found = await oauth_grants.of_key(transaction, holder.key_id, clock.now())
    known = {row.id: (row.project_id, name) for row, name in found}
    if grant_id not in known:
        return None
    project_id, name = known[grant_id]
    doer = actor(call, holder.key_id, project_id, "POST_oauth-allowed")
    async with audit.audited(doer), call.services.database.write() as transaction:
        row = await oauth_grants.find(transaction, grant_id)
        if row is None:
            return None
        await end(transaction, call.services, row, REVOKED)
    return name


async def _list(call: Call, holder: Holder, said: str = "") -> web.Response:
    async with call.services.database.read() as transaction:
        found = await oauth_grants.of_key(transaction, holder.key_id, clock.now())
    until = clock.wall_ms() // 1000 + SHOWN_S
    hidden = {"until": str(until), "holder": holder.key_id, "generation": holder.generation}
    hidden["seal"] = _seal(call, holder, until)
    fields = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in hidden.items())
    programs = "".join(_program(row, name, fields) for row, name in found)
    content = f"""<h1>{TITLE}</h1>
{f'<p role="status">{escape(said)}</p>' if said else ""}
{programs or "<p>No program may act for the holder of this key.</p>"}
<p><small>Those that were allowed with another key are shown with that key.</small></p>"""
    return html(TITLE, content, 200)


def _program(row: OAuthGrant, name: str, fields: str) -> str:
    used = f"last used {row.used_at:%Y-%m-%d %H:%M} UTC" if row.used_at else "never used"
    return f"""<form class="one" method="post" action="allowed">
<div><h2>{escape(name)}</h2>
<p>{", ".join(f"<code>{escape(str(scope))}</code>" for scope in row.scopes)}</p>
<p><small>Allowed {row.created_at:%Y-%m-%d %H:%M} UTC, {used}</small></p></div>
{fields}
<button class="small" name="grant" value="{row.id}" aria-label="Take back from {escape(name)}">Take back</button>
</form>"""


def _question(call: Call, wrong: str | None = None, status: int = 200) -> web.Response:
    content = f"""<h1>{TITLE}</h1>
{f'<p class="fault" role="alert">{escape(wrong)}</p>' if wrong else ""}
<p>{INTRODUCTION}</p>
<form method="post" action="allowed" autocomplete="off">
{KEY_FIELD}
<div class="buttons"><button class="first">Show</button></div>
</form>
<p><small>Give your key on this page only where you trust its address.</small></p>"""
    return html(TITLE, content, status)


def _seal(call: Call, holder: Holder, until: int) -> str:
    return call.services.credentials.sealed(f"allowed {until} {holder.key_id} {holder.generation}")


def _sealed(call: Call, form: Mapping[str, str]) -> Holder | None:
    """Whose list it was, if it was shown not long ago."""
    until = form.get("until", "")
    if not (until.isascii() and until.isdigit() and len(until) < 12) or int(until) < clock.wall_ms() / 1000:
        return None
    holder = Holder(form.get("holder", ""), form.get("generation", ""))
    right = _seal(call, holder, int(until))
    return holder if secrets.compare_digest(form.get("seal", "").encode(), right.encode()) else None


def add_routes(router: web.UrlDispatcher) -> None:
    router.add_get("/oauth/allowed", ask)
    router.add_post("/oauth/allowed", decide)
