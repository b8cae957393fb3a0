"""A server's connection and a player joined by nothing but bytes."""

import pytest

from server.formats.amf0 import Value, decode
from server.protocols.rtmp.answers import OUT_CHUNK_SIZE
from server.protocols.rtmp.connection import Connection
from server.protocols.rtmp.events import AUDIO, VIDEO, Closed, Event, PlayRequested, PublishEnded
from server.protocols.rtmp.limits import DEFAULT_LIMITS
from server.protocols.rtmp.message import COMMAND, DATA, USER_CONTROL, Message
from server.protocols.rtmp.state import State
from tests.unit.protocols.rtmp.client import AAC_CONFIG, AVC_CONFIG, Client, avc

NAME = "li1?token=jwt"
REQUEST = PlayRequested("live", "li1", "token=jwt")


class Pair:
    """A player and a connection."""

    def __init__(self) -> None:
        self.client = Client()
        self.connection = Connection(100.0)

    def say(self, data: bytes, now: float = 100.0) -> tuple[list[Event], list[Message]]:
        events = self.connection.receive_data(data, now)
        return events, self.heard()

    def heard(self) -> list[Message]:
        return self.client.receive(self.connection.data_to_send())

    def asked(self) -> "Pair":
        client = self.client
        self.say(client.hello())
        self.say(client.connect())
        self.say(client.command("createStream", None))
        events, _ = self.say(client.command("play", None, NAME, -2000.0, stream_id=1))
        assert events == [REQUEST]
        assert self.connection.state is State.PLAY_ASKED
        return self

    def playing(self) -> "Pair":
        self.asked()
        assert self.connection.accept_play()
        self.heard()
        return self


def codes(messages: list[Message]) -> list[Value]:
    """Of each onStatus."""
    found = [decode(message.payload) for message in messages if message.type == COMMAND]
    return [values[3]["code"] for values in found if values[0] == "onStatus" and isinstance(values[3], dict)]


def test_from_the_request_to_the_media() -> None:
    pair = Pair().asked()
    assert pair.connection.accept_play()
    told = pair.heard()
    assert (told[0].type, told[0].payload) == (USER_CONTROL, bytes.fromhex("0000 00000001"))
    assert codes(told) == ["NetStream.Play.Reset", "NetStream.Play.Start"]

    picture = avc(bytes(2 * OUT_CHUNK_SIZE), key=True)
    pair.connection.send_metadata({"width": 64.0})
    pair.connection.send_media(VIDEO, 0, AVC_CONFIG)
    pair.connection.send_media(AUDIO, 0, AAC_CONFIG)
    pair.connection.send_media(VIDEO, (1 << 32) + 40, picture)
    metadata, *media = pair.heard()
    assert (metadata.type, decode(metadata.payload)) == (DATA, ["onMetaData", {"width": 64.0}])
    assert media == [
        Message(VIDEO, 1, 0, AVC_CONFIG), Message(AUDIO, 1, 0, AAC_CONFIG), Message(VIDEO, 1, 40, picture),
    ]  # fmt: skip
    assert pair.connection.next_timeout() is None


def test_the_query_may_be_the_app_s() -> None:
    pair = Pair()
    pair.say(pair.client.hello())
    pair.say(pair.client.command("connect", {"app": "live?token=jwt"}))
    events, _ = pair.say(pair.client.command("play", None, "li1", stream_id=1))
    assert events == [REQUEST]
    assert "li1" not in repr(events)
    assert "jwt" not in repr(events)


def test_nothing_is_sent_before_the_answer_or_after_the_end() -> None:
    pair = Pair().asked()
    pair.connection.send_media(VIDEO, 0, AVC_CONFIG)
    assert pair.heard() == []
    pair.connection.accept_play()
    pair.connection.end_play("over")
    pair.heard()
    pair.connection.send_media(VIDEO, 0, AVC_CONFIG)
    assert pair.heard() == []


def test_a_refusal_is_said_before_the_end() -> None:
    pair = Pair().asked()
    assert pair.connection.reject_play("nothing is on air")
    assert codes(pair.heard()) == ["NetStream.Play.StreamNotFound"]
    assert pair.connection.closed
    assert pair.connection.close_after_flush
    assert not pair.connection.accept_play()
    assert not pair.connection.reject_play("again")


def test_the_end_of_the_stream_is_said() -> None:
    pair = Pair().playing()
    pair.connection.end_play("the broadcast is over")
    told = pair.heard()
    assert (told[0].type, told[0].payload) == (USER_CONTROL, bytes.fromhex("0001 00000001"))
    assert codes(told) == ["NetStream.Play.Stop"]
    assert pair.connection.closed


@pytest.mark.parametrize("command", ["deleteStream", "closeStream"])
@pytest.mark.parametrize("state", [State.PLAY_ASKED, State.PLAYING])
def test_a_player_may_stop(command: str, state: State) -> None:
    pair = Pair().playing() if state is State.PLAYING else Pair().asked()
    events, told = pair.say(pair.client.command(command, None, 1.0))
    assert events == [PublishEnded(command)]
    assert codes(told) == ["NetStream.Play.Stop"]
    assert not pair.connection.accept_play()


def test_what_players_ask_on_the_way_is_answered() -> None:
    pair = Pair().asked()
    for command in ("getStreamLength", "FCSubscribe", "_checkbw"):
        _, (answer,) = pair.say(pair.client.command(command, None, "li1"))
        assert decode(answer.payload)[0] == "_result"
    for command in ("pause", "receiveAudio", "receiveVideo"):
        assert pair.say(pair.client.command(command, None, True)) == ([], [])


def test_a_player_who_publishes_is_refused() -> None:
    pair = Pair().playing()
    events, told = pair.say(pair.client.publish("KEY"))
    assert events == [Closed("refused publish: a connection carries one stream, once", flush=True)]
    assert codes(told) == ["NetStream.Publish.BadName"]


def test_an_answer_that_never_comes_is_a_refusal() -> None:
    pair = Pair().asked()
    deadline = pair.connection.next_timeout()
    assert deadline == 100.0 + DEFAULT_LIMITS.publish_timeout_s
    events = pair.connection.handle_timeout(deadline)
    assert events == [Closed("refused play: the server did not answer in time", flush=True)]
    assert codes(pair.heard()) == ["NetStream.Play.StreamNotFound"]


def test_media_of_a_player_is_dropped() -> None:
    pair = Pair().playing()
    assert pair.say(pair.client.video(0, AVC_CONFIG)) == ([], [])
    assert pair.connection.dropped == 1
