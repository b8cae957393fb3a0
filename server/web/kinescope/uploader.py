"""The dialect's uploader: `/v2/video`, a file with its facts in headers, and `/v2/init`, which makes an address that
takes the file (`endpoints`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.catalog import materials, video_details, videos
from server.catalog.database import Transaction
from server.catalog.library_models import Material
from server.catalog.materials import TooMany
from server.catalog.models import Video
from server.catalog.undertakings import undertaking
from server.errors import Problem
from server.outbound.target import Target
from server.protocols.tus.commands import Create
from server.protocols.tus.metadata import MAX_FILENAME_CHARS, Description
from server.uploads.fetched_content import SITES
from server.uploads.placement import Sender, base_name
from server.web import bodies
from server.web.api import fetches
from server.web.api.sources import SOURCES
from server.web.kinescope import endpoints, headers, identifiers, placed_uploads
from server.web.kinescope.endpoints import FILETYPE, MAX_LENGTH, PATH, SIZE
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.places import Place
from server.web.kinescope.shapes import Answer, Body, Data, GivenId, Id
from server.web.kinescope.video_answers import VideoAnswer
from server.web.kinescope.videos import answer, find
from server.web.scopes import REPLACING
from server.web.shapes import LongText, Text, Title
from server.web.tus import UPLOADS
from server.web.typed import Call, Operations

TITLE_CHARS, DESCRIPTION_CHARS = 1000, 20_000
PAGES = "YouTube"

operations: Operations = kinescope_operations("Uploads")

_RAW: Mapping[str, Any] = {"application/octet-stream": {"type": "string", "format": "binary"}}
_ERRORS = (
    "attribute-required", "invalid-attribute", "invalid-id", "resource-not-found", "uploaded-file-empty",
    "uploaded-file-too-large", "unprocessable", "conflict", "video-source-already-uploaded", "upload-busy",
    "upload-gone", "storage-full", "invalid-payload",
)  # fmt: skip


class Preview(Body):
    """The stretch that `/{video_id}/preview` shows, in seconds."""

    start: Annotated[float, Field(ge=0, le=365 * 86400)] = 0.0
    length: Annotated[float, Field(gt=0, le=10)] = 5.0
    quality: Literal["360p", "480p", "720p", "1080p"] = "360p"


class Order(Body):
    type: Literal["video", "attachment", "replace"]
    parent_id: Annotated[GivenId | None, Field(description="Of a video: the project or folder it is put into.")] = None
    video_id: Annotated[GivenId | None, Field(description="To attach to, or whose file to replace.")] = None
    title: Title | None = None
    subtitle: Annotated[Text | None, Field(max_length=1000)] = None
    description: LongText = ""
    filename: Annotated[Text | None, StringConstraints(max_length=MAX_FILENAME_CHARS)] = None
    filesize: Annotated[int | None, Field(ge=0, le=MAX_LENGTH, description="Bytes. Uploads by tus need it.")] = None
    client_ip: Annotated[Text | None, Field(max_length=64, description="Taken and passed over.")] = None
    preview: Preview | None = None


class Endpoint(Answer):
    id: Annotated[Id, Field(description="Of the video, or of the additional material.")]
    endpoint: Annotated[str, Field(description="Takes the file: as the body of a POST, or over tus.")]


@operations.post(
    "/v2/init", "Make an address that takes a file", scope=placed_uploads.SCOPE, kind="upload",
    errors=("conflict", "resource-not-found", "invalid-id", "storage-full", "video-source-already-uploaded",
            "uploaded-file-too-large"),
    example={"type": "video", "title": "My video", "parent_id": "658e977b-3e2f-435f-913e-73e00465e638"},
)  # fmt: skip
async def init(call: Call, body: Order) -> Data[Endpoint]:
    """The address needs no other credential, and is good for as long as uploads wait for more."""
    if body.type == "attachment":
        placed_uploads.check_anywhere(call)
        return await _attachment(call, body)
    replaced = _named(body.video_id or body.parent_id, "video_id") if body.type == "replace" else None
    if replaced is not None:
        _check_replacing(call)
    else:
        await _check_new(call, body)
    uploads, sender = call.request.app[UPLOADS], Sender(call.project_id, replaces=_may_replace(call))
    await uploads.check_length(sender, body.filesize)
    description = Description(filename=body.filename, replace=replaced is not None)
    pairs = {SIZE: str(body.filesize)} if body.filesize else {}
    prepared = await uploads.prepare(sender, Create(None, pairs, description, body.filesize or 0))
    try:
        async with undertaking(together=True):  # the video and its upload, or neither
            video_id = replaced or await _new_video(call, body)
            opened = await uploads.open(sender, prepared, replace(description, video_id=video_id))
    except BaseException:
        await uploads.drop(prepared)
        raise
    endpoint = f"{call.base_url}{PATH}/{opened.id}/{opened.secret}"
    return Data(data=Endpoint(id=opened.video_id or video_id, endpoint=endpoint))


@operations.post("/v2/video", "Upload a video", scope=placed_uploads.SCOPE, kind="upload", raw=_RAW, errors=_ERRORS)
async def upload(call: Call) -> Data[VideoAnswer]:
    """The file is the body, or is fetched from `X-Video-URL`. In headers: `X-Parent-ID`, the project or folder;
    `X-Video-Title`; `X-Video-Description`; `X-File-Name`; `X-Video-Trim`, `{"start": 1, "length": 2}` in seconds;
    `X-Replace-Video-ID`, whose file this one replaces. Texts are UTF-8, or encoded as in URLs or mail."""
    url = headers.text(call.request, "X-Video-URL")
    replaced = headers.text(call.request, "X-Replace-Video-ID")
    target = _target(call, url) if url else None
    if replaced:
        return await _replace(call, identifiers.canonical("vi", replaced, "X-Replace-Video-ID"), target)
    row = _described(call)
    async with call.services.database.read() as transaction:
        await _parent(transaction, call)
    if target is not None:
        return await _fetched(call, row, target)
    return await _received(call, row)


async def _fetched(call: Call, row: Video, target: Target) -> Data[VideoAnswer]:
    async with call.services.database.write() as transaction:
        await _add(transaction, row, await _parent(transaction, call))
        await call.request.app[fetches.FETCHING].order(transaction, row, target)
        return await answer(transaction, call, row)


async def _received(call: Call, row: Video) -> Data[VideoAnswer]:
    """The bytes first: a sender that goes away leaves no video."""
    sources, sender = call.request.app[SOURCES], Sender(call.project_id)
    filename = headers.text(call.request, "X-File-Name", MAX_FILENAME_CHARS)
    chunks = bodies.chunks(call.request)
    staged = await sources.stage(sender, filename or None, call.request.content_length, chunks)
    try:
        async with call.services.database.write() as transaction:
            await _add(transaction, row, await _parent(transaction, call))
    except BaseException:
        await sources.drop(staged)
        raise
    bound = await sources.bind(sender, staged, row.id, None)
    async with call.services.database.read() as transaction:
        return await answer(transaction, call, bound)


async def _replace(call: Call, video_id: str, target: Target | None) -> Data[VideoAnswer]:
    _check_replacing(call)
    if target is not None:
        raise Problem("unprocessable", "A file that replaces another one comes as the body.", name="X-Video-URL")
    sources, sender = call.request.app[SOURCES], Sender(call.project_id)
    try:
        await sources.check(sender, video_id, None, replace=True)
    except Problem as problem:
        raise replace(problem, name="X-Replace-Video-ID") from None
    filename = headers.text(call.request, "X-File-Name", MAX_FILENAME_CHARS)
    staged = await sources.stage(sender, filename or None, call.request.content_length, bodies.chunks(call.request))
    bound = await sources.bind(sender, staged, video_id, None, replace=True)
    async with call.services.database.read() as transaction:
        return await answer(transaction, call, bound)


def _described(call: Call) -> Video:
    """A new video as the headers tell of it. Raises Problem."""
    request = call.request
    title = headers.text(request, "X-Video-Title", TITLE_CHARS) or base_name(headers.text(request, "X-File-Name"))
    if not title:
        raise Problem("attribute-required", "The header is required.", name="X-Video-Title")
    stretch = headers.trim(request)
    return Video(
        project_id=call.project_id,
        title=title,
        description=headers.text(request, "X-Video-Description", DESCRIPTION_CHARS),
        trim=stretch.column() if stretch else None,
    )


async def _parent(transaction: Transaction, call: Call) -> Place:
    text = headers.text(call.request, "X-Parent-ID")
    if not text:
        raise Problem("attribute-required", "The header is required.", name="X-Parent-ID")
    return await placed_uploads.parent(transaction, call, text, "X-Parent-ID")


async def _add(transaction: Transaction, row: Video, place: Place) -> None:
    row.folder_id = place.folder_id
    await videos.add(transaction, row)
    await video_details.take_over(transaction, row, place.library.settings)


async def _check_new(call: Call, body: Order) -> None:
    """Before anything is made for it. Raises Problem."""
    if body.title is None:
        raise Problem("attribute-required", "This attribute is required.", name="title")
    async with call.services.database.read() as transaction:
        await placed_uploads.parent(transaction, call, _given(body.parent_id, "parent_id"))


async def _new_video(call: Call, body: Order) -> str:
    """Raises Problem."""
    row = Video(project_id=call.project_id, title=body.title or "", description=body.description)
    async with call.services.database.write() as transaction:
        place = await placed_uploads.parent(transaction, call, _given(body.parent_id, "parent_id"))
        await _add(transaction, row, place)
        if body.subtitle or body.preview:
            details = await video_details.own(transaction, row)
            details.subtitle = body.subtitle or ""
            details.preview = body.preview.model_dump() if body.preview else None
    return row.id


async def _attachment(call: Call, body: Order) -> Data[Endpoint]:
    video_id = _named(body.video_id or body.parent_id, "video_id")
    secret, hashed = endpoints.new_secret()
    filename = base_name(body.filename) or body.title or "file"
    async with call.services.database.write() as transaction:
        video = await find(transaction, call, video_id)
        row = Material(
            project_id=call.project_id, video_id=video.id, title=body.title or filename, filename=filename,
            filetype=FILETYPE, secret_hash=hashed,
        )  # fmt: skip
        try:
            await materials.add(transaction, video, row)
        except TooMany as error:
            raise Problem("conflict", str(error)) from None
    return Data(data=Endpoint(id=row.id, endpoint=f"{call.base_url}{PATH}/{row.id}/{secret}"))


def _named(text: str | None, name: str) -> str:
    return identifiers.canonical("vi", _given(text, name), name)


def _given(text: str | None, name: str) -> str:
    if text is None:
        raise Problem("attribute-required", "This attribute is required.", name=name)
    return text


def _may_replace(call: Call) -> bool:
    return call.caller is not None and call.caller.may(REPLACING)


def _check_replacing(call: Call) -> None:
    if not _may_replace(call):
        raise Problem("forbidden", f"To replace a video's file takes the scope {REPLACING}.")


def _target(call: Call, url: str) -> Target:
    """Raises Problem: 400, and 422 for the pages that people take for files."""
    target = fetches.target(call, url, "X-Video-URL")
    labels = target.host.split(".")
    if any(SITES.get(".".join(labels[at:])) == PAGES for at in range(len(labels))):
        raise Problem(
            "unprocessable",
            f"This is a page of {PAGES}, which gives its files to nobody. Give the URL of the file itself.",
            name="X-Video-URL",
        )
    return target
