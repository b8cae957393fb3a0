"""Additional materials of the dialect: files that go with a video, and where they are downloaded."""

from typing import Annotated
from urllib.parse import quote

from aiohttp import hdrs, web
from pydantic import Field, RootModel

from server import ids
from server.catalog import materials
from server.catalog.database import Transaction
from server.catalog.library_models import Material
from server.catalog.materials import TooMany
from server.errors import Problem
from server.protocols.tus.metadata import MAX_FILENAME_CHARS
from server.uploads.placement import base_name
from server.web import asset_urls, bodies
from server.web.hls import files, gate
from server.web.kinescope import headers, identifiers
from server.web.kinescope.endpoints import MATERIALS, type_of
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.material_answers import MaterialAnswer, material
from server.web.kinescope.shapes import DONE, Answer, Body, Data, Done, GivenId
from server.web.kinescope.videos import find
from server.web.services import SERVICES
from server.web.shapes import Title
from server.web.typed import Call, Operations

TITLE_CHARS = 1000

operations: Operations = kinescope_operations("Additional materials")


class MaterialBody(Body):
    title: Title


class Sequenced(RootModel[Annotated[list[GivenId], Field(max_length=materials.MOST)]]):
    """Ids in their order."""


class Link(Answer):
    link: str


@operations.post(
    "/additional-material", "Upload an additional material", scope="videos:write", kind="upload",
    raw={"application/octet-stream": {"type": "string", "format": "binary"}},
    errors=("attribute-required", "invalid-attribute", "invalid-id", "resource-not-found", "uploaded-file-empty",
            "uploaded-file-too-large", "storage-full", "conflict", "invalid-payload"),
)  # fmt: skip
async def upload(call: Call) -> Data[MaterialAnswer]:
    """The file is the body. In headers: `X-Video-ID`, `X-File-Name`, and perhaps `X-Title`."""
    request, store = call.request, call.request.app[MATERIALS]
    named = headers.text(request, "X-Video-ID") or headers.text(request, "X-Parent-ID")
    if not named:
        raise Problem("attribute-required", "The header is required.", name="X-Video-ID")
    video_id = identifiers.canonical("vi", named, "X-Video-ID")
    filename = base_name(headers.text(request, "X-File-Name", MAX_FILENAME_CHARS)) or "file"
    row = Material(
        id=ids.new("ma"), project_id=call.project_id, video_id=video_id, filename=filename,
        title=headers.text(request, "X-Title", TITLE_CHARS) or filename, filetype=type_of(request),
    )  # fmt: skip
    async with call.services.database.read() as transaction:
        await find(transaction, call, video_id, "X-Video-ID")
    row.size = await store.keep(row.id, request.content_length, bodies.chunks(request))
    try:
        async with call.services.database.write() as transaction:
            video = await find(transaction, call, video_id, "X-Video-ID")
            await materials.add(transaction, video, row)
    except BaseException as error:
        await store.remove(row.id)
        if isinstance(error, TooMany):
            raise Problem("conflict", str(error)) from None
        raise
    return Data(data=material(row))


@operations.patch(
    "/v1/additional-materials/reorder", "Order additional materials", scope="videos:write",
    errors=["invalid-id", "resource-not-found"], example=[],
)  # fmt: skip
async def reorder(call: Call, body: Sequenced) -> Done:
    """They get the positions 1, 2, …"""
    async with call.services.database.write() as transaction:
        for place, text in enumerate(body.root):
            name = f"[{place}]"
            row = await _find(transaction, call, identifiers.canonical("ma", text, name), name)
            row.position = place + 1
    return DONE


@operations.get("/v1/additional-materials/{material_id}/link", "Show where a file is downloaded", scope="videos:read")
async def link(call: Call, material_id: str) -> Data[Link]:
    """With a fresh token where the video is not for everybody."""
    async with call.services.database.read() as transaction:
        row = await _find(transaction, call, material_id)
        video = await find(transaction, call, row.video_id)
    token = None if video.public else call.services.tokens.mint(video.id).token
    return Data(data=Link(link=asset_urls.of_material(call.base_url, video.id, row.id, token)))


@operations.put(
    "/v1/additional-materials/{material_id}", "Rename an additional material", scope="videos:write",
    example={"title": "Slides"},
)  # fmt: skip
async def change(call: Call, material_id: str, body: MaterialBody) -> Data[MaterialAnswer]:
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, material_id)
        row.title = body.title
        await transaction.flush()
        return Data(data=material(row))


@operations.delete("/v1/additional-materials/{material_id}", "Delete an additional material", scope="videos:write")
async def delete(call: Call, material_id: str) -> Done:
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, material_id)
        await materials.remove(transaction, await find(transaction, call, row.video_id), row)
    await call.request.app[MATERIALS].remove(material_id)
    return DONE


async def download(request: web.Request) -> web.StreamResponse:
    """`/vod/{id}[/token/{jwt}]/materials/{material_id}`: for who may watch the video."""
    watch = await gate.enter(request, "video")
    async with request.app[SERVICES].database.read() as transaction:
        row = await materials.find(transaction, request.match_info["material_id"])
    if row is None or row.video_id != watch.asset.id or row.size is None:
        raise Problem("resource-not-found")
    path = request.app[MATERIALS].path(row.id)
    # never shown by the browser itself: a page that somebody uploaded would be one of ours
    told = f"attachment; filename*=UTF-8''{quote(row.filename, safe='')}"
    return files.file_answer(path, row.filetype, files.REVALIDATED, **{hdrs.CONTENT_DISPOSITION: told})


def add_routes(router: web.UrlDispatcher) -> None:
    for tail in ("", "/token/{token}"):
        router.add_get(f"/vod/{{id}}{tail}/materials/{{material_id}}", download)


async def _find(transaction: Transaction, call: Call, material_id: str, name: str = "material_id") -> Material:
    """The caller's. Raises Problem."""
    row = await materials.get(transaction, call.project_id, material_id)
    if row is None or row.size is None:
        raise Problem("resource-not-found", name=name)
    return row
