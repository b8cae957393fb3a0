"""Every limit, reached and passed by one; what the connection says is what the operator reads."""

from collections.abc import Callable
from dataclasses import fields

import pytest

from server.formats.amf0 import encode
from server.protocols.rtmp.connection import Connection
from server.protocols.rtmp.events import Closed, Event
from server.protocols.rtmp.limits import Limits
from server.protocols.rtmp.message import AGGREGATE, DATA, VIDEO
from tests.unit.protocols.rtmp.client import Client, avc, split

SMALL = Limits(
    message=5000, partial=8192, chunk_streams=8, command=600, data=300, unasked=1000, messages_at_once=300,
    aggregated=4, decoded_at_once=12, commands=9, name=20, output=4000,
)  # fmt: skip


def _publishing(client: Client, limits: Limits) -> Connection:
    connection = Connection(0.0, limits)
    for data in (client.hello(), client.connect(), client.prepare("KEY"), client.publish("KEY")):
        connection.receive_data(data, 0.0)
        connection.data_to_send()
    assert connection.accept_publish()
    connection.data_to_send()
    return connection


def _video(length: int) -> Callable[[Client], bytes]:
    return lambda client: client.video(0, bytes(length))


def _begun(count: int) -> Callable[[Client], bytes]:
    """The first chunks of messages that never end, on chunk streams of their own."""
    picture = (VIDEO, 1, bytes(5000))
    return lambda client: b"".join(split(10 + number, 0, 0, picture, 4096)[0] for number in range(count))


def _chunk_streams(count: int) -> Callable[[Client], bytes]:
    return lambda client: b"".join(client.send(10 + number, VIDEO, 1, 0, b"x") for number in range(count))


def _nothings(count: int) -> Callable[[Client], bytes]:
    return lambda client: client.video(0, b"") + b"\xc6" * (count - 1)


def _calls(count: int, name: str = "unknown") -> Callable[[Client], bytes]:
    return lambda client: b"".join(client.command(name, None) for _ in range(count))


def _pings(count: int) -> Callable[[Client], bytes]:
    return lambda client: b"".join(client.send(2, 4, 0, 0, b"\0\6\0\0\0\1") for _ in range(count))


def _aggregate(count: int) -> Callable[[Client], bytes]:
    tag = b"\x08\0\0\1" + bytes(7) + b"x" + bytes(4)
    return lambda client: client.send(5, AGGREGATE, 1, 0, tag * count)


REACHED_AND_PASSED = [
    (_video(5000), _video(5001), "a message of 5001 bytes; the limit is 5000"),
    (
        lambda client: client.send(3, 20, 0, 0, encode("x", 0, None, "y" * 579)),
        lambda client: client.send(3, 20, 0, 0, encode("x", 0, None, "y" * 585)),
        "a message of type 20 and 602 bytes; the limit is 600",
    ),
    (_begun(2), _begun(3), "more than 8192 bytes of unfinished messages"),
    (_chunk_streams(5), _chunk_streams(6), "more than 8 chunk streams"),
    (_nothings(300), _nothings(301), "more than 300 messages at once"),
    (_calls(12, "_result"), _calls(13, "_result"), "more than 12 commands at once"),
    (_pings(222), _pings(223), "more than 4000 bytes of answers asked for at once"),
    (_aggregate(4), _aggregate(5), "too many tags in an aggregate message"),
]


@pytest.mark.parametrize(("reached", "passed", "reason"), REACHED_AND_PASSED, ids=[r[2] for r in REACHED_AND_PASSED])
def test_a_limit_closes_the_connection_when_it_is_passed(
    reached: Callable[[Client], bytes], passed: Callable[[Client], bytes], reason: str
) -> None:
    for asked, closed in ((reached, []), (passed, [Closed(reason, flush=False)])):
        client = Client()
        connection = _publishing(client, SMALL)

        events: list[Event] = connection.receive_data(asked(client), 0.0)

        assert [event for event in events if isinstance(event, Closed)] == closed
        assert connection.closed is bool(closed)


def test_commands_are_limited_before_publishing_and_not_after() -> None:
    client = Client()
    connection = _publishing(client, SMALL)
    for _ in range(50):
        assert connection.receive_data(_calls(1, "_result")(client), 0.0) == []

    client, connection = Client(), Connection(0.0, SMALL)
    assert connection.receive_data(client.hello() + client.connect() + _calls(8, "_result")(client), 0.0) == []
    assert connection.receive_data(_calls(1, "_result")(client), 0.0) == [
        Closed("more than 9 commands", flush=False)
    ]


def test_a_long_data_message_is_skipped() -> None:
    client = Client()
    connection = _publishing(client, SMALL)

    events = connection.receive_data(client.send(4, DATA, 1, 0, bytes(301)) + client.video(0, avc(b"x")), 0.0)

    assert len(events) == 1
    assert connection.dropped == 1


def test_many_data_messages_at_once_are_not_all_read() -> None:
    client = Client()
    connection = _publishing(client, SMALL)

    events = connection.receive_data(client.metadata(a=1) * 13 + client.video(0, avc(b"x")), 0.0)

    assert len(events) == 13
    assert connection.dropped == 1
    assert len(connection.receive_data(client.metadata(a=1), 0.0)) == 1


@pytest.mark.parametrize(("key", "app"), [("K" * 16, "live"), ("K" * 17, "live"), ("K", "a" * 20)])
def test_names_are_limited(key: str, app: str) -> None:
    client = Client()
    connection = Connection(0.0, SMALL)

    events = connection.receive_data(client.hello() + client.connect(app) + client.publish(key), 0.0)

    too_long = len(key) + len(app) > SMALL.name
    assert (events == [Closed("refused publish: the stream key is too long", flush=True)]) is too_long


def test_the_defaults_are_those_of_the_design() -> None:
    limits = Limits()

    assert (limits.message, limits.partial, limits.chunk_streams) == (8 << 20, 16 << 20, 64)
    assert (limits.publish_timeout_s, limits.idle_timeout_s) == (5.0, 10.0)
    assert len(fields(Limits)) == 14
