"""Two links joined by a function: messages through, what is answered without being asked, and what is forgotten."""

import pytest

from server.protocols.rtmp.client_handshake import ClientHandshake
from server.protocols.rtmp.errors import LimitError, MessageError
from server.protocols.rtmp.handshake import Handshake
from server.protocols.rtmp.limits import Limits
from server.protocols.rtmp.link import MIN_WINDOW, Link
from server.protocols.rtmp.message import (
    ACKNOWLEDGEMENT,
    AGGREGATE,
    COMMAND,
    DATA,
    SET_CHUNK_SIZE,
    USER_CONTROL,
    VIDEO,
    WINDOW_SIZE,
    Message,
    UserControl,
    control,
    user_control,
)

LIMITS = Limits(aggregated=2)


def pair() -> tuple[Link, Link]:
    """A client's and a server's, whose hands are shaken."""
    client, server = Link(ClientHandshake(), LIMITS), Link(Handshake(), LIMITS)
    assert server.shake_hands(client.data_to_send()) == b""
    assert not server.ready
    assert client.shake_hands(server.data_to_send()) == b""
    assert server.shake_hands(client.data_to_send()) == b""
    assert client.ready
    assert server.ready
    return client, server


def seen_to(server: Link, client: Link) -> list[Message]:
    return [part for message in server.receive(client.data_to_send()) for part in server.see_to(message)]


def test_messages_arrive_in_chunks_of_the_size_announced() -> None:
    client, server = pair()
    client.command(b"command", 1)
    client.announce_chunk_size(50)
    client.media(VIDEO, 1, (1 << 32) + 7, b"x" * 120)
    client.media(DATA, 1, 0, b"data")
    client.status(b"status", 1)
    sent = client.data_to_send()

    assert client.unsent == 0
    assert [(each.type, each.timestamp, each.payload) for each in server.receive(sent)] == [
        (COMMAND, 0, b"command"),
        (SET_CHUNK_SIZE, 0, b"\0\0\0\x32"),
        (VIDEO, 7, b"x" * 120),
        (DATA, 0, b"data"),
        (COMMAND, 0, b"status"),
    ]


def test_a_ping_is_answered_and_no_other_event() -> None:
    client, server = pair()
    client.control(user_control(UserControl.PING_REQUEST, 9))
    client.control(user_control(UserControl.STREAM_EOF, 1))

    ping, eof = server.receive(client.data_to_send())
    assert server.answers_ping(ping)
    assert not server.answers_ping(eof)
    (pong,) = client.receive(server.data_to_send())
    assert pong == Message(USER_CONTROL, 0, 0, b"\0\7\0\0\0\x09")


def test_aggregates_come_apart_up_to_a_limit() -> None:
    tag = bytes((VIDEO, 0, 0, 1)) + bytes(7) + b"x" + bytes(4)
    client, server = pair()
    client.control(Message(AGGREGATE, 1, 5, tag * 2))
    assert [each.timestamp for each in seen_to(server, client)] == [5, 5]

    client.control(Message(AGGREGATE, 1, 5, tag * 3))
    with pytest.raises(LimitError, match="aggregate"):
        seen_to(server, client)


def test_acknowledged_at_half_of_the_window() -> None:
    client, server = pair()
    client.control(control(WINDOW_SIZE, 1))
    assert seen_to(server, client) == []

    server.acknowledge(MIN_WINDOW // 2 - 1)
    assert server.unsent == 0
    server.acknowledge(MIN_WINDOW // 2)
    assert list(client.receive(server.data_to_send())) == [control(ACKNOWLEDGEMENT, MIN_WINDOW // 2)]
    server.acknowledge(MIN_WINDOW - 1)
    assert server.unsent == 0


def test_a_window_that_is_none() -> None:
    client, server = pair()
    client.control(Message(WINDOW_SIZE, 0, 0, b"\0"))

    with pytest.raises(MessageError):
        seen_to(server, client)


def test_what_was_skipped_is_remembered_when_the_rest_is_forgotten() -> None:
    client, server = pair()
    server.limit_media(10)
    client.media(VIDEO, 1, 0, b"x" * 11)
    client.media(VIDEO, 1, 0, b"x" * 1000)
    assert list(server.receive(client.data_to_send()[:500])) == []

    counted = server.skipped
    server.forget()

    assert counted >= 1
    assert server.skipped == counted
    assert server._reader._partial == 0
