"""What the pages have in common on which people decide what programs may do for them: their look, their forms, and that
no other page can show or send them.
"""

import secrets
from collections.abc import Mapping
from html import escape
from string import Template
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from server.catalog.audit import Actor
from server.errors import Problem
from server.web import rates
from server.web.addresses import client_ip
from server.web.admission import count
from server.web.auth import CREDENTIAL_LIMIT
from server.web.middleware import REQUEST_ID
from server.web.services import SERVICES
from server.web.typed import Call

FIELDS_LIMIT = 20
FOREIGN = "The form was sent from another page."
KEY_FIELD = f"""<label for="key">Your API key</label>
<input type="password" id="key" name="key" autocomplete="off" spellcheck="false" maxlength="{CREDENTIAL_LIMIT}">"""

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
button.small { padding: .3rem .8rem; flex: none }
small { color: #555 }
a { color: #1456c4 }
.one { border-top: 1px solid #ddd; padding: .8rem 0; display: flex; gap: 1rem; justify-content: space-between;
  align-items: start }
.one h2 { font-size: 1rem; margin: 0; overflow-wrap: anywhere }
.one p { margin: .2rem 0 0 }
</style>
<main>
$content
</main>
</html>
""")


def begin(request: web.Request, kind: rates.Kind) -> Call:
    """Raises Problem, 429."""
    services = request.app[SERVICES]
    count(request, services, client_ip(request), kind)
    return Call(request, services, None)


async def form_of(request: web.Request) -> Mapping[str, str]:
    """Each field once. Raises Problem."""
    try:
        pairs = parse_qsl((await request.read()).decode(), max_num_fields=FIELDS_LIMIT, keep_blank_values=True)
    except ValueError:
        raise Problem("invalid-payload", "The body has to be a short form in UTF-8.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Problem("invalid-payload", "A field is given twice.")
    return form


def is_own_form(call: Call) -> bool:
    """Whether a page of this server sent it: browsers say so themselves."""
    if call.request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    origin = call.request.headers.get("Origin")
    own = urlsplit(call.base_url)
    return origin is not None and origin == f"{own.scheme}://{own.netloc}"


def actor(call: Call, key_id: str, project_id: str, operation: str) -> Actor:
    """Who shows the key."""
    return Actor("api-key", operation, project_id, key_id, call.request.get(REQUEST_ID), client_ip(call.request))


def fault(sentence: str, status: int = 400) -> web.Response:
    return html("This can't go on", f"<h1>This can't go on</h1><p>{escape(sentence)}</p>", status)


def html(title: str, content: str, status: int, leads_to: str = "") -> web.Response:
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
