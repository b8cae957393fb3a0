"""A server's connection and a client joined by nothing but bytes."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.formats import flv
from server.formats.amf0 import UNDEFINED, Value
from server.protocols.rtmp.answers import OUT_CHUNK_SIZE
from server.protocols.rtmp.command import PUBLISH_BAD_NAME
from server.protocols.rtmp.connection import Connection
from server.protocols.rtmp.events import (
    AUDIO,
    VIDEO,
    Closed,
    Event,
    Media,
    Metadata,
    PublishEnded,
    PublishRequested,
)
from server.protocols.rtmp.limits import Limits
from server.protocols.rtmp.link import WINDOW
from server.protocols.rtmp.message import Message
from server.protocols.rtmp.state import State
from tests.unit.protocols.rtmp.client import AAC_CONFIG, AVC_CONFIG, Client, aac, avc, split
from tests.unit.protocols.rtmp.sessions import HANDSHAKE, SESSIONS

KEY = "KEY?token=x"
REQUEST = PublishRequested("live", "KEY", "token=x")
START = {"level": "status", "code": "NetStream.Publish.Start", "description": "Publishing."}


class Pair:
    """A client and a connection; `say` gives events and the values of each command answered."""

    def __init__(self, limits: Limits | None = None, obs: bool = False) -> None:
        self.client = Client(obs=obs)
        self.connection = Connection(100.0, limits or Limits())

    def say(self, data: bytes, now: float = 100.0) -> tuple[list[Event], list[list[Value]]]:
        return self.connection.receive_data(data, now), self.heard()

    def heard(self) -> list[list[Value]]:
        return self.client.answers(self.connection.data_to_send())

    def messages(self) -> list[Message]:
        return self.client.receive(self.connection.data_to_send())

    def up_to(self, state: State) -> "Pair":
        """Walk the usual way; what is answered on it is tested elsewhere."""
        client = self.client
        steps = [
            (State.CONNECTING, client.hello),
            (State.CONNECTED, client.connect),
            (State.ASKED, lambda: client.prepare(KEY) + client.publish(KEY)),
        ]
        for reached, step in steps:
            if self.connection.state is state:
                break
            self.say(step())
            assert self.connection.state is reached
        if state in (State.PUBLISHING, State.ENDED):
            assert self.connection.accept_publish()
            self.heard()
        if state is State.ENDED:
            self.say(client.end(KEY))
        assert self.connection.state is state
        return self


def _info(level: str, code: str, description: str) -> dict[str, Value]:
    return {"level": level, "code": code, "description": description}


@pytest.mark.parametrize("obs", [False, True])
def test_a_publication_from_the_first_byte_to_the_last(obs: bool) -> None:
    pair = Pair(obs=obs)
    client, connection = pair.client, pair.connection

    assert pair.say(client.hello()) == ([], [])
    events, answers = pair.say(client.connect())
    assert events == []
    assert [answer[:2] for answer in answers] == [["_result", 1.0]]
    assert connection.agent == "FMLE/3.0 (compatible; test)"
    assert pair.say(client.prepare(KEY)) == (
        [],
        [["_result", 2.0, None, UNDEFINED], ["_result", 3.0, None, UNDEFINED], ["_result", 4.0, None, 1.0]],
    )
    assert pair.say(client.publish(KEY)) == ([REQUEST], [])

    assert connection.accept_publish()
    published, started = pair.heard()
    assert published[:3] == ["onFCPublish", 0.0, None]
    assert started == ["onStatus", 0.0, None, START]

    picture, sound = avc(bytes(9000), key=True, cts_ms=-20), aac(b"frame")
    media = client.metadata(width=64) + client.video(0, AVC_CONFIG) + client.audio(0, AAC_CONFIG)
    media += client.video(40, picture) + client.audio(23, sound)
    assert pair.say(media) == (
        [
            Metadata({"width": 64.0}),
            Media(VIDEO, 0, AVC_CONFIG),
            Media(AUDIO, 0, AAC_CONFIG),
            Media(VIDEO, 40, picture),
            Media(AUDIO, 23, sound),
        ],
        [],
    )

    events, answers = pair.say(client.video(80, avc(b"last")) + client.end(KEY))
    assert events == [Media(VIDEO, 80, avc(b"last")), PublishEnded("FCUnpublish")]
    assert [answer[0] for answer in answers] == ["onStatus"]
    assert answers[0][3] == _info("status", "NetStream.Unpublish.Success", "The stream has ended.")
    assert connection.dropped == 0


def test_connect_is_answered_by_the_control_messages_servers_send() -> None:
    pair = Pair()
    pair.connection.receive_data(pair.client.hello() + pair.client.connect(), 100.0)

    window, bandwidth, chunk_size, result = pair.messages()

    assert (window.type, window.payload) == (5, WINDOW.to_bytes(4, "big"))
    assert (bandwidth.type, bandwidth.payload) == (6, WINDOW.to_bytes(4, "big") + b"\x02")
    assert (chunk_size.type, chunk_size.payload) == (1, OUT_CHUNK_SIZE.to_bytes(4, "big"))
    assert result.type == 20


def test_the_stream_begins_before_publish_start() -> None:
    pair = Pair().up_to(State.ASKED)
    pair.connection.accept_publish()

    published, begin, start = pair.messages()

    assert published.stream_id == 0
    assert (begin.type, begin.payload) == (4, b"\0\0\0\0\0\x01")
    assert start.stream_id == 1


def test_fc_published_is_only_said_to_those_who_asked() -> None:
    pair = Pair().up_to(State.CONNECTED)
    pair.say(pair.client.publish(KEY))
    pair.connection.accept_publish()

    assert [answer[0] for answer in pair.heard()] == ["onStatus"]


def test_nothing_is_said_before_the_answer() -> None:
    pair = Pair()

    events, answers = pair.say(pair.client.until_publish(KEY))

    assert events == [REQUEST]
    assert "onStatus" not in [answer[0] for answer in answers]


def test_a_wrong_key_is_refused_in_words() -> None:
    pair = Pair().up_to(State.ASKED)

    assert pair.connection.reject_publish(PUBLISH_BAD_NAME, "unknown stream key")

    assert pair.connection.closed
    assert pair.connection.close_after_flush
    assert pair.heard() == [
        ["onStatus", 0.0, None, _info("error", "NetStream.Publish.BadName", "unknown stream key")]
    ]
    assert pair.say(pair.client.video(0, AVC_CONFIG)) == ([], [])
    assert pair.connection.next_timeout() is None
    assert pair.connection.handle_timeout(1000.0) == []


def test_an_answer_that_comes_too_late_is_not_taken() -> None:
    for state in (State.CONNECTED, State.PUBLISHING, State.ENDED):
        pair = Pair().up_to(state)

        assert not pair.connection.accept_publish()
        assert not pair.connection.reject_publish(PUBLISH_BAD_NAME, "no")
        assert pair.connection.state is state
        assert pair.heard() == []


def test_a_publisher_who_leaves_before_the_answer_has_ended() -> None:
    pair = Pair().up_to(State.ASKED)

    events, _ = pair.say(pair.client.video(0, AVC_CONFIG) + pair.client.command("deleteStream", None, 1))

    assert events == [PublishEnded("deleteStream")]
    assert not pair.connection.accept_publish()


def test_media_before_the_answer_is_kept_up_to_a_limit() -> None:
    pair = Pair(Limits(unasked=100)).up_to(State.ASKED)
    early = [avc(bytes(40)), avc(bytes(40)), avc(bytes(40)), avc(bytes(101))]
    data = b"".join(pair.client.video(0, payload) for payload in early)

    assert pair.say(data) == ([], [])
    pair.connection.accept_publish()
    events, _ = pair.say(pair.client.audio(5, aac(b"x")))

    assert events == [Media(VIDEO, 0, early[0]), Media(VIDEO, 0, early[1]), Media(AUDIO, 5, aac(b"x"))]
    assert pair.connection.dropped == 2
    assert pair.say(b"") == ([], [])


@pytest.mark.parametrize("state", [State.CONNECTING, State.CONNECTED, State.ENDED])
def test_media_while_nothing_is_published_is_dropped(state: State) -> None:
    pair = Pair().up_to(state)

    assert pair.say(pair.client.video(0, avc(b"x")) + pair.client.metadata()) == ([], [])
    assert pair.connection.dropped == 2


def _status(code: str, description: str) -> list[Value]:
    return ["onStatus", 0.0, None, _info("error", code, description)]


def _call_failed(transaction: float, description: str) -> list[Value]:
    return ["_error", transaction, None, _info("error", "NetConnection.Call.Failed", description)]


NOT_FOUND = _status("NetStream.Play.StreamNotFound", "no name given")
TOO_LONG = _status("NetStream.Play.StreamNotFound", "the name is too long")
ONCE = "a connection carries one stream, once"
SECOND = _status("NetStream.Publish.BadName", ONCE)
NO_KEY = _status("NetStream.Publish.BadName", "no stream key given")
LONG = f"'{'x' * 40}' is not expected while connecting"

# A state, a command in it, the reason of Closed, the answer.
REFUSALS: list[tuple[State, list[Value], str, list[Value]]] = [
    (State.CONNECTED, ["play", None, ""], "refused play: no name given", NOT_FOUND),
    (State.CONNECTED, ["play", None, "x" * 1024], "refused play: the name is too long", TOO_LONG),
    (State.PUBLISHING, ["play", None, "OTHER"], f"refused publish: {ONCE}", SECOND),
    (State.ASKED, ["publish", None, "OTHER", "live"], f"refused publish: {ONCE}", SECOND),
    (State.PUBLISHING, ["publish", None, "OTHER", "live"], f"refused publish: {ONCE}", SECOND),
    (State.ENDED, ["publish", None, "OTHER", "live"], f"refused publish: {ONCE}", SECOND),
    (State.CONNECTED, ["publish", None, "", "live"], "refused publish: no stream key given", NO_KEY),
    (State.CONNECTED, ["publish", None, False], "refused publish: no stream key given", NO_KEY),
    (
        State.CONNECTING,
        ["publish", None, "KEY"],
        "'publish' is not expected while connecting",
        _call_failed(1.0, "'publish' is not expected while connecting"),
    ),
    (State.CONNECTING, ["x" * 50, None], LONG, _call_failed(1.0, LONG)),
    (
        State.CONNECTED,
        ["connect", {"app": "live"}],
        "'connect' is not expected while connected",
        _call_failed(2.0, "'connect' is not expected while connected"),
    ),
]


@pytest.mark.parametrize(("state", "values", "reason", "answer"), REFUSALS)
def test_a_wrong_command_is_refused_and_closes(
    state: State, values: list[Value], reason: str, answer: list[Value]
) -> None:
    pair = Pair().up_to(state)
    name, *rest = values
    assert isinstance(name, str)

    events, answers = pair.say(pair.client.command(name, *rest) + pair.client.video(0, AVC_CONFIG))

    assert events == [Closed(reason, flush=True)]
    assert answers == [answer]
    assert pair.connection.closed
    assert pair.connection.close_after_flush


@pytest.mark.parametrize("state", [State.CONNECTED, State.ASKED, State.PUBLISHING, State.ENDED])
def test_unknown_calls_get_an_error_and_no_more(state: State) -> None:
    pair = Pair().up_to(state)
    transaction = pair.client._transaction + 1.0

    events, answers = pair.say(pair.client.command("play2", None) + pair.client.command("onStatus", None))

    assert events == []
    assert answers == [["_error", transaction, None, _info("error", "NetConnection.Call.Failed", "no such call")]]
    assert pair.connection.state is state


@pytest.mark.parametrize("name", ["FCUnpublish", "deleteStream", "closeStream"])
def test_three_commands_end_a_publication(name: str) -> None:
    pair = Pair().up_to(State.PUBLISHING)

    events, _ = pair.say(pair.client.command(name, None) + pair.client.video(0, avc(b"late")))

    assert events == [PublishEnded(name)]
    assert pair.connection.state is State.ENDED


@pytest.mark.parametrize("name", ["deleteStream", "closeStream"])
def test_an_unused_stream_may_be_deleted(name: str) -> None:
    pair = Pair().up_to(State.CONNECTED)

    assert pair.say(pair.client.command(name, None, 1)) == ([], [])
    assert pair.connection.state is State.CONNECTED


def test_an_enhanced_connect_is_answered_in_kind() -> None:
    pair = Pair().up_to(State.CONNECTING)

    _, answers = pair.say(pair.client.connect(fourCcList=["hvc1", "av01", "vp09"], capsEx=15.0))

    info = answers[0][3]
    assert isinstance(info, dict)
    assert info["fourCcList"] == ["avc1", "hvc1", "av01", "vp09", "mp4a", "Opus", "fLaC", "ac-3", "ec-3"]


def test_a_ping_is_answered() -> None:
    pair = Pair().up_to(State.PUBLISHING)
    pair.connection.receive_data(pair.client.send(2, 4, 0, 0, b"\0\6\1\2\3\4"), 100.0)

    assert pair.messages() == [Message(4, 0, 0, b"\0\7\1\2\3\4")]


def test_acknowledgements_come_at_half_the_window_that_was_asked_for() -> None:
    pair = Pair().up_to(State.PUBLISHING)
    connection, client = pair.connection, pair.client
    connection.receive_data(client.video(0, avc(bytes(100_000))), 100.0)
    assert pair.messages() == []

    connection.receive_data(client.send(2, 5, 0, 0, (100_000).to_bytes(4, "big")), 100.0)
    asked = connection.received
    assert pair.messages() == [Message(3, 0, 0, asked.to_bytes(4, "big"))]
    connection.receive_data(client.video(0, avc(bytes(49_000))), 100.0)
    assert pair.messages() == []
    connection.receive_data(client.video(0, avc(bytes(1_000))), 100.0)
    assert pair.messages() == [Message(3, 0, 0, connection.received.to_bytes(4, "big"))]


def test_the_count_in_an_acknowledgement_wraps() -> None:
    pair = Pair().up_to(State.PUBLISHING)
    pair.connection.receive_data(pair.client.send(2, 5, 0, 0, (1).to_bytes(4, "big")), 100.0)
    pair.messages()
    pair.connection.received = (1 << 32) - 10

    pair.connection.receive_data(pair.client.video(0, avc(b"x")), 100.0)

    (message,) = pair.messages()
    assert message.payload == (pair.connection.received - (1 << 32)).to_bytes(4, "big")


# -- time


@pytest.mark.parametrize("state", [State.HANDSHAKE, State.CONNECTING, State.CONNECTED])
def test_publish_must_come_within_five_seconds_of_the_start(state: State) -> None:
    pair = Pair().up_to(state)
    connection = pair.connection
    connection.receive_data(b"", 104.0)

    assert connection.next_timeout() == 105.0
    assert connection.handle_timeout(104.9) == []
    assert connection.handle_timeout(105.0) == [Closed("no publish within 5 s", flush=False)]
    assert connection.closed
    assert not connection.close_after_flush


def test_the_caller_has_five_seconds_to_answer() -> None:
    pair = Pair().up_to(State.CONNECTED)
    pair.say(pair.client.publish(KEY), 103.0)
    pair.say(pair.client.video(0, AVC_CONFIG), 107.0)

    assert pair.connection.next_timeout() == 108.0
    assert pair.connection.handle_timeout(108.0) == [
        Closed("refused publish: the server did not answer in time", flush=True)
    ]
    assert pair.heard()[0][0] == "onStatus"


def test_a_publisher_may_be_silent_for_ten_seconds() -> None:
    pair = Pair().up_to(State.PUBLISHING)
    pair.say(pair.client.video(0, AVC_CONFIG), 150.0)

    assert pair.connection.last_received == 150.0
    assert pair.connection.next_timeout() == 160.0
    assert pair.connection.handle_timeout(159.9) == []
    assert pair.connection.handle_timeout(160.0) == [Closed("silent for 10 s", flush=False)]


def test_a_peer_that_stays_after_the_end_is_closed() -> None:
    pair = Pair().up_to(State.PUBLISHING)
    pair.say(pair.client.end(KEY), 200.0)

    assert pair.connection.next_timeout() == 205.0
    assert pair.connection.handle_timeout(205.0) == [
        Closed("the peer stayed after its stream had ended", flush=False)
    ]


def test_the_times_can_be_set() -> None:
    pair = Pair(Limits(publish_timeout_s=1.5, idle_timeout_s=0.5))

    assert pair.connection.next_timeout() == 101.5
    pair.up_to(State.PUBLISHING)
    assert pair.connection.next_timeout() == 100.5
    assert pair.connection.handle_timeout(101.0) == [Closed("silent for 0.5 s", flush=False)]


# -- ends that are ours, and errors


@pytest.mark.parametrize("state", [State.CONNECTED, State.ASKED, State.PUBLISHING, State.ENDED])
def test_close_says_why(state: State) -> None:
    pair = Pair().up_to(state)

    pair.connection.close("the live stream was completed")

    assert pair.heard() == [
        ["onStatus", 0.0, None, _info("error", "NetConnection.Connect.Closed", "the live stream was completed")]
    ]
    assert pair.connection.closed
    assert pair.connection.close_after_flush
    pair.connection.close("again")
    assert pair.heard() == []


@pytest.mark.parametrize("state", [State.HANDSHAKE, State.CONNECTING])
def test_close_has_nothing_to_say_to_who_has_not_connected(state: State) -> None:
    pair = Pair().up_to(state)

    pair.connection.close("shutting down")

    assert pair.connection.closed
    assert not pair.connection.close_after_flush
    assert pair.connection.data_to_send() == b""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x16\x03\x01\x02\x00", "the peer speaks TLS: rtmps:// has a port of its own"),
        (b"GET / HTTP/1.1\r\n", "the peer speaks HTTP, not RTMP"),
        (b"SSH-2.0", "the first byte is 0x53, not an RTMP version 3"),
    ],
)
def test_other_protocols_are_named_and_get_no_answer(data: bytes, reason: str) -> None:
    pair = Pair()

    assert pair.connection.receive_data(data, 100.0) == [Closed(reason, flush=False)]
    assert pair.connection.data_to_send() == b""
    assert pair.connection.receive_data(data, 100.0) == []


def test_what_came_before_an_error_is_not_lost() -> None:
    pair = Pair().up_to(State.PUBLISHING)

    events, _ = pair.say(pair.client.video(0, AVC_CONFIG) + b"\xff" + bytes(20))

    assert events == [
        Media(VIDEO, 0, AVC_CONFIG),
        Closed("chunk stream 63 starts with a header of type 3", flush=False),
    ]


def test_a_command_that_does_not_parse_closes() -> None:
    pair = Pair().up_to(State.CONNECTING)

    events, _ = pair.say(pair.client.send(3, 20, 0, 0, b"\x02\xff\xff"))

    assert events == [Closed("a command that does not parse: AMF0 value ends early", flush=False)]


def test_a_buffer_may_be_used_again() -> None:
    pair = Pair().up_to(State.PUBLISHING)
    data = pair.client.video(0, avc(bytes(range(256)) * 40))
    buffer = bytearray(len(data))
    events = []
    for at in range(0, len(data), 1000):
        piece = data[at : at + 1000]
        buffer[: len(piece)] = piece
        events += pair.connection.receive_data(memoryview(buffer)[: len(piece)], 100.0)
        buffer[:] = bytes(len(buffer))

    assert events == [Media(VIDEO, 0, avc(bytes(range(256)) * 40))]


# -- whole sessions


def _feed(data: bytes, step: int) -> list[Event]:
    """All events of a session whose publication is accepted at once, as it is on a socket."""
    connection, events = Connection(0.0), []
    for at in range(0, len(data), step):
        new = connection.receive_data(data[at : at + step], 0.0)
        events += new
        if any(isinstance(event, PublishRequested) for event in new):
            connection.accept_publish()
        connection.data_to_send()
    return events + connection.receive_data(b"", 0.0)  # what came with the publish command itself


@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_in_single_bytes(name: str) -> None:
    session = SESSIONS[name]

    events = _feed(session.data, 1)

    assert isinstance(events[0], PublishRequested)
    assert not any(isinstance(event, Closed) for event in events)
    media = tuple((event.kind, event.timestamp, len(event.payload)) for event in events if isinstance(event, Media))
    assert session.media is None or media == session.media
    assert events == _feed(session.data, 200)


def test_what_ffmpeg_sent() -> None:
    events = _feed(SESSIONS["ffmpeg 5.1"].data, 1000)
    video = [flv.parse_video(event.payload) for event in events if isinstance(event, Media) and event.kind == VIDEO]
    sound = [flv.parse_audio(event.payload) for event in events if isinstance(event, Media) and event.kind == AUDIO]
    times = [event.timestamp for event in events if isinstance(event, Media) and event.kind == AUDIO]

    assert (events[0], events[-1]) == (REQUEST, PublishEnded("FCUnpublish"))
    assert isinstance(events[1], Metadata)
    assert events[1].properties["encoder"] == "Lavf59.27.100"
    assert isinstance(video[0], list)
    assert isinstance(video[0][0], flv.VideoConfigRecord)
    frames = [frame for frame in video if isinstance(frame, flv.VideoFrame)]
    assert [frame.key for frame in frames] == [True, False, False, False, False] * 2
    assert video[-1] == [flv.VideoEnd()]
    assert isinstance(sound[0], list)
    assert isinstance(sound[0][0], flv.AudioConfigRecord)
    assert all(isinstance(frame, flv.AudioFrame) for frame in sound[1:])
    assert all(22 <= b - a <= 24 for a, b in pairwise(times[1:]))


def test_timestamps_go_on_past_4_h_39_m_and_wrap_at_32_bits() -> None:
    pair = Pair().up_to(State.PUBLISHING)
    client = pair.client
    times = list(range(0xFFFFFF - 200, 0xFFFFFF + 200, 33))
    data = b"".join(client.video(time, avc(bytes(9000))) + client.audio(time, aac(b"abc")) for time in times)
    events, _ = pair.say(data)
    assert [event.timestamp for event in events if isinstance(event, Media)] == [t for t in times for _ in range(2)]

    wrap = split(6, 0, (1 << 32) - 16, (VIDEO, 1, avc(bytes(9000))), client.chunk_size)
    wrap += split(6, 1, 33, (VIDEO, 1, avc(bytes(9000))), client.chunk_size)
    events, _ = pair.say(b"".join(wrap))
    assert [event.timestamp for event in events if isinstance(event, Media)] == [(1 << 32) - 16, 17]


@settings(deadline=None)  # a session in single bytes takes as long as the machine is busy
@given(
    name=st.sampled_from(sorted(SESSIONS)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    cut=st.floats(0, 1),
    step=st.integers(1, 4000),
    handshake=st.booleans(),
)
def test_broken_sessions_never_raise_and_hold_little(
    name: str, changes: list[tuple[float, int]], cut: float, step: int, handshake: bool
) -> None:
    """Any change of any byte: events, perhaps Closed at the end of them, no exception, no growth."""
    mutated = bytearray(SESSIONS[name].data)
    first = 0 if handshake else HANDSHAKE
    for place, byte in changes:
        mutated[first + int(place * (len(mutated) - first - 1))] = byte
    data = bytes(mutated[: int(cut * len(mutated))])
    began = time.process_time()

    connection, events = Connection(0.0), list[Event]()
    for at in range(0, len(data), step):
        new = connection.receive_data(data[at : at + step], 0.0)
        events += new
        if any(isinstance(event, PublishRequested) for event in new):
            connection.accept_publish()
        assert len(connection.data_to_send()) < 10_000 + len(data)
        assert connection._link._reader._partial <= len(data)

    closed = [event for event in events if isinstance(event, Closed)]
    assert closed == (events[-1:] if connection.closed else [])
    assert time.process_time() - began < 2.0
