"""Edits of videos that are there: trimmed, archived, made anew, joined."""

from typing import Annotated

from pydantic import Field

from server.catalog import versions
from server.catalog.sandboxes import MARK_ID
from server.web.api import videos, watermarks
from server.web.api.alterations import CropBody, WatermarkBody
from server.web.api.clones import EDITS, conflicts
from server.web.api.video_answers import VideoAnswer
from server.web.api.video_answers import video as answer
from server.web.shapes import Body, Changes, Title
from server.web.typed import Call, Operations

LIMIT_S = 365 * 86400
MOST_JOINED = 100

operations = Operations("Videos")

Seconds = Annotated[float, Field(ge=-LIMIT_S, le=LIMIT_S)]


class TrimBody(Body):
    start: Annotated[Seconds, Field(description="Seconds of the whole file; negative ones back from its end.")] = 0.0
    end: Annotated[Seconds | None, Field(description="By default, the end of the file.")] = None


class RemakeBody(Changes):
    """What is left out stays as it is; null: without one."""

    watermark: Annotated[WatermarkBody | None, Field(description="An image over all its pictures.")] = None
    crop: Annotated[CropBody | None, Field(description="The part of its pictures that is shown.")] = None


class ConcatBody(Body):
    videos: Annotated[list[str], Field(min_length=2, max_length=MOST_JOINED, description="Ids, in order.")]
    title: Title | None = None


@operations.put(
    "/videos/{videoId}/trim",
    "Trim a video",
    scope="videos:write",
    status=202,
    example={"start": 12.5, "end": 90},
    errors=("resource-not-found", "conflict"),
)
async def trim(call: Call, video_id: str, body: TrimBody) -> VideoAnswer:
    """The file stays as it is, and times are always its own; the part takes the place of what is watched once it is
    made. It begins exactly with the picture where the file can be copied into MP4 (nothing is coded anew; pictures from
    before are hidden), else with the key frame before; it ends exactly but for the one or two pictures that earlier
    ones need."""
    async with call.services.database.write() as transaction:
        row = await videos.find(transaction, call, video_id)
        with conflicts():
            await call.request.app[EDITS].trim(transaction, row, body.start, body.end)
    return answer(call, row)


@operations.delete(
    "/videos/{videoId}/trim",
    "Take back the trim of a video",
    scope="videos:write",
    status=202,
    errors=("resource-not-found", "conflict"),
)
async def untrim(call: Call, video_id: str) -> VideoAnswer:
    """The whole file is watched again once it is made."""
    async with call.services.database.write() as transaction:
        row = await videos.find(transaction, call, video_id)
        with conflicts():
            await call.request.app[EDITS].untrim(transaction, row)
    return answer(call, row)


@operations.post(
    "/videos/{videoId}/archive",
    "Archive a video",
    scope="videos:write",
    errors=("resource-not-found", "conflict"),
)
async def archive(call: Call, video_id: str) -> VideoAnswer:
    """Its file is kept and what was made of it goes: it can't be watched until it is made anew (`…/remake`)."""
    async with call.services.database.write() as transaction:
        row = await videos.find(transaction, call, video_id)
        with conflicts():
            await versions.archive(transaction, row)
    return answer(call, row)


@operations.post(
    "/videos/{videoId}/remake",
    "Make a video anew",
    scope="videos:write",
    status=202,
    example={"crop": {"left": "10%", "top": "0px", "width": "80%", "height": "100%"}, "watermark": None},
    errors=("resource-not-found", "conflict"),
)
async def remake(call: Call, video_id: str, body: RemakeBody) -> VideoAnswer:
    """Of its file, as a new upload would be made now: after it was archived, the ladder was changed, or with another
    watermark or crop, which the video tells of once it is shown so. What there is is watched until all is made; what
    was archived, from the first segments on."""
    looks = {name: look.column() if (look := getattr(body, name)) else None for name in body.model_fields_set}
    async with call.services.database.write() as transaction:
        row = await videos.find(transaction, call, video_id)
        with conflicts():
            version = await call.request.app[EDITS].remake(transaction, row, looks)
        if "watermark" in looks and (version.watermark or {}).get("id") != MARK_ID:
            await watermarks.give(transaction, call, version)
    return answer(call, row)


@operations.post(
    "/videos/concat",
    "Join videos",
    scope="videos:write",
    status=202,
    example={"videos": ["vi4k0jvEUuaTdRAEjQ4Prklg", "vi4k0jvEUuaTdRAEjQ4Jfrgz"], "title": "Both"},
    errors=("resource-not-found", "conflict"),
)
async def concat(call: Call, body: ConcatBody) -> VideoAnswer:
    """A new video of all of them, one after the other, with bytes of its own: recordings of live streams too. What is
    coded like the first is copied; other pictures are encoded to its size, with bars beside them, and where sound
    differs or one has none, all of it is encoded. Captions and chapters go along. What else it has is the first one's.
    """
    async with call.services.database.write() as transaction:
        rows = []
        for number, text in enumerate(body.videos):
            rows.append(await videos.named(transaction, call, text, f"videos[{number}]"))
        with conflicts("videos"):
            row = await call.request.app[EDITS].concat(transaction, rows, body.title)
    return answer(call, row)
