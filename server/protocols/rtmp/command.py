"""Commands (the specification, 7.2): their decoding, the names in them, and our answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from server.formats import flv
from server.formats.amf0 import UNDEFINED, AmfError, Value, decode, decode_some, encode
from server.protocols.rtmp.errors import CommandError
from server.protocols.rtmp.message import COMMAND, Message, without_amf3_byte

PUBLISH_START = "NetStream.Publish.Start"
PUBLISH_BAD_NAME = "NetStream.Publish.BadName"  # ffmpeg prints the description, OBS stops trying
PLAY_RESET = "NetStream.Play.Reset"
PLAY_START = "NetStream.Play.Start"
PLAY_STOP = "NetStream.Play.Stop"
PLAY_NOT_FOUND = "NetStream.Play.StreamNotFound"
UNPUBLISHED = "NetStream.Unpublish.Success"
CALL_FAILED = "NetConnection.Call.Failed"
CONNECTION_CLOSED = "NetConnection.Connect.Closed"

MESSAGE_STREAM = 1  # a publisher needs one; every createStream gets this number

# What we take, as Enhanced RTMP v2 asks a server to say: what formats/flv reads.
_CAN_FORWARD = 4
VIDEO_FOURCCS: Mapping[str, int] = dict.fromkeys(flv.VIDEO_FOURCCS.values(), _CAN_FORWARD)
AUDIO_FOURCCS: Mapping[str, int] = dict.fromkeys(flv.AUDIO_FOURCCS.values(), _CAN_FORWARD)
_MULTITRACK, _MOD_EX = 2, 4
CAPS_EX = _MULTITRACK | _MOD_EX  # no reconnect request; of ModEx packets, nanoseconds are read over
_ENHANCED_KEYS = frozenset(("fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"))


@dataclass(frozen=True, slots=True)
class Command:
    """`arguments` are the values behind the command object."""

    name: str
    transaction: float
    properties: Mapping[str, Value]  # the command object; empty if it is not one
    arguments: list[Value]
    stream_id: int

    def text(self, index: int) -> str:
        """An argument as text, "" if it is not there or not text."""
        value = self.arguments[index] if index < len(self.arguments) else None
        return value if isinstance(value, str) else ""

    def property(self, name: str) -> str:
        """A property of the command object as text, "" as above."""
        value = self.properties.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class StreamName:
    """What to publish: `key` is a secret, `query` is what followed its question mark."""

    app: str
    key: str
    query: str


def read_command(message: Message) -> Command:
    try:
        values = decode(without_amf3_byte(message))
    except AmfError as error:
        raise CommandError(f"a command that does not parse: {error}") from None
    match values:
        case [str(name), int() | float() as transaction, *rest]:
            properties = rest[0] if rest and isinstance(rest[0], dict) else {}
            return Command(name, transaction, properties, rest[1:], message.stream_id)
        case _:
            raise CommandError("a command without a name and a transaction number")


def read_metadata(message: Message) -> Mapping[str, Value] | None:
    """The properties of an onMetaData message; None for any other data message and for what does not parse.

    A data message never ends a connection: OBS sends AMF3 in some, cameras send worse.
    """
    payload = without_amf3_byte(message)
    try:
        values = decode_some(payload, 3)
    except AmfError:
        return None
    match values:
        case ["@setDataFrame", "onMetaData", dict(properties)] | ["onMetaData", dict(properties), *_]:
            return properties
        case _:
            return None


def stream_name(app: str, name: str) -> StreamName:
    """App, key and query, wherever the encoder's two fields put them.

    rtmp://host/live + KEY, rtmp://host/live/KEY + nothing, and rtmp://host + live/KEY mean the same.
    """
    app, _, app_query = app.partition("?")
    name, _, query = name.partition("?")
    parts = [part for part in f"{app}/{name}".split("/") if part]
    if not name.strip("/") and len(parts) < 2:
        return StreamName("/".join(parts), "", query or app_query)
    return StreamName("/".join(parts[:-1]), parts[-1], query or app_query)


def is_enhanced(command: Command) -> bool:
    return not _ENHANCED_KEYS.isdisjoint(command.properties)


def connected(command: Command) -> bytes:
    """The result of connect; with our capabilities if the peer told its own."""
    info: dict[str, Value] = {
        "level": "status",
        "code": "NetConnection.Connect.Success",
        "description": "Connection succeeded.",
        "objectEncoding": 0,
    }
    if is_enhanced(command):
        info |= {
            "fourCcList": [*VIDEO_FOURCCS, *AUDIO_FOURCCS],
            "videoFourCcInfoMap": dict(VIDEO_FOURCCS),
            "audioFourCcInfoMap": dict(AUDIO_FOURCCS),
            "capsEx": CAPS_EX,
        }
    server: dict[str, Value] = {"fmsVer": "FMS/3,5,7,7009", "capabilities": 31, "mode": 1}
    return encode("_result", command.transaction, server, info)


def result(command: Command, value: Value = UNDEFINED) -> bytes:
    return encode("_result", command.transaction, None, value)


def error(command: Command, code: str, description: str) -> bytes:
    return encode("_error", command.transaction, None, _info("error", code, description))


def status(level: str, code: str, description: str) -> bytes:
    """onStatus; `level` is "status" or "error"."""
    return encode("onStatus", 0, None, _info(level, code, description))


def fc_published(key: str) -> bytes:
    """What Flash Media Live Encoder and its heirs wait for after FCPublish; the code is that of success."""
    return encode("onFCPublish", 0, None, _info("status", PUBLISH_START, key))


def on_metadata(properties: Mapping[str, Value]) -> bytes:
    """The data message that tells a player of the tracks."""
    return encode("onMetaData", dict(properties))


def command_message(payload: bytes, stream_id: int = 0) -> Message:
    return Message(COMMAND, stream_id, 0, payload)


def _info(level: str, code: str, description: str) -> dict[str, Value]:
    return {"level": level, "code": code, "description": description}
