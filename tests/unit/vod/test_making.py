"""When a video is one to be watched, by the states of its renditions."""

from typing import Any

import pytest

from server.catalog import renditions, stored, videos
from server.catalog.models import DEFAULT_PROJECT, Rendition, Video
from server.media.ladder import Rung
from server.packager.qualities import NO_FILE
from server.vod import making
from server.vod.plan import OnRequest, Plan
from tests.unit.vod.conftest import Archive


def row(kind: str, state: str, **facts: Any) -> Rendition:
    return Rendition(name=kind, kind=kind, state=state, facts=facts)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], False),
        ([row("video", "ready"), row("audio", "waiting")], False),
        ([row("video", "ready"), row("audio", "encoding")], True),
        ([row("video", "ready")], True),
        # sound that some browsers don't play: what all play is waited for, unless it never comes
        ([row("video", "ready"), row("audio", "ready", somewhere=True), row("audio", "waiting")], False),
        ([row("video", "ready"), row("audio", "ready", somewhere=True), row("audio", "encoding")], True),
        ([row("video", "ready"), row("audio", "ready", somewhere=True), row("audio", "failed")], True),
        ([row("video", "ready"), row("audio", "ready", somewhere=True)], True),
        ([row("video", "failed"), row("audio", "ready")], False),
    ],
)
def test_something_of_each_kind_has_begun(rows: list[Rendition], expected: bool) -> None:
    assert making._watchable(rows) is expected


@pytest.mark.parametrize(
    ("fields", "on_request", "none"),
    [
        ({"crop": {"width": "50%"}}, OnRequest(0, 23.0), True),
        ({"watermark": {"id": "watermark_1"}}, OnRequest(0, 23.0), True),
        ({"crop": {"width": "50%"}}, None, False),
        ({}, OnRequest(0, 23.0), False),  # the uploaded file itself
    ],
)
def test_what_is_made_on_request_in_place_of_the_file_is_no_file(
    fields: dict[str, Any], on_request: OnRequest | None, none: bool
) -> None:
    video = Video(media={"streams": [], NO_FILE: True}, **fields)
    making.tell_of_file(video, Plan(4.0, (0, 180_000), on_request=on_request))
    assert video.media == ({"streams": [], NO_FILE: True} if none else {"streams": []})


async def test_what_is_encoded_counts_as_it_grows(archive: Archive) -> None:
    id = await archive.video(state="processing", duration_s=60.0)
    plan = Plan(60.0, (0, 180_000), (Rung("240p", 426, 240, (1, 1), 400_000, 1, 30.0),))
    told: list[int] = []
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        await making.list_planned(transaction, video, plan, [])
        await making.begun(transaction, video, "240p")
        for size in (100, 300, 200):  # jobs side by side: one looked before the other, and tells after it
            await making.grew(transaction, video, "240p", size)
            told.append(await stored.total(transaction, DEFAULT_PROJECT))
        await making.ended(transaction, video, "240p", size=400)
        told.append(await stored.total(transaction, DEFAULT_PROJECT))
        await making.grew(transaction, video, "240p", 500)  # a job that ended late
        told.append(await stored.total(transaction, DEFAULT_PROJECT))
        assert await renditions.unweighed(transaction, 10) == []
    assert told == [100, 300, 300, 400, 400]
