"""MPEG-TS for one target: where it begins, and what is dropped."""

from server.formats.mpegts.demuxer import Demuxer, Unit
from server.formats.sample import VideoConfig
from server.restream.ts_feed import TsFeed
from tests.unit.restream.elsewhere import VIDEO, Broadcast


def test_it_begins_at_a_key_frame_and_is_dropped_to_one() -> None:
    sent: list[bytes] = []
    room = True
    over: list[bool] = []

    def send(datagram: bytes) -> bool:
        if room:
            sent.append(datagram)
        return room

    feed = TsFeed(send, lambda: over.append(True))
    broadcast = Broadcast().begin().send(0.2)
    broadcast.stream.attach(feed)
    broadcast.send(0.6)
    assert sent == []
    broadcast.send(0.4)
    assert any(isinstance(event, Unit) for event in Demuxer().feed(b"".join(sent)))
    count, room = len(sent), False
    broadcast.send(0.4)
    assert feed.dropped > 1
    room = True
    broadcast.send(0.2)
    assert len(sent) == count  # no key frame yet
    broadcast.send(0.6)
    assert len(sent) > count
    broadcast.stream.end()
    assert over == [True]


def test_what_has_no_place_in_it_is_said() -> None:
    feed = TsFeed(lambda _: True, lambda: None)
    feed.configure("video", VideoConfig("av01.0.04M.08", 90_000, 640, 360, b"\0\0\0\x08av01"), 0)
    assert feed.left_out == {"video": "av01.0.04M.08 has no place in MPEG-TS"}
    feed.configure("video", VIDEO, 1)
    assert feed.left_out == {}
