"""Publishers and readers without a socket: a peer that remembers, a stream that is real."""

from typing import Any

import pytest

from server.formats.mpegts.demuxer import Demuxer, Unit
from server.formats.mpegts.psi import ProgramMap
from server.formats.sample import Sample, TrackConfig, VideoConfig
from server.ingest.on_air import OnAir, Publisher
from server.ingest.srt_connection import SrtPublisher, SrtReader
from server.ingest.srt_port import Peer
from server.media.mpegts import Configured, Item, Picture, TsInput, Unsupported
from server.protocols.srt.connection import Connection
from server.protocols.srt.listener import Listener
from tests.harness import media
from tests.unit.ingest.conftest import Studio
from tests.unit.packager.publishing import AUDIO, VIDEO

ADDRESS = ("127.0.0.1", 5000)


class Owner:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.hung_up: list[Peer] = []
        self.left: list[object] = []

    def hang_up(self, peer: Peer) -> None:
        self.hung_up.append(peer)

    def leave(self, connection: object) -> None:
        self.left.append(connection)


class FakePublisher:
    """Remembers what is written."""

    live_stream_id, broadcast_id = "li", "br"

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *values, **more: self.calls.append((name, *values, *more.values()))


def peer(sink: Any, publishes: bool = True) -> Peer:
    known = Connection.__new__(Connection)
    known.key_bits, known.latency_ms = 0, 120
    known.statistics = lambda now: STATISTICS  # type: ignore[method-assign]
    return Peer(known, sink, publishes, 7_000_000)


def _statistics() -> Any:
    from server.protocols.srt.statistics import Statistics

    values = dict.fromkeys(Statistics.__slots__, 0) | {"received": 9, "lost": 2, "rtt_ms": 40.5}
    return Statistics(**values)


STATISTICS = _statistics()
PICTURE = Picture("video", 900, 0, True, b"data")


def opened() -> tuple[SrtPublisher, FakePublisher, Owner, Peer]:
    owner, written = Owner(), FakePublisher()
    publisher = SrtPublisher(owner, ADDRESS, "1.5.3")
    known = peer(publisher)
    publisher.open(known, written)  # type: ignore[arg-type]
    return publisher, written, owner, known


def test_media_that_comes_before_the_event_loop_is_ready_is_not_lost() -> None:
    written = FakePublisher()
    publisher = SrtPublisher(Owner(), ADDRESS, "1.5.3")
    publisher.take([Configured("video", VIDEO), PICTURE], 1316)
    known = peer(publisher)

    publisher.open(known, written)  # type: ignore[arg-type]

    assert written.calls == [("configure", VIDEO, "video"), ("video", 900, 0, True, b"data", "video")]
    assert known.taken == 1316


@pytest.mark.parametrize("by_peer", [False, True])
def test_the_end_is_told_as_it_came(by_peer: bool) -> None:
    publisher, written, owner, _ = opened()

    publisher.over("gone", by_peer)

    assert written.calls == [("closed", "gone", by_peer)]
    assert owner.left == [publisher]
    assert owner.hung_up == []


def test_an_end_before_the_event_loop_is_ready() -> None:
    owner, written = Owner(), FakePublisher()
    publisher = SrtPublisher(owner, ADDRESS, "1.5.3")
    publisher.over("gone", True)
    known = peer(publisher)

    publisher.open(known, written)  # type: ignore[arg-type]

    assert written.calls == [("closed", "gone", True)]
    assert owner.hung_up == [known]


def test_a_publisher_that_is_sent_away_writes_no_more() -> None:
    publisher, written, owner, known = opened()

    publisher.close("taken over")
    publisher.take([PICTURE], 1316)
    publisher.over("late", True)

    assert written.calls == []
    assert owner.hung_up == [known]


def test_pictures_of_another_codec_end_it_and_sound_is_left_out() -> None:
    publisher, written, owner, known = opened()

    publisher.take([Unsupported("audio", "dts")], 0)
    assert written.calls == []
    publisher.take([Unsupported("video", "mpeg2video"), PICTURE], 0)

    reason = "video codec mpeg2video is not supported; send H.264 or HEVC"
    assert written.calls == [("rejected", reason), ("closed", reason, True)]
    assert owner.hung_up == [known]


