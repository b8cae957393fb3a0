"""The addresses that `/v2/init` makes: each takes one file, as the body of a POST or, a video's, over tus.

    POST                                the file, whole; again after a break, from the beginning
    POST with Tus-Resumable             where the upload is: at this same address
    HEAD, PATCH, DELETE, OPTIONS        tus 1.0.0, as at /tus
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace

from aiohttp import web

from server.catalog import materials, videos
from server.catalog.keys import hashed
from server.catalog.library_models import Material
from server.catalog.models import Video
from server.errors import Problem
from server.protocols.tus import answers, commands
from server.protocols.tus.commands import Append, Create, Delete, Head, Options
from server.uploads.service import Uploads
from server.vod.materials import Materials
from server.web import bodies
from server.web.addresses import base_url
from server.web.kinescope.material_answers import material as told
from server.web.kinescope.shapes import Answer, Data, Id
from server.web.middleware import EXTRA_HEADERS
from server.web.services import SERVICES
from server.web.tus import UPLOADS
from server.web.typed import JSON_HEADERS

MATERIALS = web.AppKey("materials", Materials)
PATH = "/v2/upload"
SECRET_BYTES = 16
# of an upload's metadata: what was told of its length when it was made. With a space: no client of tus can say it
SIZE = "told length"
MAX_LENGTH = 1 << 50  # of a file that is told of; how long it may be is the upload's to say
FILETYPE = "application/octet-stream"  # of what tells none

_DIGITS = re.compile(r"[0-9]{1,16}")  # MAX_LENGTH has as many


class Uploaded(Answer):
    """What became of an upload."""

    id: Id
    status: str


def new_secret() -> tuple[str, str]:
    """A secret, and what is kept of it."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return secret, hashed(secret)


def add_routes(router: web.UrlDispatcher) -> None:
    for name, handler in (("{upload:up[0-9A-Za-z]+}", video), ("{material:ma[0-9A-Za-z]+}", material)):
        router.add_route("*", f"{PATH}/{name}/{{secret}}", handler, expect_handler=bodies.wait_to_continue)


async def video(request: web.Request) -> web.StreamResponse:
    """A video's file."""
    service, names = request.app[UPLOADS], request.match_info
    upload_id, secret = names["upload"], names["secret"]
    over_tus = "Tus-Resumable" in request.headers or request.method != "POST"
    if not over_tus:
        await service.whole(upload_id, secret, request.content_length, bodies.chunks(request))
        return await _uploaded(request, upload_id)
    request[EXTRA_HEADERS] = dict(answers.RESUMABLE)
    if request.method == "POST" and "X-HTTP-Method-Override" not in request.headers:
        return await _begun(request, service, upload_id, secret)
    return await _over_tus(request, service, upload_id, secret)


async def _over_tus(request: web.Request, service: Uploads, upload_id: str, secret: str) -> web.StreamResponse:
    match commands.parse(request.method, request.headers, "upload", service.max_bytes):
        case Options():
            answer = answers.options(service.max_bytes)
        case Head():
            now, pairs = await service.head(upload_id, secret)
            answer = answers.head(replace(now, length=now.length or told_length(pairs)), {})
        case Append() as command:
            length = await _length(service, upload_id, secret, command)
            command = replace(command, length=length)
            answer = answers.appended(await service.append(upload_id, secret, command, bodies.chunks(request)))
        case Delete():
            await service.abort(upload_id, secret)
            answer = answers.deleted()
        case command:
            raise Problem("method-not-allowed", detail=type(command).__name__)
    return web.Response(status=answer.status, headers=answer.headers)


async def _length(service: Uploads, upload_id: str, secret: str, command: Append) -> int | None:
    """What was told when the upload was made holds, unless the client says otherwise or it has begun."""
    now, pairs = await service.head(upload_id, secret)
    return command.length or now.length or told_length(pairs)


def told_length(pairs: Mapping[str, str]) -> int | None:
    """Bytes; None where the metadata tells none that is one."""
    text = pairs.get(SIZE, "")
    length = int(text) if _DIGITS.fullmatch(text) else 0
    return length if 0 < length <= MAX_LENGTH else None


async def _begun(request: web.Request, service: Uploads, upload_id: str, secret: str) -> web.StreamResponse:
    """To a client that would create an upload here: it is this address itself. Raises Problem."""
    command = commands.parse("POST", request.headers, "collection", service.max_bytes)
    if not isinstance(command, Create) or command.partial:
        raise Problem("invalid-attribute", "This address takes one file, in order.", name="Upload-Concat")
    now, _ = await service.head(upload_id, secret)
    if command.length not in (None, now.length):
        now = await service.settle(upload_id, secret, command.length)
    answer = answers.created(f"{base_url(request)}{request.path}", now)
    return web.Response(status=answer.status, headers=answer.headers)


async def _uploaded(request: web.Request, upload_id: str) -> web.Response:
    async with request.app[SERVICES].database.read() as transaction:
        row = await videos.of_upload(transaction, upload_id)
    if row is None:
        raise Problem("upload-gone")
    body = Data(data=Uploaded(id=row.version_of or row.id, status=row.state))
    return web.Response(body=body.model_dump_json().encode(), headers=JSON_HEADERS)


async def material(request: web.Request) -> web.StreamResponse:
    """An additional material's file, once."""
    if request.method != "POST":
        raise Problem("method-not-allowed", headers={"Allow": "POST"})
    database, material_id = request.app[SERVICES].database, request.match_info["material"]
    async with database.read() as transaction:
        _authorise(await materials.find(transaction, material_id), request.match_info["secret"])
    store = request.app[MATERIALS]
    brought = await store.bring(request.content_length, bodies.chunks(request))
    try:
        async with database.write() as transaction:  # of several that bring it, the first one's is kept
            row = _authorise(await materials.find(transaction, material_id), request.match_info["secret"])
            video = await transaction.get_one(Video, row.video_id)
            row.filetype = type_of(request)
            await materials.arrived(transaction, video, row, brought.size)
            await store.publish(brought, material_id)
    except BaseException:
        await store.remove(brought.name)
        raise
    return web.Response(body=Data(data=told(row)).model_dump_json().encode(), headers=JSON_HEADERS)


def type_of(request: web.Request) -> str:
    """What the client says that the file is; that of forms, which curl says by itself, says nothing."""
    found = request.content_type.lower()
    return FILETYPE if found == "application/x-www-form-urlencoded" or len(found) > 100 else found


def _authorise(row: Material | None, secret: str) -> Material:
    """Raises Problem (404): to those who don't know the secret there is no such upload."""
    known = row.secret_hash if row is not None and row.secret_hash else hashed("")
    if not hmac.compare_digest(known, hashed(secret)) or row is None or row.secret_hash is None:
        raise Problem("resource-not-found", detail="There is no such upload.")
    return row
