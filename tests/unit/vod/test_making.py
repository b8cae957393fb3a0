"""When a video is one to be watched, by the states of its renditions."""

from typing import Any

import pytest

from server.catalog.models import Rendition
from server.vod import making


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
