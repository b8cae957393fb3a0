"""What the health of a live stream says of its renditions."""

from typing import cast

from aiohttp import web

from server.formats.sample import VideoConfig
from server.ladder.ladders import Ladders
from server.ladder.live_ladder import LiveLadder
from server.media.wire import Dropped, Status
from server.web.api.live_stream_ladder import LADDERS, ladder_health
from tests.unit.ladder.fakes import FakePackager


class FakeLadders:
    def __init__(self, **known: LiveLadder) -> None:
        self.get = known.get


def test_of_a_broadcast_with_renditions() -> None:
    ladder = LiveLadder("br1", None, FakePackager(), lambda: None, lambda *event: None)
    ladder.configure("video", VideoConfig("avc1.640028", 90_000, 1920, 1080, b"entry"), 0)
    for message in (Status({"behindMs": 1234, "damaged": 2}), Dropped("720p", "the machine can't keep up")):
        ladder._hear(message)
    app = web.Application()
    app[LADDERS] = cast(Ladders, FakeLadders(br1=ladder))

    found = ladder_health(app, "br1")

    assert found is not None
    assert found.model_dump(by_alias=True) == {
        "renditions": ["480p", "360p"],
        "givenUp": ["720p"],
        "transcoding": False,
        "behind": 1.23,
        "dropped": 0,
        "damaged": 2,
    }
    assert ladder_health(app, "br2") is None


def test_of_what_is_shown_as_it_comes() -> None:
    app = web.Application()
    assert ladder_health(app, "br1") is None
    app[LADDERS] = cast(Ladders, FakeLadders())
    assert ladder_health(app, None) is None
