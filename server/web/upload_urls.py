"""The URLs of upload sessions: each takes one file from whoever has it, under the session's terms.

    PUT, POST                   the file, whole: as the body, or in a form; it may come again if it broke off
    POST with Tus-Resumable     a new upload; its URL is under the session's own
    HEAD, PATCH, DELETE there   tus 1.0.0, as at /tus

A page elsewhere is let in if it is of the session's origin, or the session has none and the server's list has it.
"""

import hmac
from dataclasses import replace

from aiohttp import web

from server import clock, ids
from server.catalog import audit, upload_sessions
from server.catalog.audit import Actor
from server.catalog.keys import hashed
from server.catalog.upload_models import UploadSession
from server.errors import Problem
from server.protocols.tus import answers, commands
from server.protocols.tus.commands import Create, Options
from server.uploads.placement import sender_of_session
from server.web import bodies, tus
from server.web.addresses import client_ip
from server.web.admission import count
from server.web.api.sources import SOURCES
from server.web.cors import ALLOWED_ORIGIN
from server.web.forms import receive
from server.web.middleware import EXTRA_HEADERS, REQUEST_ID
from server.web.services import SERVICES
from server.web.shapes import Answer
from server.web.typed import JSON_HEADERS

PATH = "/upload-sessions"
OPERATION = "POST_upload-sessions-upload"  # in the audit log
SESSION = PATH + "/{session}/{key}"
METHODS = "OPTIONS, POST, PUT"
NOT_TAKEN = ",concatenation"  # of the extensions of tus: a session has one upload


class Uploaded(Answer):
    """To a file that came whole."""

    upload_session_id: str
    video_id: str


def add_routes(router: web.UrlDispatcher) -> None:
    router.add_route("*", SESSION, session, expect_handler=bodies.wait_to_continue)
    router.add_route("*", SESSION + "/{upload}/{secret}", upload, expect_handler=bodies.wait_to_continue)


def path(row: UploadSession, secret: str) -> str:
    return f"{PATH}/{row.id}/{secret}"


async def session(request: web.Request) -> web.StreamResponse:
    """What the session is for."""
    row = await _admitted(request)
    limit = await _limit(request, row)
    if request.method == "OPTIONS":
        return _options(limit)
    if request.method not in ("POST", "PUT"):
        raise Problem("method-not-allowed", headers={"Allow": METHODS})
    count(request, request.app[SERVICES], row.id, "upload")
    if row.expires_at <= clock.now():
        raise Problem("upload-gone", "The time of the upload session is over.")
    if "Tus-Resumable" in request.headers:
        return await _over_tus(request, row, limit)
    return await _whole(request, row)


async def upload(request: web.Request) -> web.StreamResponse:
    """An upload that a session let in, over tus."""
    await _admitted(request)
    return await tus.upload(request)


async def _over_tus(request: web.Request, row: UploadSession, limit: int) -> web.StreamResponse:
    request[EXTRA_HEADERS] = {**request.get(EXTRA_HEADERS, {}), **answers.RESUMABLE}
    match commands.parse(request.method, request.headers, "collection", limit):
        case Options():
            return _options(limit)
        case Create(partial=False) as command:
            pass
        case _:
            raise Problem("invalid-attribute", "An upload session takes one upload.", name="Upload-Concat")
    wanted = replace(command, description=replace(command.description, video_id=row.video_id, replace=False))
    own_path = path(row, request.match_info["key"])
    sender, actor = sender_of_session(row), _actor(request, row)
    return await tus.begin(request, request.app[tus.UPLOADS], wanted, sender, actor, own_path)


async def _whole(request: web.Request, row: UploadSession) -> web.StreamResponse:
    sources, sender = request.app[SOURCES], sender_of_session(row)
    async with audit.audited(_actor(request, row)):
        if row.video_id is not None:
            await sources.check(sender, row.video_id, None)
        if request.content_type == "multipart/form-data":
            staged = (await receive(request, sources, sender)).staged
        else:
            length, chunks = request.content_length, bodies.chunks(request)
            staged = await sources.stage(sender, None, length, chunks, request.content_type)
        video = await sources.bind(sender, staged, row.video_id, None)
    told = Uploaded(upload_session_id=row.id, video_id=video.id)
    return web.Response(status=201, body=told.model_dump_json().encode(), headers=JSON_HEADERS)


async def _admitted(request: web.Request) -> UploadSession:
    """The session of the request's URL. Raises Problem: 404 to those who don't know the secret, 403 to a page of
    another origin, 429."""
    row = await _row(request)
    if row is None:
        count(request, request.app[SERVICES], client_ip(request), "upload")
        raise Problem("resource-not-found", "There is no such upload session.")
    if row.origin is not None:
        request[ALLOWED_ORIGIN] = row.origin
        if request.headers.get("Origin", row.origin).lower() != row.origin:
            raise Problem("forbidden", f"The upload session is for pages of {row.origin}.", name="Origin")
    return row


async def _row(request: web.Request) -> UploadSession | None:
    try:
        session_id = ids.canonical("us", request.match_info["session"])
    except ids.InvalidId:
        return None
    async with request.app[SERVICES].database.read() as transaction:
        row = await upload_sessions.find(transaction, session_id)
    known = row.secret_hash if row is not None else hashed("")
    return row if hmac.compare_digest(known, hashed(request.match_info["key"])) else None


async def _limit(request: web.Request, row: UploadSession) -> int:
    return sender_of_session(row).limit(await request.app[tus.UPLOADS].limit(row.project_id))


def _options(limit: int) -> web.Response:
    answer = answers.options(limit)
    taken = answer.headers["Tus-Extension"].replace(NOT_TAKEN, "")
    return web.Response(status=answer.status, headers={**answer.headers, "Tus-Extension": taken, "Allow": METHODS})


def _actor(request: web.Request, row: UploadSession) -> Actor:
    return Actor("upload-session", OPERATION, row.project_id, None, request.get(REQUEST_ID), client_ip(request))
