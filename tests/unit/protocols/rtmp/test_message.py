import pytest

from server.protocols.rtmp.errors import LimitError, MessageError
from server.protocols.rtmp.message import (
    ACKNOWLEDGEMENT,
    AGGREGATE,
    AUDIO,
    COMMAND,
    COMMAND_AMF3,
    DATA,
    DATA_AMF3,
    USER_CONTROL,
    VIDEO,
    Message,
    UserControl,
    control,
    control_value,
    peer_bandwidth,
    ping_of,
    split_aggregate,
    user_control,
    without_amf3_byte,
)


def _tag(kind: int, time: int, body: bytes) -> bytes:
    times = (time & 0xFFFFFF).to_bytes(3, "big") + bytes((time >> 24,))
    size = len(body).to_bytes(3, "big")
    return bytes((kind,)) + size + times + b"\0\0\1" + body + (len(body) + 11).to_bytes(4, "big")


def _split(payload: bytes, timestamp: int = 0, limit: int = 100) -> list[tuple[int, int, bytes]]:
    message = Message(AGGREGATE, 1, timestamp, payload)
    return [(part.type, part.timestamp, part.payload) for part in split_aggregate(message, limit)]


def test_control_messages() -> None:
    assert control(ACKNOWLEDGEMENT, 0x01020304) == Message(3, 0, 0, b"\1\2\3\4")
    assert control_value(control(ACKNOWLEDGEMENT, 5)) == 5
    assert peer_bandwidth(2_500_000) == Message(6, 0, 0, b"\x00\x26\x25\xa0\x02")
    with pytest.raises(MessageError, match=r"^control message 1 of 3 bytes$"):
        control_value(Message(1, 0, 0, b"\0\0\0"))


def test_a_ping_request_is_told_from_other_user_control() -> None:
    assert ping_of(user_control(UserControl.PING_REQUEST, 7)) == 7
    assert ping_of(user_control(UserControl.STREAM_BEGIN, 7)) is None
    assert ping_of(Message(USER_CONTROL, 0, 0, b"\0\6\0")) is None


def test_the_format_byte_of_amf3_messages_is_taken_off() -> None:
    for kind, expected in ((COMMAND, b"\0x"), (COMMAND_AMF3, b"x"), (DATA, b"\0x"), (DATA_AMF3, b"x")):
        assert without_amf3_byte(Message(kind, 0, 0, b"\0x")) == expected


def test_an_aggregate_takes_the_time_of_its_message() -> None:
    payload = _tag(VIDEO, 0x1000_0000, b"v") + _tag(AUDIO, 0x1000_0010, b"a") + _tag(DATA, 0x1000_0020, b"d")

    assert _split(payload, 100) == [(VIDEO, 100, b"v"), (AUDIO, 116, b"a"), (DATA, 132, b"d")]


def test_times_in_an_aggregate_wrap() -> None:
    payload = _tag(VIDEO, 0xFFFF_FFFF, b"1") + _tag(VIDEO, 1, b"2")

    assert _split(payload, 0xFFFF_FFFF) == [(VIDEO, 0xFFFF_FFFF, b"1"), (VIDEO, 1, b"2")]


def test_commands_and_controls_in_an_aggregate_are_left_out() -> None:
    assert _split(_tag(COMMAND, 0, b"c") + _tag(1, 0, b"size") + _tag(AGGREGATE, 0, b"a")) == []


def test_the_last_back_pointer_may_be_missing() -> None:
    assert _split(_tag(AUDIO, 0, b"a")[:-4]) == [(AUDIO, 0, b"a")]
    assert _split(b"") == []


@pytest.mark.parametrize("length", [1, 3, 10, 11])
def test_an_aggregate_that_ends_early(length: int) -> None:
    with pytest.raises(MessageError, match=r"^an aggregate message ends inside a tag$"):
        _split(_tag(AUDIO, 0, b"audio")[:length])


def test_an_aggregate_of_too_many_tags() -> None:
    assert len(_split(_tag(AUDIO, 0, b"") * 5, limit=5)) == 5
    with pytest.raises(LimitError, match=r"^too many tags in an aggregate message$"):
        _split(_tag(AUDIO, 0, b"") * 6, limit=5)
