"""When a video is one to be watched, by the states of its renditions."""

from typing import Any

import pytest

from server.catalog.models import Rendition, Video
from server.packager.qualities import NO_FILE
from server.vod import making
from server.vod.plan import OnRequest, Plan


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
