"""Clips: a stretch of a broadcast as a video of its own, while it is on air or afterwards."""

from typing import Annotated, Any

import orjson
from aiohttp import web
from pydantic import AwareDatetime, Field, PlainValidator, TypeAdapter, WithJsonSchema
from pydantic_core import PydanticCustomError

from server.catalog.models import Video
from server.errors import Problem
from server.recorder.clips import Clips, Wish
from server.recorder.moments import Moment, MomentError, Seconds, Wall
from server.vod.edits import span_of
from server.web import validation
from server.web.api import live_streams, videos
from server.web.api.clones import EDITS, conflicts
from server.web.api.video_answers import VideoAnswer
from server.web.api.video_answers import video as answer
from server.web.shapes import Body, Title
from server.web.typed import Call, Operations

CLIPS = web.AppKey("clips", Clips)

operations = Operations("Clips")

LIMIT_S = 365 * 86400
UPLOAD = "upload"


def _moment(value: Any) -> Moment:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LIMIT_S:
        return Seconds(value)
    try:
        return Wall(round(_DATE_TIME.validate_json(orjson.dumps(value)).timestamp() * 1000))
    except ValueError:
        raise PydanticCustomError(
            "moment", "This attribute must be an ISO-8601 date-time with its offset, or a number of seconds."
        ) from None


_DATE_TIME = TypeAdapter(Annotated[AwareDatetime, Field(strict=True)])
When = Annotated[
    Moment,
    PlainValidator(_moment),
    WithJsonSchema(
        {
            "oneOf": [
                {"type": "string", "format": "date-time"},
                {"type": "number", "minimum": -LIMIT_S, "maximum": LIMIT_S},
            ],
            "description": "A date-time, as EXT-X-PROGRAM-DATE-TIME and players show it; or seconds of media from "
            "the beginning, negative ones back from the end.",
        }
    ),
]


class ClipBody(Body):
    start: When
    end: Annotated[When | None, Field(description="By default, all that is there.")] = None
    title: Title | None = None


@operations.post(
    "/live-streams/{liveStreamId}/clips",
    "Make a clip of the broadcast on air, else of the last one",
    scope="videos:write",
    status=201,
    example={"start": -30, "title": "The goal"},
    errors=("resource-not-found", "conflict"),
)
async def of_live_stream(call: Call, live_stream_id: str, body: ClipBody) -> VideoAnswer:
    """The clip is a video at once, of whole segments: it begins and ends a little outside.

    Within seconds it is exact to the picture, and its `duration` that of the clip, where the pictures are H.264.
    """
    async with call.services.database.read() as transaction:
        row = await live_streams.find(transaction, call, live_stream_id)
    try:
        clip = await call.request.app[CLIPS].of_live_stream(call.project_id, row.id, _wish(body))
    except MomentError as error:
        raise validation.of_attribute(error.name, str(error)) from None
    return _made(call, clip, "The live stream has not been on air yet.")


@operations.post(
    "/videos/{videoId}/clips",
    "Make a clip of a recording or an upload",
    scope="videos:write",
    status=201,
    example={"start": 60, "end": 90.5},
    errors=("resource-not-found", "conflict"),
)
async def of_video(call: Call, video_id: str, body: ClipBody) -> VideoAnswer:
    """Of a recording as of a live stream; of an upload it is made as an upload is. It stays when what it was made of
    is deleted. An upload is copied, and nothing of it coded anew: as with a trim the clip begins exactly where the file
    fits into MP4, else with the key frame before."""
    async with call.services.database.read() as transaction:
        row = await videos.find(transaction, call, video_id)
    if row.source == UPLOAD or row.material_id is not None:
        return await _of_upload(call, video_id, body)
    try:
        clip = await call.request.app[CLIPS].of_video(call.project_id, row.id, _wish(body))
    except MomentError as error:
        raise validation.of_attribute(error.name, str(error)) from None
    return _made(call, clip, "Clips are made of recordings of live streams.")


async def _of_upload(call: Call, video_id: str, body: ClipBody) -> VideoAnswer:
    start_s, end_s = _seconds("start", body.start), _seconds("end", body.end) if body.end is not None else None
    async with call.services.database.write() as transaction:
        row = await videos.find(transaction, call, video_id)
        with conflicts():
            span = span_of(start_s, end_s, row.duration_s)
            clip = await call.request.app[EDITS].clip(transaction, row, span, body.title)
    return answer(call, clip)


def _seconds(name: str, moment: Moment) -> float:
    if isinstance(moment, Wall):
        raise validation.of_attribute(name, "An upload has no time of day: give seconds.")
    return moment.s


def _made(call: Call, clip: Video | None, why_not: str) -> VideoAnswer:
    if clip is None:
        raise Problem("conflict", why_not)
    return answer(call, clip)


def _wish(body: ClipBody) -> Wish:
    return Wish(body.start, body.end, body.title)
