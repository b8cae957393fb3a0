"""Messages: their types, the protocol's own control messages, and aggregates (the specification, 5.4 and 7.1)."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from server.protocols.rtmp.errors import LimitError, MessageError

SET_CHUNK_SIZE: Final = 1
ABORT: Final = 2
ACKNOWLEDGEMENT: Final = 3
USER_CONTROL: Final = 4
WINDOW_SIZE: Final = 5
SET_PEER_BANDWIDTH: Final = 6
AUDIO: Final = 8
VIDEO: Final = 9
DATA_AMF3: Final = 15
COMMAND_AMF3: Final = 17
DATA: Final = 18
COMMAND: Final = 20
AGGREGATE: Final = 22

# Plain numbers, not an enum: they are compared for every message.
MEDIA_TYPES = frozenset((AUDIO, VIDEO))
DATA_TYPES = frozenset((DATA, DATA_AMF3))
COMMAND_TYPES = frozenset((COMMAND, COMMAND_AMF3))

TIMESTAMP_MASK = 0xFFFFFFFF


class UserControl(IntEnum):
    """Event types of message 4; the rest concern players."""

    STREAM_BEGIN = 0
    STREAM_EOF = 1
    PING_REQUEST = 6
    PING_RESPONSE = 7


class Message(NamedTuple):
    """`timestamp` is in milliseconds modulo 2^32."""

    type: int
    stream_id: int
    timestamp: int
    payload: bytes


def control(kind: int, value: int) -> Message:
    """One of the control messages that hold a single 32-bit number."""
    return Message(kind, 0, 0, value.to_bytes(4, "big"))


def control_value(message: Message) -> int:
    if len(message.payload) < 4:
        raise MessageError(f"control message {message.type} of {len(message.payload)} bytes")
    return int.from_bytes(message.payload[:4], "big")


def peer_bandwidth(window: int) -> Message:
    """With limit type 2, "dynamic", as every server sends it."""
    return Message(SET_PEER_BANDWIDTH, 0, 0, window.to_bytes(4, "big") + b"\x02")


def user_control(event: UserControl, value: int) -> Message:
    return Message(USER_CONTROL, 0, 0, event.to_bytes(2, "big") + value.to_bytes(4, "big"))


def ping_of(message: Message) -> int | None:
    """The time stamp of a ping request, None for any other user control message."""
    payload = message.payload
    if len(payload) < 6 or int.from_bytes(payload[:2], "big") != UserControl.PING_REQUEST:
        return None
    return int.from_bytes(payload[2:6], "big")


def without_amf3_byte(message: Message) -> bytes:
    """The AMF0 part of a command or data message; types 15 and 17 put one byte of format before it."""
    return message.payload[1:] if message.type in (DATA_AMF3, COMMAND_AMF3) else message.payload


def split_aggregate(message: Message, limit: int) -> Iterator[Message]:
    """The audio, video and data messages inside; times are moved so that the first has the aggregate's own.

    Each is an FLV tag: type 8, size 24, timestamp 24 and its upper 8 bits, stream id 24, body, back pointer 32.
    """
    payload = message.payload
    at, first = 0, None
    while at < len(payload):
        limit -= 1
        if limit < 0:
            raise LimitError("too many tags in an aggregate message")
        body = at + 11
        end = body + int.from_bytes(payload[at + 1 : at + 4], "big")
        if end > len(payload):
            raise MessageError("an aggregate message ends inside a tag")
        time = payload[at + 7] << 24 | int.from_bytes(payload[at + 4 : at + 7], "big")
        first = time if first is None else first
        if payload[at] in MEDIA_TYPES or payload[at] in DATA_TYPES:
            timestamp = (message.timestamp + time - first) & TIMESTAMP_MASK
            yield Message(payload[at], message.stream_id, timestamp, payload[body:end])
        at = end + 4
