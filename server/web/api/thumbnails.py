"""The poster of a video as its owner chooses it: a moment of the video, or a picture of its own."""

import re
from collections.abc import Mapping
from typing import Annotated

import orjson
from aiohttp import web
from pydantic import Field, StringConstraints

from server.catalog.models import Video
from server.errors import Problem
from server.media import calls
from server.media.child import ChildFailed
from server.media.problems import MediaProblem
from server.playback import assets
from server.vod import images as subjects
from server.vod import orders
from server.vod.images import Subject
from server.vod.posters import BOX, Posters
from server.web import asset_urls, validation
from server.web.api import clip_times
from server.web.api.video_answers import VideoAnswer
from server.web.api.video_answers import video as answer
from server.web.api.videos import find
from server.web.forms import SMALL_FILE_ERRORS, of_one_file, small_file
from server.web.hls import images, vod
from server.web.hls.image_query import seconds
from server.web.shapes import Answer, Body
from server.web.typed import Call, Operations

POSTERS = web.AppKey("posters", Posters)
MAX_BYTES = 16 << 20  # of an upload: it is held in memory until it is coded

operations = Operations("Videos")


class Choice(Body):
    timecode: Annotated[
        str, StringConstraints(max_length=32), Field(description="Hours, minutes and seconds: 00:15:22.05.")
    ]


class Candidate(Answer):
    timecode: str
    time: float = Field(description="Seconds from the start.")
    score: float = Field(description="0 to 1: how much is to be seen, and how sharp.")
    thumbnail: str = Field(description="URL of the picture.")


class CandidateList(Answer):
    data: list[Candidate]


@operations.patch(
    "/videos/{videoId}/thumbnail",
    "Choose a thumbnail",
    scope="videos:write",
    errors=["conflict", "too-many-requests"],
    example={"timecode": "00:00:01.5"},
)
async def choose(call: Call, video_id: str, body: Choice) -> VideoAnswer:
    """The picture at this time becomes the poster; of a video that has no file yet, once it has one."""
    at_s = _moment(body.timecode)
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
    picture = await picture_at(call, row, at_s) if row.playable else None
    return await _keep(call, video_id, picture, at_s)


@operations.post(
    "/videos/{videoId}/thumbnail",
    "Upload a thumbnail",
    scope="videos:write",
    kind="upload",
    raw=of_one_file("A JPEG, PNG or WebP picture."),
    errors=SMALL_FILE_ERRORS,
)
async def upload(call: Call, video_id: str) -> VideoAnswer:
    """It is coded anew, 1280 pixels wide at most."""
    async with call.services.database.read() as transaction:
        await find(transaction, call, video_id)
    made = await coded(call, await small_file(call.request, MAX_BYTES))
    return await _keep(call, video_id, made, None)


@operations.get(
    "/videos/{videoId}/thumbnail/candidates",
    "List candidates for a thumbnail",
    scope="videos:read",
    errors=["too-many-requests"],
)
async def list_candidates(call: Call, video_id: str) -> CandidateList:
    """A few pictures that are neither black nor blurred, the best first; none of a video that can't be watched yet."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
    if not row.playable:
        return CandidateList(data=[])
    _, told = await images.found(call.request, _subject(row), orders.candidates(row.duration_s or 0.0), "json")
    token = None if row.public else call.services.tokens.mint(row.id).token
    url = asset_urls.of_video(call.media_url, row.id, token).thumbnail
    return CandidateList(data=[_candidate(url, one) for one in orjson.loads(told)["candidates"]])


def _moment(timecode: str) -> float:
    """Seconds; a number of a picture behind a third colon is read as it is in clips. Raises Problem."""
    found = seconds(timecode)
    if found is None and re.fullmatch(clip_times.PATTERN, timecode, re.ASCII):
        return clip_times.seconds(timecode)
    if found is None:
        raise validation.of_attribute("timecode", "This attribute must be a time such as 00:15:22.05.")
    return found


async def coded(call: Call, given: bytes) -> bytes:
    """An uploaded picture as a poster. Raises Problem."""
    try:
        made = await call.request.app[POSTERS].of_picture(given)
    except ChildFailed as error:
        made = calls.problem_of(error)
    if isinstance(made, MediaProblem):
        raise Problem("uploaded-file-invalid-file", "The file can't be read as a JPEG, PNG or WebP picture.", "file")
    return made


def _candidate(url: str, found: Mapping[str, float]) -> Candidate:
    at_s = found["at_s"]
    minutes, rest = divmod(at_s, 60)
    timecode = f"{int(minutes) // 60:02}:{int(minutes) % 60:02}:{rest:06.3f}"
    return Candidate(timecode=timecode, time=at_s, score=found["score"], thumbnail=f"{url}?time={at_s:g}")


async def picture_at(call: Call, row: Video, at_s: float) -> bytes:
    """The picture at a time. Raises Problem."""
    order = orders.thumbnail("jpg", min(at_s, row.duration_s or at_s), BOX, exact=True)
    try:
        return (await images.found(call.request, _subject(row), order, "jpg"))[1]
    except Problem as problem:
        if problem.code != "resource-not-found":
            raise
        raise Problem("conflict", problem.detail) from None


async def _keep(call: Call, video_id: str, picture: bytes | None, at_s: float | None) -> VideoAnswer:
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id)
        await call.request.app[POSTERS].choose(transaction, row, picture, at_s)
    return answer(call, row)


def _subject(row: Video) -> Subject:
    asset = assets.of_video(row)
    return Subject(vod.stored_of(asset), row.revision, row.source or subjects.UPLOAD, row.duration_s or 0.0)
