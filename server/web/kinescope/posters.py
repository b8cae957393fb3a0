"""Posters of the dialect: several of a video, of which one is shown."""

from typing import Annotated

from pydantic import Field

from server.catalog import posters
from server.catalog.database import Transaction
from server.catalog.library_models import Poster
from server.catalog.models import Video
from server.errors import Problem
from server.web.api import thumbnails
from server.web.api.players import PICTURES
from server.web.api.thumbnails import POSTERS
from server.web.bodies import chunks
from server.web.forms import SMALL_FILE_ERRORS, small_form
from server.web.kinescope import headers, identifiers
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.poster_answers import PosterAnswer, of_row, poster
from server.web.kinescope.shapes import DONE, All, Body, Data, Done
from server.web.kinescope.values import there
from server.web.kinescope.videos import find
from server.web.typed import Call

LIMIT_S = 365 * 86400
_RAW = {
    "image/*": {"type": "string", "format": "binary"},
    "multipart/form-data": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary", "description": "A JPEG, PNG or WebP picture."},
            "video_id": {"type": "string", "description": "In place of the header X-Video-ID."},
        },
    },
}

operations = kinescope_operations("Posters")


class Moment(Body):
    from_time: Annotated[float, Field(ge=0, le=LIMIT_S, description="Seconds from the start.")]


@operations.get("/v1/videos/{video_id}/posters", "List posters", scope="videos:read")
async def list_all(call: Call, video_id: str) -> All[PosterAnswer]:
    """The newest first. One that was made of the video by itself is listed while it is shown."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
        found = await posters.of_video(transaction, row.id)
    token = _token(call, row)
    listed = [of_row(call, row, each, token) for each in found]
    own = None if any(each.active for each in found) else poster(call, row, None, token)
    return All(data=[*listed, own] if own else listed)


@operations.post(
    "/v1/videos/{video_id}/posters", "Make a poster of a moment", scope="videos:write",
    errors=["conflict", "too-many-requests"], example={"from_time": 2.3333},
)  # fmt: skip
async def create(call: Call, video_id: str, body: Moment) -> Data[PosterAnswer]:
    """It is shown from then on; of a video that can't be watched yet, once it can."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
    picture = await thumbnails.picture_at(call, row, body.from_time) if row.playable else None
    async with call.services.database.write() as transaction:
        row = await _with_room(transaction, call, video_id)
        chosen = await posters.add(transaction, row, body.from_time)
        await call.request.app[POSTERS].choose(transaction, row, picture, body.from_time)
        return Data(data=of_row(call, row, chosen, _token(call, row)))


@operations.get("/v1/videos/{video_id}/posters/{poster_id}", "Show a poster", scope="videos:read")
async def show(call: Call, video_id: str, poster_id: str) -> Data[PosterAnswer]:
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
        return Data(data=of_row(call, row, await _find(transaction, row, poster_id), _token(call, row)))


@operations.delete("/v1/videos/{video_id}/posters/{poster_id}", "Delete a poster", scope="videos:write")
async def delete(call: Call, video_id: str, poster_id: str) -> Done:
    """One that is shown goes on being shown until another is chosen."""
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id)
        await transaction.delete(await _find(transaction, row, poster_id))
    await call.request.app[PICTURES].remove(poster_id)
    return DONE


@operations.post(
    "/v1/videos/{video_id}/posters/{poster_id}/active", "Show a video with this poster", scope="videos:write",
    errors=["conflict", "too-many-requests"], command=True,
)  # fmt: skip
async def activate(call: Call, video_id: str, poster_id: str) -> Data[PosterAnswer]:
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
        chosen = await _find(transaction, row, poster_id)
    picture = await _picture(call, row, chosen)
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id)
        chosen = await _find(transaction, row, poster_id)
        await posters.show(transaction, chosen)
        await call.request.app[POSTERS].choose(transaction, row, picture, chosen.at_s)
        return Data(data=of_row(call, row, chosen, _token(call, row)))


@operations.post(
    "/v2/poster", "Upload a poster", scope="videos:write", kind="upload", raw=_RAW,
    errors=(*SMALL_FILE_ERRORS, "attribute-required", "invalid-attribute", "invalid-id", "resource-not-found",
            "conflict"),
)  # fmt: skip
async def upload(call: Call) -> Data[PosterAnswer]:
    """The picture is the body, or a file of a form; `X-Video-ID` names the video. It is shown from then on."""
    named = headers.text(call.request, "X-Video-ID")
    if call.request.content_type == "multipart/form-data":
        form = await small_form(call.request, thumbnails.MAX_BYTES)
        given, named = form.file, named or form.fields.get("video_id", "")
    else:
        given = await _body(call)
    if not named:
        raise Problem("attribute-required", "The header is required.", name="X-Video-ID")
    video_id = identifiers.canonical("vi", named, "X-Video-ID")
    async with call.services.database.read() as transaction:
        await find(transaction, call, video_id, "X-Video-ID")
    picture = await thumbnails.coded(call, given)
    async with call.services.database.write() as transaction:
        row = await _with_room(transaction, call, video_id)
        chosen = await posters.add(transaction, row, None)
        chosen.stored_bytes = await call.request.app[PICTURES].put(chosen.id, picture)
        await call.request.app[POSTERS].choose(transaction, row, picture, None)
        return Data(data=of_row(call, row, chosen, _token(call, row)))


async def _body(call: Call) -> bytes:
    """Raises Problem."""
    found = bytearray()
    async for chunk in chunks(call.request):
        found += chunk
        if len(found) > thumbnails.MAX_BYTES:
            raise Problem("uploaded-file-too-large", f"At most {thumbnails.MAX_BYTES} bytes are taken.")
    if not found:
        raise Problem("uploaded-file-empty")
    return bytes(found)


async def _picture(call: Call, row: Video, chosen: Poster) -> bytes | None:
    """None: it is made once the video can be watched. Raises Problem."""
    if chosen.at_s is not None:
        return await thumbnails.picture_at(call, row, chosen.at_s) if row.playable else None
    picture = await call.request.app[PICTURES].read(chosen.id)
    if picture is None:
        raise Problem("resource-not-found", "The picture is not there any more.", name="poster_id")
    return picture


async def _with_room(transaction: Transaction, call: Call, video_id: str) -> Video:
    """The video, which may have one more. Raises Problem."""
    row = await find(transaction, call, video_id)
    if await posters.count(transaction, row.id) >= posters.MOST:
        raise Problem("conflict", f"A video has {posters.MOST} posters at most.")
    return row


async def _find(transaction: Transaction, row: Video, poster_id: str) -> Poster:
    """Raises Problem."""
    return there(await posters.get(transaction, row.id, poster_id), "poster_id")


def _token(call: Call, row: Video) -> str | None:
    return None if row.public else call.services.tokens.mint(row.id).token
