"""Our client against our own server core: bytes carried by hand, time told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.amf0 import decode, encode
from server.protocols.rtmp import command as commands
from server.protocols.rtmp.chunk import ChunkReader
from server.protocols.rtmp.client import STEP_TIMEOUT_S, Client, ClientEvent, Started, State, Target
from server.protocols.rtmp.connection import Connection
from server.protocols.rtmp.events import (
    AUDIO,
    VIDEO,
    Closed,
    Event,
    Media,
    Metadata,
    PlayRequested,
    PublishEnded,
    PublishRequested,
)
from server.protocols.rtmp.handshake import PACKET
from server.protocols.rtmp.limits import Limits
from server.protocols.rtmp.message import COMMAND
from tests.unit.protocols.rtmp.client import AVC_CONFIG, aac, avc

TARGET = Target("rtmp", "host.example", 1935, "live", "secret-key")


class Line:
    """A client and a server joined."""

    def __init__(self, purpose: str = "publish", target: Target = TARGET) -> None:
        self.client = Client(target, purpose, 0.0)  # type: ignore[arg-type]
        self.server = Connection(0.0)
        self.now = 0.0
        self.ours: list[ClientEvent] = []
        self.theirs: list[Event] = []

    def carry(self, piece: int = 1 << 20) -> "Line":
        """What both have to say, until both are silent; at most `piece` bytes at once."""
        for _ in range(1000):
            up, down = self.client.data_to_send(), self.server.data_to_send()
            if not up and not down:
                return self
            for at in range(0, len(up), piece):
                self.theirs += self.server.receive_data(up[at : at + piece], self.now)
            for at in range(0, len(down), piece):
                self.ours += self.client.receive_data(down[at : at + piece], self.now)
        raise AssertionError("they talk for ever")

    def started(self) -> "Line":
        self.carry()
        assert self.server.accept_publish() or self.server.accept_play()
        self.carry()
        assert self.ours == [Started()]
        self.ours.clear()
        return self


@pytest.mark.parametrize(
    ("url", "name", "expected"),
    [
        ("rtmp://a.example/live", "key", Target("rtmp", "a.example", 1935, "live", "key")),
        ("rtmps://a.example:4433/app/instance", "k", Target("rtmps", "a.example", 4433, "app/instance", "k")),
        ("rtmp://a.example/app?auth=1", "key?x=2", Target("rtmp", "a.example", 1935, "app?auth=1", "key?x=2")),
        ("rtmp://a.example/app/stream", None, Target("rtmp", "a.example", 1935, "app", "stream")),
        ("rtmp://[::1]:19/app/in/stream?t=1", None, Target("rtmp", "::1", 19, "app/in", "stream?t=1")),
        ("rtmps://a.example/app/", "k%y", Target("rtmps", "a.example", 443, "app", "k%y")),
    ],
)
def test_targets(url: str, name: str | None, expected: Target) -> None:
    assert Target.of(url, name) == expected
    assert expected.name not in repr(expected)


@pytest.mark.parametrize("url", ["http://a.example/live/x", "rtmp:///live/x", "rtmp://a.example/", "rtmp://a.example/x"])
def test_what_is_no_target(url: str) -> None:
    with pytest.raises(ValueError, match="RTMP"):
        Target.of(url)


@pytest.mark.parametrize("piece", [1, 97, 1 << 20])
def test_publishing(piece: int) -> None:
    line = Line().carry(piece)
    (asked,) = line.theirs
    assert isinstance(asked, PublishRequested)
    assert (asked.app, asked.key) == ("live", "secret-key")
    assert line.client.state is State.ASKED

    line.theirs.clear()
    line.started()
    line.client.send_metadata({"width": 1280.0})
    line.client.send_media(VIDEO, 0, AVC_CONFIG)
    line.client.send_media(VIDEO, 40, avc(bytes(20_000), key=True))
    line.client.send_media(AUDIO, 41, aac(b"sound"))
    line.carry(piece)
    assert line.theirs == [
        Metadata({"width": 1280.0}),
        Media(VIDEO, 0, AVC_CONFIG),
        Media(VIDEO, 40, avc(bytes(20_000), key=True)),
        Media(AUDIO, 41, aac(b"sound")),
    ]

    line.theirs.clear()
    line.client.close()
    line.carry(piece)
    assert isinstance(line.theirs[0], PublishEnded)
    assert line.client.closed


def test_times_beyond_24_bits() -> None:
    line = Line().started()
    line.theirs.clear()
    for at in (0xFFFFFE, 0xFFFFFF, 0x1000000, 0xFFFFFFFF, 1 << 32):
        line.client.send_media(VIDEO, at, avc(bytes(9000)))
    line.carry()

    assert [event.timestamp for event in line.theirs if isinstance(event, Media)] == [
        0xFFFFFE, 0xFFFFFF, 0x1000000, 0xFFFFFFFF, 0
    ]  # fmt: skip


def test_nothing_is_sent_before_the_word() -> None:
    line = Line().carry()
    line.theirs.clear()
    line.client.send_media(VIDEO, 0, AVC_CONFIG)
    line.carry()

    assert line.theirs == []


def test_playing() -> None:
    line = Line("play").carry()
    (asked,) = line.theirs
    assert isinstance(asked, PlayRequested)
    assert (asked.app, asked.name) == ("live", "secret-key")
    line.started()
    line.server.send_metadata({"width": 640.0})
    line.server.send_media(VIDEO, 7, avc(bytes(9000), key=True))
    line.carry()
    assert line.ours == [Metadata({"width": 640.0}), Media(VIDEO, 7, avc(bytes(9000), key=True))]

    line.ours.clear()
    line.server.end_play("over")
    line.carry()
    assert [type(event) for event in line.ours] == [Closed]
    assert not line.client.refused


def test_a_refusal_says_why_without_the_key() -> None:
    line = Line().carry()
    line.server.reject_publish(commands.PUBLISH_BAD_NAME, "no stream secret-key here")
    line.carry()

    assert line.client.refused
    (closed,) = line.ours
    assert isinstance(closed, Closed)
    assert closed.reason == "the server refused: no stream … here"


def test_the_end_from_the_other_side_is_no_refusal_of_the_stream() -> None:
    line = Line().started()
    line.server.close("the server is stopping")
    line.carry()

    (closed,) = line.ours
    assert isinstance(closed, Closed)
    assert "the server is stopping" in closed.reason


def test_a_long_message_is_acknowledged() -> None:
    """A server that waits for acknowledgements goes on."""
    line = Line("play").started()
    for number in range(50):
        line.server.send_media(VIDEO, number, bytes(60_000))
        line.carry()

    assert line.server.received > 0
    assert line.client.received > 2_500_000
    assert sum(isinstance(event, Media) for event in line.ours) == 50


@pytest.mark.parametrize("steps", [0, 1])
def test_silence_ends_it(steps: int) -> None:
    line = Line()
    if steps:
        line.carry()  # now publish is not answered
    deadline = line.client.next_timeout()
    assert deadline == STEP_TIMEOUT_S

    assert line.client.handle_timeout(deadline - 0.1) == []
    (closed,) = line.client.handle_timeout(deadline)

    assert isinstance(closed, Closed)
    assert "silent" in closed.reason
    assert line.client.closed


def test_a_silent_source_is_given_up_and_a_silent_target_is_not() -> None:
    assert Line().started().client.next_timeout() is None
    assert Line("play").started().client.next_timeout() == pytest.approx(Limits().idle_timeout_s)


def test_what_is_no_rtmp_server_is_said() -> None:
    client = Client(TARGET, "publish", 0.0)
    (closed,) = client.receive_data(b"HTTP/1.1 400 Bad Request\r\n\r\n", 1.0)

    assert closed == Closed("the server does not speak RTMP", False)
    assert client.receive_data(b"more", 2.0) == []


def test_servers_that_know_no_fcpublish_are_fine() -> None:
    """Their _error to releaseStream and FCPublish does not matter; one to connect does."""
    line = Line()
    line.client.data_to_send()
    line.client.receive_data(bytes((3,)) + bytes(2 * PACKET), 0.0)
    reader = ChunkReader(Limits())
    sent = line.client.data_to_send()[PACKET:]
    assert next(iter(decode(next(iter(reader.receive(sent))).payload))) == "connect"

    def said(name: str, transaction: float, info: object = None) -> list[ClientEvent]:
        payload = encode(name, transaction, None, info)  # type: ignore[arg-type]
        head = bytes((3, 0, 0, 0)) + len(payload).to_bytes(3, "big") + bytes((COMMAND, 0, 0, 0, 0))
        return line.client.receive_data(head + payload, 0.0)

    assert said("_result", 1.0) == []
    assert said("_error", 2.0, {"code": "NetConnection.Call.Failed"}) == []
    assert said("_error", 3.0) == []
    assert line.client.state is State.PREPARE
    (closed,) = said("_error", 4.0, {"description": "no more streams"})
    assert closed == Closed("the server refused: no more streams", False)
    assert line.client.refused


@given(st.binary(max_size=400), st.integers(0, 3))
def test_nothing_that_a_server_sends_raises(data: bytes, steps: int) -> None:
    line = Line("play")
    if steps:
        line.carry()
    if steps > 1:
        line.server.accept_play()
        line.carry()
    for at in range(0, len(data), 1 + steps * 50):
        line.client.receive_data(data[at : at + 1 + steps * 50], 1.0)
    if not line.client.closed:
        line.client.handle_timeout(1000.0)
    assert line.client.closed
