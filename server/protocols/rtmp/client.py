"""Our side of a connection to another server: to publish to it, or to play from it. Bytes and time in, events out.

    HANDSHAKE ─► CONNECT ─result─► PREPARE ─result─► ASKED ─onStatus─► RUNNING
                 connect           createStream      publish, play     media
    from anywhere: an error, a refusal, silence, close() ─► CLOSED

The caller feeds receive_data(), sends data_to_send() after every call of anything, wakes it at next_timeout(), and
closes the socket once `closed` is true.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal
from urllib.parse import unquote, urlsplit

from server.formats.amf0 import EcmaArray, Value, encode
from server.protocols.rtmp import command as commands
from server.protocols.rtmp.chunk import ChunkReader, ChunkWriter
from server.protocols.rtmp.command import Command
from server.protocols.rtmp.errors import HandshakeError, LimitError, RtmpError
from server.protocols.rtmp.events import Closed, Media, Metadata
from server.protocols.rtmp.handshake import PACKET, VERSION
from server.protocols.rtmp.limits import DEFAULT_LIMITS, Limits
from server.protocols.rtmp.message import (
    ACKNOWLEDGEMENT,
    AGGREGATE,
    AUDIO,
    COMMAND,
    COMMAND_AMF3,
    DATA,
    DATA_AMF3,
    SET_CHUNK_SIZE,
    TIMESTAMP_MASK,
    USER_CONTROL,
    VIDEO,
    WINDOW_SIZE,
    Message,
    UserControl,
    control,
    control_value,
    ping_of,
    split_aggregate,
    user_control,
)

PORTS = {"rtmp": 1935, "rtmps": 443}
CHUNK_SIZE = 4096
"""What OBS sends with: every server takes it."""

STEP_TIMEOUT_S = 8.0
"""For each answer: far servers with a slow authorisation take two or three seconds."""

BUFFER_MS = 1000
"""What a player says that it buffers; some servers send nothing before they are told."""

AGENT = "FMLE/3.0 (compatible; Sluice)"  # the name that servers let publish
_CONTROL_CHUNKS, _COMMAND_CHUNKS, _STREAM_CHUNKS = 2, 3, 8
_MEDIA_CHUNKS = {AUDIO: 4, VIDEO: 6, DATA: 4}
_SET_BUFFER_LENGTH = 3  # a user control event

_CONNECT, _RELEASE, _PREPARE, _CREATE, _ASK, _END = range(1, 7)  # transactions, in the order of encoders

_WELCOME = {
    "publish": frozenset({commands.PUBLISH_START}),
    "play": frozenset({commands.PLAY_START, "NetStream.Play.PublishNotify"}),
}
_OVER = frozenset({commands.PLAY_STOP, "NetStream.Play.UnpublishNotify", commands.UNPUBLISHED})


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and what to publish or play there; `name` is a secret."""

    scheme: str
    host: str
    port: int
    app: str
    name: str

    def __repr__(self) -> str:
        return f"Target({self.scheme}://{self.host}:{self.port}/{self.app})"

    @property
    def url(self) -> str:
        """tcUrl, without the name."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{self.app}"

    @classmethod
    def of(cls, url: str, name: str | None = None) -> "Target":
        """Of rtmp(s)://host[:port]/app and a name, or of a URL whose last step is the name. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("not an RTMP URL")
        path = unquote(parts.path).strip("/")
        if name is None:
            path, _, name = path.rpartition("/")
            name += f"?{parts.query}" if parts.query else ""
        elif parts.query:
            path += f"?{parts.query}"
        if not path or not name:
            raise ValueError("an RTMP URL names an app and a stream: rtmp://host/app/stream")
        return cls(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme], path, name)


@dataclass(frozen=True, slots=True)
class Started:
    """The server took what we asked for: media may be sent, or comes."""


ClientEvent = Started | Media | Metadata | Closed


class State(Enum):
    """What is waited for."""

    HANDSHAKE = "the handshake"
    CONNECT = "the answer to connect"
    PREPARE = "the answer to createStream"
    ASKED = "the word to begin"
    RUNNING = "media"
    CLOSED = "nothing"


