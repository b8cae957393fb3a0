"""What a server says, as a client reads it."""

from server.protocols.rtmp.answers import OUT_CHUNK_SIZE, Answers
from server.protocols.rtmp.command import Command, read_command
from server.protocols.rtmp.limits import Limits
from server.protocols.rtmp.link import Link
from server.protocols.rtmp.message import COMMAND, SET_CHUNK_SIZE, USER_CONTROL, Message
from tests.unit.protocols.rtmp.test_link import pair


def said(client: Link, server: Link) -> list[Message | Command]:
    """Commands are read, the rest is left as it is."""
    found = client.receive(server.data_to_send())
    return [read_command(message) if message.type == COMMAND else message for message in found]


def codes(told: list[Message | Command]) -> list[object]:
    return [each.arguments[0]["code"] for each in told if isinstance(each, Command)]  # type: ignore[call-overload, index]


def test_the_chunk_size_is_told_before_the_result_of_connect() -> None:
    client, server = pair()
    Answers(server, Limits()).connected(Command("connect", 1.0, {}, [], 0))

    *_, size, result = said(client, server)

    assert isinstance(size, Message)
    assert (size.type, int.from_bytes(size.payload, "big")) == (SET_CHUNK_SIZE, OUT_CHUNK_SIZE)
    assert isinstance(result, Command)
    assert (result.name, result.transaction) == ("_result", 1.0)


def test_fcpublish_is_answered_in_full_with_the_acceptance() -> None:
    client, server = pair()
    answers = Answers(server, Limits(name=3))
    answers.prepared(Command("FCPublish", 3.0, {}, ["a long name"], 0))
    assert len(said(client, server)) == 1

    answers.publish_started()
    published, begin, start = said(client, server)

    assert isinstance(published, Command)
    assert (published.name, published.arguments[0]["description"]) == ("onFCPublish", "a l")  # type: ignore[call-overload, index]
    assert isinstance(begin, Message)
    assert begin.type == USER_CONTROL
    assert codes([start]) == ["NetStream.Publish.Start"]


def test_a_stream_goes_and_comes_to_its_end() -> None:
    client, server = pair()
    answers = Answers(server, Limits())
    answers.play_started()
    answers.play_over("The stream has ended.")
    answers.stopped(playing=False)
    answers.refused("A.B", "No.")

    assert codes(said(client, server)) == [
        "NetStream.Play.Reset", "NetStream.Play.Start", "NetStream.Play.Stop", "NetStream.Unpublish.Success", "A.B",
    ]  # fmt: skip