def test_what_is_known_of_the_link() -> None:
    publisher, _, _, known = opened()

    facts = publisher.facts()

    assert (facts.encoder, facts.peer) == ("SRT 1.5.3", "127.0.0.1")
    assert facts.link is not None
    assert (facts.link.rtt_ms, facts.link.received, facts.link.lost) == (40.5, 9, 2)
    assert facts.counters["received"] == 9
    assert publisher.last_heard() == known.heard_us / 1e6
    assert Listener().counters.malformed == 0


async def test_a_reader_begins_with_a_key_frame_and_again_after_a_drop(studio: Studio) -> None:
    on_air = await _on_air(studio)
    reader = SrtReader(Owner(), on_air, ADDRESS)
    known = peer(reader, publishes=False)
    reader.open(known)
    reader.configure("video", _config(), 0)
    reader.configure("audio", AUDIO, 0)

    reader.write("audio", Sample(0, 0, True, b"early"))
    reader.write("video", Sample(0, 0, False, _picture()))
    assert not known.queue
    reader.write("video", Sample(3000, 0, True, _picture()))
    reader.write("audio", Sample(4000, 0, True, b"sound"))
    events = Demuxer().feed(b"".join(known.queue))
    assert [len(event.streams) for event in events if isinstance(event, ProgramMap)] == [2]
    assert [event.data[-5:] for event in events if isinstance(event, Unit)] == [b"sound"]

    known.queued += 100 << 20  # the peer does not keep up
    reader.write("video", Sample(6000, 0, False, _picture()))
    known.queued -= 100 << 20
    known.queue.clear()
    reader.write("video", Sample(9000, 0, False, _picture()))
    assert reader.dropped == 1
    assert not known.queue
    reader.write("video", Sample(12_000, 0, True, _picture()))
    assert known.queue


async def test_a_reader_is_hung_up_when_the_broadcast_ends(studio: Studio) -> None:
    owner = Owner()
    reader = SrtReader(owner, await _on_air(studio), ADDRESS)
    known = peer(reader, publishes=False)
    reader.open(known)

    reader.end()
    reader.write("video", Sample(0, 0, True, _picture()))

    assert owner.hung_up == [known]
    assert owner.left == [reader]


@pytest.mark.parametrize("first", ["the broadcast", "the reader"])
async def test_a_reader_whose_broadcast_or_peer_ended_before_it_began(studio: Studio, first: str) -> None:
    owner, on_air = Owner(), await _on_air(studio)
    reader = SrtReader(owner, on_air, ADDRESS)
    known = peer(reader, publishes=False)
    if first == "the reader":
        reader.over("the peer has shut down", True)
    else:
        await studio.broadcasts.complete(on_air.live_stream_id)

    reader.open(known)

    reader.write("video", Sample(0, 0, True, _picture()))
    assert not known.queue
    assert owner.hung_up == [known]
    assert owner.left[-1] is reader
    assert reader not in on_air.stream._audience.readers


async def test_tracks_without_a_place_in_mpeg_ts_are_left_out(studio: Studio) -> None:
    reader = SrtReader(Owner(), await _on_air(studio), ADDRESS)
    known = peer(reader, publishes=False)
    reader.open(known)

    reader.configure("video", VideoConfig("av01.0.04M.08", 90_000, 16, 16, b""), 0)
    reader.configure("audio", AUDIO, 0)
    reader.write("video", Sample(0, 0, True, b"picture"))
    reader.write("audio", Sample(0, 0, True, b"sound"))

    items = TsInput().feed(b"".join(known.queue))
    assert {item.track for item in items if isinstance(item, Configured)} <= {"audio"}
    assert known.queue


async def _on_air(studio: Studio) -> OnAir:
    live_stream_id, publisher = await studio.on_air()
    assert isinstance(publisher, Publisher)
    return studio.showing(live_stream_id)


def _items() -> list[Item]:
    return TsInput().feed(media.clip(1, audio=False, extension="ts").read_bytes())


def _config() -> TrackConfig:
    return next(item.config for item in _items() if isinstance(item, Configured))


def _picture() -> bytes:
    return next(item.data for item in _items() if isinstance(item, Picture))
