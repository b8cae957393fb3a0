"""The page of a file request: whoever has its address uploads, by tus, with the upload token that is in it."""

import base64
import hashlib
import secrets
from html import escape
from pathlib import Path

from aiohttp import hdrs, web

from server import ids
from server.catalog import file_requests
from server.catalog.sharing_models import FileRequest
from server.web.auth import Credentials
from server.web.services import SERVICES

SEAL_CHARS = 32  # 128 bits
_HERE = Path(__file__).parent
STYLE = (_HERE / "file_request.css").read_text()
SCRIPT = (_HERE / "file_request.js").read_text()


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


HEADERS = {
    hdrs.CONTENT_TYPE: "text/html; charset=utf-8",
    hdrs.CACHE_CONTROL: "no-store",  # it holds a token
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
}
CLOSED = "Nothing can be uploaded here (any more). Ask whoever sent you here for another address."


def path(request_id: str, credentials: Credentials) -> str:
    """The seal is what opens it: events and the audit log tell the id."""
    return f"/file-requests/{request_id[-22:]}-{_seal(request_id, credentials)}"


def _seal(request_id: str, credentials: Credentials) -> str:
    return credentials.sealed(f"file request {request_id}")[:SEAL_CHARS]


async def page(request: web.Request) -> web.Response:
    """404 with words for a person where there is none, or it is closed."""
    found = await _find(request)
    if found is None:
        return web.Response(status=404, body=_page("Closed", f"<p>{escape(CLOSED)}</p>").encode(), headers=HEADERS)
    return web.Response(body=_page(found.title, _form(found)).encode(), headers=HEADERS)


async def _find(request: web.Request) -> FileRequest | None:
    name, _, seal = request.match_info["id"].partition("-")
    try:
        request_id = ids.canonical("fr", name)
    except ids.InvalidId:
        return None
    if not secrets.compare_digest(seal.encode(), _seal(request_id, request.app[SERVICES].credentials).encode()):
        return None
    async with request.app[SERVICES].database.read() as transaction:
        return await file_requests.opened(transaction, request_id)


def _form(row: FileRequest) -> str:
    lines = "<br>".join(escape(line) for line in row.description.splitlines())
    return (
        (f"<p>{lines}</p>" if lines else "")
        + f'<main data-token="{escape(row.token)}"><label>Choose files, or drop them here '
        '<input type="file" multiple accept="video/*,audio/*,.mkv,.ts,.mxf"></label>'
        f'<ul aria-live="polite"></ul></main><noscript><p>This page needs JavaScript to upload.</p></noscript>'
        f"<script>{SCRIPT}</script>"
    )


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def add_routes(router: web.UrlDispatcher) -> None:
    router.add_get("/file-requests/{id}", page)