class Client:
    """`now` is in seconds of any clock that never goes back; the same clock in every call."""

    def __init__(
        self,
        target: Target,
        purpose: Literal["publish", "play"],
        now: float,
        limits: Limits = DEFAULT_LIMITS,
        *,
        step_timeout_s: float = STEP_TIMEOUT_S,
    ) -> None:
        self.state = State.HANDSHAKE
        self.refused = False
        """The server said no: the same again will hardly please it."""
        self.received = 0
        """Bytes."""
        self._target = target
        self._purpose = purpose
        self._limits = limits
        self._step_timeout_s = step_timeout_s
        self._since = now
        self._heard = now
        self._buffer = bytearray()
        self._reader = ChunkReader(limits)
        self._writer = ChunkWriter()
        self._out = bytearray(bytes((VERSION,)) + bytes(8) + os.urandom(PACKET - 8))
        self._events: list[ClientEvent] = []
        self._stream_id = commands.MESSAGE_STREAM
        self._decodes = 0
        self._window = 0
        self._acknowledged = 0

    @property
    def closed(self) -> bool:
        return self.state is State.CLOSED

    def receive_data(self, data: bytes | memoryview, now: float) -> list[ClientEvent]:
        """Take bytes as they come. Nothing that a server sends raises."""
        events = self._events = []
        if self.state is State.CLOSED:
            return events
        self._heard = now
        self.received += len(data)
        before = self.state
        try:
            self._receive(bytes(data))
        except RtmpError as error:
            self._end(str(error))
        if self.state is not before:
            self._since = now
        return events

    def data_to_send(self) -> bytes:
        """Everything to be sent since the last call."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def next_timeout(self) -> float | None:
        """When to call handle_timeout; ask again after every other call. None: never."""
        if self.state is State.CLOSED or (self.state is State.RUNNING and self._purpose == "publish"):
            return None
        if self.state is State.RUNNING:
            return self._heard + self._limits.idle_timeout_s
        return self._since + self._step_timeout_s

    def handle_timeout(self, now: float) -> list[ClientEvent]:
        """Closed, if the time is up; nothing when called early."""
        events = self._events = []
        deadline = self.next_timeout()
        if deadline is not None and now >= deadline:
            self._end(f"the server was silent; waited for {self.state.value}")
        return events

    def send_metadata(self, properties: Mapping[str, Value]) -> None:
        """onMetaData, before the media it tells of."""
        payload = encode("@setDataFrame", "onMetaData", EcmaArray(properties))
        self.send_media(DATA, 0, payload)

    def send_media(self, kind: int, timestamp: int, payload: bytes) -> None:
        """AUDIO or VIDEO; nothing before Started."""
        if self.state is State.RUNNING and self._purpose == "publish":
            message = Message(kind, self._stream_id, timestamp & TIMESTAMP_MASK, payload)
            self._out += self._writer.write(_MEDIA_CHUNKS[kind], message)

    def close(self) -> None:
        """Say goodbye, as encoders do. No event: the caller knows."""
        if self.state in (State.ASKED, State.RUNNING):
            if self._purpose == "publish":
                self._call("FCUnpublish", _END, None, self._target.name)
            self._call("deleteStream", _END + 1, None, float(self._stream_id))
        self.state = State.CLOSED

    # --- messages

    def _receive(self, data: bytes) -> None:
        if self.state is State.HANDSHAKE:
            data = self._shake_hands(data)
        self._decodes = self._limits.decoded_at_once
        for message in self._reader.receive(data):
            handler = _HANDLERS.get(message.type)
            if handler is not None:
                handler(self, message)
            if self.closed:
                return
        if self._window and self.received - self._acknowledged >= self._window // 2:
            self._acknowledged = self.received
            self._send(_CONTROL_CHUNKS, control(ACKNOWLEDGEMENT, self.received & TIMESTAMP_MASK))

    def _shake_hands(self, data: bytes) -> bytes:
        """S0, S1 and S2; what follows them. C2 repeats S1."""
        self._buffer += data
        if self._buffer and self._buffer[0] != VERSION:
            raise HandshakeError("the server does not speak RTMP")
        if len(self._buffer) < 1 + 2 * PACKET:
            return b""
        self._out += self._buffer[1 : 1 + PACKET]
        rest = bytes(self._buffer[1 + 2 * PACKET :])
        self._buffer.clear()
        self.state = State.CONNECT
        self._connect()
        return rest

    def _connect(self) -> None:
        properties: dict[str, Value] = {
            "app": self._target.app,
            "type": "nonprivate",
            "flashVer": AGENT,
            "tcUrl": self._target.url,
            "fourCcList": [*commands.VIDEO_FOURCCS, *commands.AUDIO_FOURCCS],
            "videoFourCcInfoMap": dict(commands.VIDEO_FOURCCS),
            "audioFourCcInfoMap": dict(commands.AUDIO_FOURCCS),
            "capsEx": 0,
        }
        if self._purpose == "play":
            properties |= {"fpad": False, "audioCodecs": 4071, "videoCodecs": 252, "videoFunction": 1}
        self._call("connect", _CONNECT, properties)

    def _on_media(self, message: Message) -> None:
        if message.payload and self.state is State.RUNNING and self._purpose == "play":
            self._events.append(Media(message.type, message.timestamp, message.payload))

    def _on_data(self, message: Message) -> None:
        self._decodes -= 1
        if self._decodes < 0 or self.state is not State.RUNNING or self._purpose != "play":
            return
        properties = commands.read_metadata(message)
        if properties is not None:
            self._events.append(Metadata(properties))

    def _on_aggregate(self, message: Message) -> None:
        for part in split_aggregate(message, self._limits.aggregated):
            _HANDLERS[part.type](self, part)

    def _on_window_size(self, message: Message) -> None:
        self._window = max(control_value(message), 8192)

    def _on_user_control(self, message: Message) -> None:
        time = ping_of(message)
        if time is not None:
            self._send(_CONTROL_CHUNKS, user_control(UserControl.PING_RESPONSE, time))
        elif message.payload[:2] == UserControl.STREAM_EOF.to_bytes(2, "big") and self._purpose == "play":
            self._end("the stream has ended there")

    def _on_command(self, message: Message) -> None:
        self._decodes -= 1
        if self._decodes < 0:
            raise LimitError(f"more than {self._limits.decoded_at_once} commands at once")
        command = commands.read_command(message)
        match command.name:
            case "_result":
                self._on_result(command)
            case "_error":
                self._on_error(command)
            case "onStatus":
                self._on_status(command)
            case "close":
                self._end("the server closed the connection")
            case _:
                pass

    # --- answers

    def _on_result(self, command: Command) -> None:
        if self.state is State.CONNECT and command.transaction == _CONNECT:
            self._prepare()
        elif self.state is State.PREPARE and command.transaction == _CREATE:
            number = command.arguments[0] if command.arguments else None
            if isinstance(number, int | float) and 0 < number < 1 << 32:
                self._stream_id = int(number)
            self._ask()

    def _on_error(self, command: Command) -> None:
        """Only what the next step needs is fatal: many servers know no releaseStream and FCPublish."""
        if command.transaction in (_CONNECT, _CREATE, _ASK):
            self._refuse(command)

    def _on_status(self, command: Command) -> None:
        code, level = _said(command, "code"), _said(command, "level")
        if code in _WELCOME[self._purpose] and self.state is State.ASKED:
            self.state = State.RUNNING
            self._events.append(Started())
        elif level == "error":
            self._refuse(command)
        elif code in _OVER and self.state is State.RUNNING:
            self._end("the stream has ended there")

    def _refuse(self, command: Command) -> None:
        self.refused = True
        said = _said(command, "description") or _said(command, "code") or "it gave no reason"
        self._end(f"the server refused: {said[:200]}".replace(self._target.name, "…"))

    # --- what we ask

    def _prepare(self) -> None:
        self.state = State.PREPARE
        self._send(_CONTROL_CHUNKS, control(SET_CHUNK_SIZE, CHUNK_SIZE))
        self._writer.chunk_size = CHUNK_SIZE
        self._send(_CONTROL_CHUNKS, control(WINDOW_SIZE, 2_500_000))
        if self._purpose == "publish":
            self._call("releaseStream", _RELEASE, None, self._target.name)
            self._call("FCPublish", _PREPARE, None, self._target.name)
        self._call("createStream", _CREATE, None)

    def _ask(self) -> None:
        self.state = State.ASKED
        if self._purpose == "publish":
            payload = encode("publish", float(_ASK), None, self._target.name, "live")
        else:
            buffer = self._stream_id.to_bytes(4, "big") + BUFFER_MS.to_bytes(4, "big")
            told = Message(USER_CONTROL, 0, 0, _SET_BUFFER_LENGTH.to_bytes(2, "big") + buffer)
            self._send(_CONTROL_CHUNKS, told)
            payload = encode("play", float(_ASK), None, self._target.name, -2000.0)  # live, else recorded
        self._send(_STREAM_CHUNKS, commands.command_message(payload, self._stream_id))

    def _call(self, name: str, transaction: int, properties: Value, *arguments: Value) -> None:
        payload = encode(name, float(transaction), properties, *arguments)
        self._send(_COMMAND_CHUNKS, commands.command_message(payload))

    def _send(self, chunk_stream: int, message: Message) -> None:
        self._out += self._writer.write(chunk_stream, message)

    def _end(self, reason: str) -> None:
        self.state = State.CLOSED
        self._events.append(Closed(reason, False))


def _said(command: Command, name: str) -> str:
    """A property of an answer's information object."""
    for value in (*command.arguments, command.properties):
        if isinstance(value, Mapping) and isinstance(found := value.get(name), str):
            return found
    return ""


_HANDLERS: Mapping[int, Callable[[Client, Message], None]] = {
    AUDIO: Client._on_media,
    VIDEO: Client._on_media,
    DATA: Client._on_data,
    DATA_AMF3: Client._on_data,
    COMMAND: Client._on_command,
    COMMAND_AMF3: Client._on_command,
    AGGREGATE: Client._on_aggregate,
    WINDOW_SIZE: Client._on_window_size,
    USER_CONTROL: Client._on_user_control,
}
