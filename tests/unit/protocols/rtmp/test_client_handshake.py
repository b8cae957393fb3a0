"""The calling side of the handshake, with our own answering side."""

import pytest

from server.protocols.rtmp.client_handshake import ClientHandshake
from server.protocols.rtmp.errors import HandshakeError
from server.protocols.rtmp.handshake import Handshake


@pytest.mark.parametrize("step", [1, 1000, 10_000])
def test_two_sides(step: int) -> None:
    client, server = ClientHandshake(), Handshake()
    server.receive(client.data_to_send())
    answer, rest = server.data_to_send() + b"what follows", b""
    for at in range(0, len(answer), step):
        piece = answer[at : at + step]
        rest += piece if client.done else client.receive(piece)
    assert client.done
    assert rest == b"what follows"
    assert server.receive(client.data_to_send() + b"and there") == b"and there"


def test_what_is_no_rtmp() -> None:
    with pytest.raises(HandshakeError, match="does not answer as an RTMP server"):
        ClientHandshake().receive(b"\x15\x03")
