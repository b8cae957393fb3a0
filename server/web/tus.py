"""tus 1.0.0 at /tus: the protocol's core decides, the upload service does.

The URL of an upload, /tus/{id}/{secret}, opens that upload without further credentials; logs mask the secret.
"""

from collections.abc import Mapping
from dataclasses import replace

from aiohttp import web

from server.catalog import audit
from server.catalog.audit import Actor
from server.errors import Problem
from server.protocols.tus import answers, commands
from server.protocols.tus.answers import Answer
from server.protocols.tus.commands import Append, Create, Delete, Head, Join, Options
from server.uploads.partials import PREFIX, Partials
from server.uploads.placement import Sender, sender_of_token
from server.uploads.service import Opened, Uploads
from server.web import bodies
from server.web.addresses import base_url, client_ip
from server.web.admission import count, identify
from server.web.auth import Caller
from server.web.cors import CORS
from server.web.middleware import EXTRA_HEADERS, REQUEST_ID
from server.web.scopes import REPLACING
from server.web.services import SERVICES

PATH = "/tus"
SCOPE = "uploads:create"
OPERATION = "POST_tus"  # in the audit log
VIDEO_HEADER = "Sluice-Video-Id"
EXPOSED = (
    "Location",
    "Tus-Resumable",
    "Tus-Version",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Checksum-Algorithm",
    "Upload-Offset",
    "Upload-Length",
    "Upload-Defer-Length",
    "Upload-Metadata",
    "Upload-Expires",
    "Upload-Concat",
    VIDEO_HEADER,
)

UPLOADS = web.AppKey("uploads", Uploads)
PARTIALS = web.AppKey("partials", Partials)


def mount(app: web.Application) -> None:
    """Adds the routes; `app[UPLOADS]` and `app[PARTIALS]` are set before the first request."""
    for path in (PATH, PATH + "/"):
        app.router.add_route("*", path, collection, expect_handler=bodies.wait_to_continue)
    app.router.add_route("*", PATH + "/{upload}/{secret}", upload, expect_handler=bodies.wait_to_continue)
    app[CORS].expose(EXPOSED)


async def collection(request: web.Request) -> web.StreamResponse:
    """Options, and new uploads."""
    request[EXTRA_HEADERS] = dict(answers.RESUMABLE)
    service = request.app[UPLOADS]
    match commands.parse(request.method, request.headers, "collection", service.max_bytes):
        case Options():
            return _response(answers.options(service.max_bytes))
        case Create() as command:
            return await _create(request, request.app[PARTIALS] if command.partial else service, command)
        case Join() as command:
            return await _join(request, command)
        case command:
            raise Problem("method-not-allowed", detail=type(command).__name__)


async def upload(request: web.Request) -> web.StreamResponse:
    """One upload: where it stands, more of it, or its end."""
    request[EXTRA_HEADERS] = dict(answers.RESUMABLE)
    upload_id, secret = request.match_info["upload"], request.match_info["secret"]
    service = request.app[PARTIALS if upload_id.startswith(PREFIX) else UPLOADS]
    max_bytes = request.app[UPLOADS].max_bytes
    match commands.parse(request.method, request.headers, "upload", max_bytes):
        case Options():
            return _response(answers.options(max_bytes))
        case Head():
            return _response(answers.head(*await service.head(upload_id, secret)))
        case Append() as command:
            now = await service.append(upload_id, secret, command, bodies.chunks(request))
            return _response(answers.appended(now))
        case Delete():
            await service.abort(upload_id, secret)
            return _response(answers.deleted())
        case command:
            raise Problem("method-not-allowed", detail=type(command).__name__)


async def _create(request: web.Request, service: Uploads | Partials, command: Create) -> web.StreamResponse:
    sender, actor = await _sender(request)
    return await begin(request, service, command, sender, actor)


async def begin(
    request: web.Request, service: Uploads | Partials, command: Create, sender: Sender, actor: Actor, path: str = PATH
) -> web.StreamResponse:
    """A new upload, under `path`, with what of it has come along. Raises Problem."""
    async with audit.audited(actor):
        opened = await service.create(sender, command)
    now = opened.upload
    if command.body_length != 0:
        try:
            first = Append(0, None, command.body_length, command.checksum)
            now = await service.append(opened.id, opened.secret, first, bodies.chunks(request))
        except Problem:
            await service.abort(opened.id, opened.secret)  # its URL will not be told
            raise
    return _created(request, replace(opened, upload=now), path)


async def _join(request: web.Request, command: Join) -> web.StreamResponse:
    sender, actor = await _sender(request)
    async with audit.audited(actor):
        opened = await request.app[PARTIALS].join(sender, command)
    return _created(request, opened)


def _created(request: web.Request, opened: Opened, path: str = PATH) -> web.StreamResponse:
    location = f"{_base(request)}{path}/{opened.id}/{opened.secret}"
    video = {VIDEO_HEADER: opened.video_id} if opened.video_id else {}
    return _response(answers.created(location, opened.upload), video)


async def _sender(request: web.Request) -> tuple[Sender, Actor]:
    """Whose upload it is: an upload token's or an API key's. A failed try counts for its address."""
    services = request.app[SERVICES]
    try:
        found, who = await _known_sender(request)
    except Problem:
        count(request, services, client_ip(request), "upload")
        raise
    count(request, services, who, "upload")
    kind, key_id = ("api-key", who.key_id) if isinstance(who, Caller) else ("upload-token", None)
    return found, Actor(kind, OPERATION, found.project_id, key_id, request.get(REQUEST_ID), client_ip(request))


async def _known_sender(request: web.Request) -> tuple[Sender, Caller | str]:
    """The sender, and whom to count the call for. Raises Problem: 401, 403, 429."""
    services = request.app[SERVICES]
    token = request.query.get("token")
    if token:
        try:
            return await sender_of_token(services.database, token), token
        except Problem:
            services.credentials.refused.add("invalid-upload-token")
            raise
    caller = await identify(request, services)
    if not caller.may(SCOPE):
        services.credentials.refused.add("scope")
        raise Problem("forbidden", f"The API key lacks the scope {SCOPE}.")
    return Sender(caller.project_id, replaces=caller.may(REPLACING)), caller


def _base(request: web.Request) -> str:
    """Nothing where a relative Location does: it can't be wrong about the scheme and host a client used."""
    http = request.app[SERVICES].http
    return base_url(request) if http.public_url or http.trusted_proxies else ""


def _response(answer: Answer, more: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=answer.status, headers={**answer.headers, **(more or {})})
