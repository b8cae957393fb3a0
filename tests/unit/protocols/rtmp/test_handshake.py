import pytest

from server.protocols.rtmp.errors import HandshakeError
from server.protocols.rtmp.handshake import PACKET, Handshake

C1 = bytes(range(256)) * 6
C2 = bytes(PACKET)


@pytest.mark.parametrize("step", [1, 7, 1536, 10_000])
def test_the_answer_echoes_c1_and_what_follows_c2_comes_back(step: int) -> None:
    handshake = Handshake()
    data = b"\x03" + C1 + C2 + b"chunks"
    sent, rest = b"", b""
    for at in range(0, len(data), step):
        if handshake.done:
            rest += data[at : at + step]
        else:
            rest += handshake.receive(data[at : at + step])
        sent += handshake.data_to_send()

    assert handshake.done
    assert rest == b"chunks"
    assert len(sent) == 1 + 2 * PACKET
    assert sent[0] == 3
    assert sent[1:9] == bytes(8)  # time and zero: the peer is to expect no digest
    assert sent[1 + PACKET :] == C1


def test_nothing_is_sent_before_all_of_c1_is_there() -> None:
    handshake = Handshake()

    handshake.receive(b"\x03" + C1[:-1])
    assert handshake.data_to_send() == b""
    handshake.receive(C1[-1:])
    assert len(handshake.data_to_send()) == 1 + 2 * PACKET
    assert handshake.data_to_send() == b""
    assert not handshake.done


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (b"\x16\x03\x01", "the peer speaks TLS: rtmps:// has a port of its own"),
        (b"GET / HTTP/1.1", "the peer speaks HTTP, not RTMP"),
        (b"POST /open/1", "the peer speaks HTTP, not RTMP"),
        (b"\x06", "the peer speaks RTMPE, which is not supported"),
        (b"\x00", "the first byte is 0x00, not an RTMP version 3"),
        (b"\xff", "the first byte is 0xff, not an RTMP version 3"),
    ],
)
def test_another_protocol_is_named(first: bytes, message: str) -> None:
    with pytest.raises(HandshakeError) as caught:
        Handshake().receive(first)

    assert str(caught.value) == message


def test_no_bytes_are_no_error() -> None:
    assert Handshake().receive(b"") == b""
