"""Our client and our server, joined by a function; and what other servers say."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.amf0 import Value, encode
from server.protocols.rtmp import command as commands
from server.protocols.rtmp.chunk import ChunkWriter
from server.protocols.rtmp.client import Client, State
from server.protocols.rtmp.client_events import ClientEvent, Fault, Over, Purpose, Running
from server.protocols.rtmp.connection import Connection
from server.protocols.rtmp.events import Event, Media, Metadata, PlayRequested, PublishEnded, PublishRequested
from server.protocols.rtmp.message import AUDIO, USER_CONTROL, VIDEO, Message, control
from server.protocols.rtmp.url import RtmpUrl

URL = RtmpUrl("example.com", 1935, False, "live", "KEY?a=1")
PICTURE = b"\x17\x01\0\0\0" + bytes(range(256)) * 40  # three chunks of 4096


@dataclass
class Pair:
    """A client and a server core, and what each was told."""

    client: Client
    server: Connection = field(default_factory=lambda: Connection(0.0))
    told: list[ClientEvent] = field(default_factory=list)
    asked: list[Event] = field(default_factory=list)

    def talk(self) -> None:
        while True:
            there = self.client.data_to_send()
            if there:
                self.asked += self.server.receive_data(there, 0.0)
            back = self.server.data_to_send()
            if back:
                self.told += self.client.receive_data(back, 0.0)
            if not there and not back:
                return


def pair(purpose: Purpose, *fourccs: str) -> Pair:
    made = Pair(Client(URL, purpose, 0.0, fourccs))
    made.talk()
    return made


def test_publishing() -> None:
    joined = pair(Purpose.PUBLISH)
    assert joined.asked == [PublishRequested("live", "KEY", "a=1")]
    assert joined.client.state is State.STARTING
    assert joined.server.accept_publish()
    joined.talk()
    assert joined.told == [Running()]
    joined.client.send_metadata({"width": 640.0})
    joined.client.send_media(VIDEO, 0x1000020, PICTURE)
    joined.client.send_media(AUDIO, 40, b"\xaf\x01x")
    joined.asked.clear()
    joined.talk()
    assert joined.asked == [
        Metadata({"width": 640.0}), Media(VIDEO, 0x1000020, PICTURE), Media(AUDIO, 40, b"\xaf\x01x"),
    ]  # fmt: skip
    joined.asked.clear()
    joined.client.close()
    joined.talk()
    assert joined.asked == [PublishEnded("FCUnpublish")]
    assert joined.client.closed


def test_playing() -> None:
    joined = pair(Purpose.PLAY)
    assert joined.asked == [PlayRequested("live", "KEY", "a=1")]
    assert joined.server.accept_play()
    joined.server.send_metadata({"width": 640.0})
    joined.server.send_media(VIDEO, 7, PICTURE)
    joined.talk()
    assert joined.told == [Running(), Metadata({"width": 640.0}), Media(VIDEO, 7, PICTURE)]
    joined.server.end_play("over")
    joined.talk()
    assert isinstance(joined.told[-1], Over)
    assert joined.told[-1].fault is Fault.ENDED


def test_capabilities_are_told_where_the_media_needs_them() -> None:
    sent = Client(URL, Purpose.PUBLISH, 0.0, ("hvc1",))
    sent.receive_data(b"\x03" + bytes(3072), 0.0)
    assert b"fourCcList" in (out := sent.data_to_send())
    assert b"hvc1" in out
    plain = Client(URL, Purpose.PUBLISH, 0.0)
    plain.receive_data(b"\x03" + bytes(3072), 0.0)
    assert b"fourCcList" not in plain.data_to_send()


def test_a_refusal_is_told_without_the_key() -> None:
    joined = pair(Purpose.PUBLISH)
    joined.server.reject_publish(commands.PUBLISH_BAD_NAME, "no stream KEY here")
    joined.talk()
    (over,) = joined.told
    assert over == Over("NetStream.Publish.BadName: no stream *** here", Fault.REFUSED)
    assert joined.client.receive_data(b"more", 0.0) == []


class Peer:
    """A server that says what it is told to."""

    def __init__(self, purpose: Purpose = Purpose.PUBLISH) -> None:
        self.client = Client(URL, purpose, 0.0)
        self._writer = ChunkWriter()
        self.client.receive_data(b"\x03" + bytes(3072), 0.0)

    def say(self, name: str, transaction: float, *values: Value) -> list[ClientEvent]:
        return self.send(commands.command_message(encode(name, transaction, *values)))

    def send(self, message: Message) -> list[ClientEvent]:
        return self.client.receive_data(self._writer.write(3, message), 1.0)

    def started(self) -> "Peer":
        self.say("_result", 1, {}, {"code": "NetConnection.Connect.Success"})
        self.say("onBWDone", 0, None, 8192.0)
        self.say("_error", 2, None, {"code": "NetConnection.Call.Failed"})  # to releaseStream: many servers
        self.say("_result", 4, None, 1.0)
        return self


def info(code: str, level: str = "status", **more: Value) -> dict[str, Value]:
    return {"code": code, "level": level, **more}


def test_answers_that_do_not_matter_are_passed_over() -> None:
    peer = Peer().started()
    assert peer.client.state is State.STARTING
    assert peer.say("onFCPublish", 0, None, info("NetStream.Publish.Start")) == []
    assert peer.send(commands.command_message(encode("onFCPublish"))) == []  # as ffmpeg says it
    assert peer.say("onStatus", 0, None, info("NetStream.Some.Thing")) == []
    assert peer.say("onStatus", 0, None, "no object") == []
    assert peer.say("onStatus", 0, None, info("NetStream.Publish.Start")) == [Running()]
    assert peer.client.next_timeout() is None


@pytest.mark.parametrize(
    ("said", "reason", "fault"),
    [
        (("_error", 1, None, info("NetConnection.Connect.Rejected", "error", description="authmod=adobe")),
         "the peer wants a user name and password (authmod), which is not supported", Fault.REFUSED),
        (("_error", 1, None), "the peer refused connect", Fault.REFUSED),
        (("close", 0, None), "the peer closed the connection", Fault.BROKEN),
        (("onStatus", 0, None, info("X", "error")), "X", Fault.REFUSED),
    ],
)  # fmt: skip
def test_refused_before_it_began(
    said: tuple[str, float, *tuple[Value, ...]], reason: str, fault: Fault
) -> None:
    peer = Peer()
    assert peer.say(*said) == [Over(reason, fault)]
    assert peer.client.closed


@pytest.mark.parametrize(
    ("code", "level", "fault"),
    [
        ("NetStream.Unpublish.Success", "status", Fault.ENDED),
        ("NetConnection.Connect.Closed", "error", Fault.REFUSED),
    ],
)
def test_ended_in_the_middle(code: str, level: str, fault: Fault) -> None:
    peer = Peer().started()
    peer.say("onStatus", 0, None, info("NetStream.Publish.Start"))
    (over,) = peer.say("onStatus", 0, None, info(code, level))
    assert isinstance(over, Over)
    assert over.fault is fault


def test_every_step_has_its_time() -> None:
    client = Client(URL, Purpose.PUBLISH, 0.0)
    assert client.next_timeout() == 5.0
    assert client.handle_timeout(4.9) == []
    assert client.handle_timeout(5.0) == [
        Over("nothing came for 5 s: waited for the handshake", Fault.BROKEN)
    ]
    peer = Peer(Purpose.PLAY)
    peer.say("_result", 1, {}, {})
    assert peer.client.next_timeout() == 6.0
    peer.say("_result", 4, None, 1.0)
    peer.say("onStatus", 0, None, info("NetStream.Play.Start"))
    assert peer.client.next_timeout() == 11.0  # a source that sends nothing


def test_pings_and_windows_are_answered() -> None:
    peer = Peer().started()
    peer.client.data_to_send()
    peer.send(Message(USER_CONTROL, 0, 0, b"\0\x06\0\0\0\x2a"))
    assert b"\0\x07\0\0\0\x2a" in peer.client.data_to_send()
    peer.send(control(5, 100_000))
    peer.send(control(3, 77))
    assert peer.client.acknowledged == 77
    for _ in range(20):
        peer.send(Message(18, 1, 0, bytes(10_000)))
    assert b"\x03\0\0\0\0" in peer.client.data_to_send()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (control(5, 1)._replace(payload=b""), "control message 5 of 0 bytes"),
        (commands.command_message(encode("_result", 4, None, "x")), "has no number"),
    ],
)
def test_what_is_no_rtmp_ends_it(message: Message, reason: str) -> None:
    peer = Peer()
    peer.say("_result", 1, {}, {})
    (over,) = peer.send(message)
    assert isinstance(over, Over)
    assert reason in over.reason
    assert over.fault is Fault.BROKEN


def test_http_is_no_rtmp() -> None:
    (over,) = Client(URL, Purpose.PUBLISH, 0.0).receive_data(b"HTTP/1.1 400", 0.0)
    assert over == Over("the peer does not answer as an RTMP server", Fault.BROKEN)


def test_a_flood_of_commands_ends_it() -> None:
    peer = Peer()
    told: list[ClientEvent] = []
    for _ in range(70):
        told += peer.say("onBWDone", 0, None)
    assert isinstance(told[-1], Over)


@given(st.binary(max_size=4000), st.sampled_from(Purpose))
def test_nothing_a_peer_sends_raises(data: bytes, purpose: Purpose) -> None:
    client = Client(URL, purpose, 0.0)
    client.receive_data(b"\x03" + bytes(3072) + data, 0.0)
    client.receive_data(data, 0.0)
