"""Chapters of the dialect: one list of times and titles. Players are given them as a chapters track of ours."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from server.catalog import text_tracks, video_details
from server.catalog.database import Transaction
from server.catalog.models import Video
from server.formats import webvtt
from server.formats.languages import bcp47
from server.formats.webvtt import Cue, TextTrack
from server.web.api.text_tracks import TEXTS
from server.web.kinescope import video_answers
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.shapes import Body, Data
from server.web.kinescope.video_answers import Chapters
from server.web.kinescope.videos import find
from server.web.shapes import Title
from server.web.typed import Call

LAST_MS = 3_600_000  # how long the last one is taken to be while the video's duration is not known
LANGUAGE = "en"  # of a list whose video tells no language

operations = kinescope_operations("Videos")


class ChapterBody(Body):
    time: Annotated[int, Field(ge=0, le=webvtt.MAX_MS - LAST_MS, description="Milliseconds from the start.")]
    title: Annotated[Title, Field(max_length=1000)]


class ChaptersBody(Body):
    items: Annotated[list[ChapterBody], Field(max_length=video_details.MOST_CHAPTERS)]
    enabled: bool = True
    show_on_load: Annotated[bool, Field(description="Taken and passed over.")] = False


@operations.put(
    "/v1/videos/{video_id}/chapters", "Change chapters", scope="videos:write", errors=["conflict"],
    example={"items": [{"time": 10000, "title": "Chapter at 10 s"}], "enabled": True},
)  # fmt: skip
async def change(call: Call, video_id: str, body: ChaptersBody) -> Data[Chapters]:
    """They take the place of all that there were. What is not enabled is kept, and not shown."""
    items = sorted({each.time: each.title for each in body.items}.items())
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id)
        details = await video_details.own(transaction, row)
        details.chapters = [{"time": time, "title": title} for time, title in items]
        details.chapters_shown = body.enabled
        await _show(transaction, call, row, items if body.enabled else ())
        return Data(data=video_answers.chapters(details))


async def _show(transaction: Transaction, call: Call, row: Video, items: Sequence[tuple[int, str]]) -> None:
    texts = call.request.app[TEXTS]
    language = bcp47(row.language or "") or LANGUAGE
    if items:
        await texts.put(transaction, row, "chapters", language, _text(items, row.duration_s))
        return
    track = await text_tracks.get(transaction, row.id, "chapters", language)
    if track is not None:
        await texts.remove(transaction, row, track)


def _text(items: Sequence[tuple[int, str]], duration_s: float | None) -> str:
    """Each chapter lasts until the next."""
    last = max(items[-1][0] + 1, round(duration_s * 1000)) if duration_s else items[-1][0] + LAST_MS
    ends = [*(time for time, _ in items[1:]), last]
    cues = [Cue(time, end, webvtt.escaped(title)) for (time, title), end in zip(items, ends, strict=True)]
    return webvtt.write(TextTrack(tuple(cues)))
