"""What a client asks, as a server reads it."""

from server.protocols.rtmp.client_events import Purpose
from server.protocols.rtmp.command import Command, read_command
from server.protocols.rtmp.link import Link
from server.protocols.rtmp.message import COMMAND
from server.protocols.rtmp.requests import Requests
from server.protocols.rtmp.url import RtmpUrl
from tests.unit.protocols.rtmp.test_link import pair

URL = RtmpUrl("example.com", 1935, False, "app", "KEY")


def asked(server: Link, client: Link) -> list[Command]:
    found = list(server.receive(client.data_to_send()))
    return [read_command(message) for message in found if message.type == COMMAND]


def test_a_publisher_s() -> None:
    client, server = pair()
    requests = Requests(client, URL, Purpose.PUBLISH, ("hvc1",))

    requests.connect()
    (connect,) = asked(server, client)
    assert (connect.property("app"), connect.property("tcUrl")) == ("app", "rtmp://example.com/app")
    assert connect.properties["fourCcList"] == ["hvc1"]

    requests.create_stream()
    assert [each.name for each in asked(server, client)] == ["releaseStream", "FCPublish", "createStream"]

    requests.stream_id = 3
    requests.start()
    requests.stop()
    start, unpublish, delete = asked(server, client)
    assert (start.name, start.stream_id, start.arguments) == ("publish", 3, ["KEY", "live"])
    assert (unpublish.name, delete.name, delete.arguments) == ("FCUnpublish", "deleteStream", [3.0])


def test_a_player_s() -> None:
    client, server = pair()
    requests = Requests(client, URL, Purpose.PLAY, ())

    requests.connect()
    requests.create_stream()
    requests.start()
    requests.stop()

    connect, create, play, delete = asked(server, client)
    assert "av01" in connect.properties["fourCcList"]  # type: ignore[operator]
    assert (create.name, play.name, play.text(0), delete.name) == ("createStream", "play", "KEY", "deleteStream")
