"""Annotations of the dialect: links that belong to a stretch of a video, which the player shows while it lasts."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from server.catalog import annotations
from server.catalog.annotations import TooMany
from server.catalog.database import Transaction
from server.catalog.library_models import Annotation
from server.errors import Problem
from server.formats.webvtt import MAX_MS
from server.web.kinescope import identifiers
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.shapes import DONE, All, Answer, Body, Changes, Data, Done, GivenId, Id, Moment
from server.web.kinescope.values import there
from server.web.kinescope.videos import find
from server.web.shapes import ABSENT, Text, Title
from server.web.typed import Call

operations = kinescope_operations("Annotations")

Kind = Literal["video", "text", "video/text"]  # the last one is how an example of the dialect writes "either"
Link = Annotated[Text, StringConstraints(max_length=2000, pattern=r"^https?://[^\s]+$")]
Time = Annotated[int, Field(ge=0, le=MAX_MS, description="Milliseconds from the start.")]
PosterId = Annotated[GivenId | None, Field(description="Of the picture it is shown with.")]


class AnnotationBody(Body):
    video_id: Annotated[GivenId | None, Field(description="Taken and passed over: the path names the video.")] = None
    annotation_poster_id: PosterId = None
    type: Kind = "text"
    title: Title
    link: Link
    start_time: Time
    end_time: Time


class AnnotationChanges(Changes):
    video_id: GivenId | None = ABSENT
    annotation_poster_id: PosterId = ABSENT
    type: Kind = ABSENT
    title: Title = ABSENT
    link: Link = ABSENT
    start_time: Time = ABSENT
    end_time: Time = ABSENT


class AnnotationAnswer(Answer):
    id: Id
    video_id: Id
    annotation_poster_id: str | None
    type: str
    title: str
    link: str
    start_time: int
    end_time: int
    created_at: Moment
    updated_at: Moment


_EXAMPLE = {"type": "text", "title": "More", "link": "https://example.com", "start_time": 0, "end_time": 10000}


@operations.get("/v1/videos/{video_id}/annotations", "List annotations", scope="videos:read")
async def list_all(call: Call, video_id: str) -> All[AnnotationAnswer]:
    """By their beginning."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, video_id)
        return All(data=[_answer(each) for each in await annotations.of_video(transaction, row.id)])


@operations.post(
    "/v1/videos/{video_id}/annotations", "Add an annotation", scope="videos:write", errors=["conflict", "invalid-id"],
    example=_EXAMPLE,
)  # fmt: skip
async def create(call: Call, video_id: str, body: AnnotationBody) -> Data[AnnotationAnswer]:
    async with call.services.database.write() as transaction:
        video = await find(transaction, call, video_id)
        row = Annotation(
            project_id=video.project_id, video_id=video.id, kind=body.type, title=body.title, link=body.link,
            start_ms=body.start_time, end_ms=body.end_time, poster_id=_poster(body.annotation_poster_id),
        )  # fmt: skip
        _check(row)
        try:
            await annotations.add(transaction, video, row)
        except TooMany as error:
            raise Problem("conflict", str(error)) from None
        return Data(data=_answer(row))


@operations.get("/v1/videos/{video_id}/annotations/{annotation_id}", "Show an annotation", scope="videos:read")
async def show(call: Call, video_id: str, annotation_id: str) -> Data[AnnotationAnswer]:
    async with call.services.database.read() as transaction:
        return Data(data=_answer(await _find(transaction, call, video_id, annotation_id)))


@operations.put(
    "/v1/videos/{video_id}/annotations/{annotation_id}", "Change an annotation", scope="videos:write",
    errors=["invalid-id"], example=_EXAMPLE,
)  # fmt: skip
async def change(
    call: Call, video_id: str, annotation_id: str, body: AnnotationChanges
) -> Data[AnnotationAnswer]:
    """What is left out stays as it is."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, video_id, annotation_id)
        names = {"type": "kind", "title": "title", "link": "link", "start_time": "start_ms", "end_time": "end_ms"}
        for name in names.keys() & body.model_fields_set:
            setattr(row, names[name], getattr(body, name))
        if "annotation_poster_id" in body.model_fields_set:
            row.poster_id = _poster(body.annotation_poster_id)
        _check(row)
        await annotations.tell(transaction, await find(transaction, call, video_id))
        return Data(data=_answer(row))


@operations.delete("/v1/videos/{video_id}/annotations/{annotation_id}", "Delete an annotation", scope="videos:write")
async def delete(call: Call, video_id: str, annotation_id: str) -> Done:
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, video_id, annotation_id)
        await annotations.remove(transaction, await find(transaction, call, video_id), row)
    return DONE


async def _find(transaction: Transaction, call: Call, video_id: str, annotation_id: str) -> Annotation:
    """Raises Problem."""
    video = await find(transaction, call, video_id)
    return there(await annotations.get(transaction, video.id, annotation_id), "annotation_id")


def _check(row: Annotation) -> None:
    """Raises Problem."""
    if row.end_ms <= row.start_ms:
        raise Problem("invalid-attribute", "The end must lie after the start.", name="end_time")


def _poster(text: str | None) -> str | None:
    return identifiers.canonical("po", text, "annotation_poster_id") if text else None


def _answer(row: Annotation) -> AnnotationAnswer:
    return AnnotationAnswer(
        id=row.id, video_id=row.video_id, annotation_poster_id=identifiers.uuid_or_text(row.poster_id), type=row.kind,
        title=row.title, link=row.link, start_time=row.start_ms, end_time=row.end_ms, created_at=row.created_at,
        updated_at=row.updated_at,
    )  # fmt: skip
