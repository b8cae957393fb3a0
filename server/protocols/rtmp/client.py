"""A connection that calls out, to publish or to play: bytes and the time in, events and bytes out.

    HANDSHAKE ─► CONNECTING ─_result─► CREATING ─_result─► STARTING ─onStatus Start─► RUNNING
    from anywhere: an error, a refusal, a time limit, the peer's end, close() ─► CLOSED

The owner feeds receive_data(), sends data_to_send() after every call of anything, wakes it at next_timeout(), and
closes the socket once `closed` is true. What the peer answers is looked up in TABLE and STATUS.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from server.formats.amf0 import Value, encode
from server.protocols.rtmp import command as commands
from server.protocols.rtmp.chunk import ChunkReader, ChunkWriter
from server.protocols.rtmp.client_handshake import ClientHandshake
from server.protocols.rtmp.command import Command
from server.protocols.rtmp.errors import CommandError, LimitError, RtmpError
from server.protocols.rtmp.events import Media, Metadata
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
from server.protocols.rtmp.url import RtmpUrl

AGENT = "FMLE/3.0 (compatible; Sluice)"  # servers give encoders more freedom than players
OUT_CHUNK_SIZE = 4096  # what encoders use: some servers take no more
WINDOW = 2_500_000
MIN_WINDOW = 8192
BUFFER_MS = 1000  # what a player says it keeps
MAX_REASON = 200  # characters of the peer's words that are kept

_CONTROL_CHUNKS, _COMMAND_CHUNKS, _DATA_CHUNKS = 2, 3, 4
_MEDIA_CHUNKS = {AUDIO: 4, VIDEO: 6, DATA: 4}
_CONNECT, _RELEASE, _PREPARE, _CREATE = 1.0, 2.0, 3.0, 4.0  # transaction numbers
_ANY = -2000.0  # `start` of play: live where there is one (the specification, 7.2.2.1, has -2; players send it so)
_SET_BUFFER_LENGTH = (3).to_bytes(2, "big")


class Purpose(Enum):
    PUBLISH = "publish"
    PLAY = "play"


class State(Enum):
    HANDSHAKE = "the handshake"
    CONNECTING = "the answer to connect"
    CREATING = "the answer to createStream"
    STARTING = "the start of the stream"
    RUNNING = "media"
    CLOSED = "closed"


class Fault(Enum):
    """Whose word it is that a connection is over."""

    BROKEN = "broken"
    """A time limit, or what is no RTMP."""
    REFUSED = "refused"
    """The peer said no, before or in the middle: it will hardly say yes by itself."""
    ENDED = "ended"
    """The peer said that the stream it sends has ended."""


@dataclass(frozen=True, slots=True)
class Running:
    """The peer takes media, or is about to send it."""


@dataclass(frozen=True, slots=True)
class Over:
    """The connection is over, by the peer or for its faults. No event follows."""

    reason: str
    """A sentence for logs and people; no secrets in it."""
    fault: Fault


ClientEvent = Running | Media | Metadata | Over


class Client:
    """`now` is in seconds of any clock that never goes back; the same clock in every call."""

    def __init__(
        self,
        url: RtmpUrl,
        purpose: Purpose,
        now: float,
        fourccs: Sequence[str] = (),
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """`fourccs` are the codecs of Enhanced RTMP that will be sent; a player asks for all that are read."""
        self.state = State.HANDSHAKE
        self.received = 0
        """Bytes."""
        self.last_received = now
        self.acknowledged = 0
        """Bytes that the peer says it has taken, modulo 2^32."""
        self._url = url
        self._purpose = purpose
        self._fourccs = fourccs if purpose is Purpose.PUBLISH else (*commands.VIDEO_FOURCCS, *commands.AUDIO_FOURCCS)
        self._limits = limits
        self._since = now  # when the step that _deadline bounds began
        self._handshake = ClientHandshake()
        self._reader = ChunkReader(limits)
        if purpose is Purpose.PUBLISH:
            self._reader.limit_media(0)
        self._writer = ChunkWriter()
        self._out = bytearray(self._handshake.data_to_send())
        self._events: list[ClientEvent] = []
        self._decodes = 0
        self._commands = 0
        self._stream_id = commands.MESSAGE_STREAM
        self._window = 0
        self._told = 0

    @property
    def closed(self) -> bool:
        return self.state is State.CLOSED

    def receive_data(self, data: bytes, now: float) -> list[ClientEvent]:
        """Take bytes as they come. Nothing a peer sends raises."""
        events: list[ClientEvent] = []
        self._events = events
        if not self.closed:
            self.last_received = now
            self.received += len(data)
            try:
                self._receive(data)
            except RtmpError as error:
                self._end(str(error), Fault.BROKEN)
        return events

    @property
    def unsent(self) -> int:
        """Bytes of the next `data_to_send`."""
        return len(self._out)

    def data_to_send(self) -> bytes:
        """Everything to be sent since the last call."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def next_timeout(self) -> float | None:
        """When to call handle_timeout; ask again after every other call. None: never."""
        if self.closed:
            return None
        if self.state is not State.RUNNING:
            return self._since + self._limits.publish_timeout_s
        if self._purpose is Purpose.PLAY:
            return self.last_received + self._limits.idle_timeout_s
        return None  # servers have nothing to say to a publisher; whether they read is seen where it is written

    def handle_timeout(self, now: float) -> list[ClientEvent]:
        """Over, if the time is up; nothing when called early."""
        events: list[ClientEvent] = []
        self._events = events
        deadline = self.next_timeout()
        if deadline is not None and now >= deadline:
            limit_s = self._limits.idle_timeout_s if self.state is State.RUNNING else self._limits.publish_timeout_s
            self._end(f"nothing came for {limit_s:g} s: waited for {self.state.value}", Fault.BROKEN)
        return events

    def send_metadata(self, properties: Mapping[str, Value]) -> None:
        """onMetaData, before the media it tells of."""
        self.send_media(DATA, 0, encode("@setDataFrame", "onMetaData", dict(properties)))

    def send_media(self, kind: int, timestamp: int, payload: bytes) -> None:
        """AUDIO or VIDEO; nothing unless Running."""
        if self.state is State.RUNNING:
            self._send(_MEDIA_CHUNKS[kind], Message(kind, self._stream_id, timestamp & TIMESTAMP_MASK, payload))

    def close(self) -> None:
        """End it from our side; what is to be said is in data_to_send(). No event: the caller knows."""
        if self.state in (State.STARTING, State.RUNNING):
            if self._purpose is Purpose.PUBLISH:
                self._command(encode("FCUnpublish", 0, None, self._url.name))
            self._command(encode("deleteStream", 0, None, self._stream_id))
        self.state = State.CLOSED

    # -- messages

    def _receive(self, data: bytes) -> None:
        if not self._handshake.done:
            data = self._handshake.receive(data)
            self._out += self._handshake.data_to_send()
            if not self._handshake.done:
                return
            if self.state is State.HANDSHAKE:
                self._connect()
        self._decodes = self._limits.decoded_at_once
        for message in self._reader.receive(data):
            handler = _HANDLERS.get(message.type)
            if handler is not None:
                handler(self, message)
            if self.closed:
                return
        self._acknowledge()
        if self.state is not State.RUNNING and len(self._out) > self._limits.output:
            raise LimitError(f"more than {self._limits.output} bytes of answers asked for at once")

    def _on_media(self, message: Message) -> None:
        if message.payload and self._purpose is Purpose.PLAY:
            self._events.append(Media(message.type, message.timestamp, message.payload))

    def _on_data(self, message: Message) -> None:
        self._decodes -= 1
        if self._decodes >= 0 and self._purpose is Purpose.PLAY:
            properties = commands.read_metadata(message)
            if properties is not None:
                self._events.append(Metadata(properties))

    def _on_aggregate(self, message: Message) -> None:
        for part in split_aggregate(message, self._limits.aggregated):
            _HANDLERS[part.type](self, part)

    def _on_window_size(self, message: Message) -> None:
        self._window = max(control_value(message), MIN_WINDOW)

    def _on_acknowledgement(self, message: Message) -> None:
        self.acknowledged = control_value(message)

    def _on_user_control(self, message: Message) -> None:
        time = ping_of(message)
        if time is not None:
            self._send(_CONTROL_CHUNKS, user_control(UserControl.PING_RESPONSE, time))
        elif message.payload[:2] == UserControl.STREAM_EOF.to_bytes(2, "big") and self._purpose is Purpose.PLAY:
            self._end("the stream has ended there", Fault.ENDED)

    def _on_command(self, message: Message) -> None:
        self._commands += self.state is not State.RUNNING
        self._decodes -= 1
        if self._commands > self._limits.commands or self._decodes < 0:
            raise LimitError("more commands than a server has reason to send")
        try:
            command = commands.read_command(message)
        except CommandError:
            return  # ffmpeg as a server sends onFCPublish without a transaction number
        name, state = command.name, self.state
        action = TABLE.get((name, state, command.transaction)) or TABLE.get((name, state, None))
        if action is not None:
            action(self, command)

    # -- steps

    def _step(self, state: State) -> None:
        self.state = state
        self._since = self.last_received

    def _connect(self) -> None:
        properties: dict[str, Value] = {
            "app": self._url.app,
            "type": "nonprivate",
            "flashVer": AGENT,
            "tcUrl": self._url.tc_url,
        }
        if self._purpose is Purpose.PLAY:
            properties |= {"fpad": False, "capabilities": 15.0, "audioCodecs": 4071.0, "videoCodecs": 252.0}
        if self._fourccs:
            properties |= {"fourCcList": list(self._fourccs), "capsEx": float(commands.CAPS_EX)}
        self._step(State.CONNECTING)
        self._command(encode("connect", _CONNECT, properties))

    def _connected(self, command: Command) -> None:
        self._step(State.CREATING)
        if self._purpose is Purpose.PLAY:
            self._send(_CONTROL_CHUNKS, control(WINDOW_SIZE, WINDOW))
        else:
            self._send(_CONTROL_CHUNKS, control(SET_CHUNK_SIZE, OUT_CHUNK_SIZE))
            self._writer.chunk_size = OUT_CHUNK_SIZE
            self._command(encode("releaseStream", _RELEASE, None, self._url.name))
            self._command(encode("FCPublish", _PREPARE, None, self._url.name))
        self._command(encode("createStream", _CREATE, None))

    def _created(self, command: Command) -> None:
        number = command.arguments[0] if command.arguments else None
        if not isinstance(number, int | float) or not 0 <= number < 1 << 32:
            return self._end("the answer to createStream has no number", Fault.BROKEN)
        self._stream_id = int(number)
        self._step(State.STARTING)
        name = self._url.name
        if self._purpose is Purpose.PUBLISH:
            self._command(encode("publish", 5, None, name, "live"), self._stream_id)
        else:
            self._command(encode("play", 5, None, name, _ANY), self._stream_id)
            length = self._stream_id.to_bytes(4, "big") + BUFFER_MS.to_bytes(4, "big")
            self._send(_CONTROL_CHUNKS, Message(USER_CONTROL, 0, 0, _SET_BUFFER_LENGTH + length))
        return None

    def _on_status(self, command: Command) -> None:
        info = command.arguments[0] if command.arguments else None
        if not isinstance(info, dict):
            return
        code, level = info.get("code"), info.get("level")
        verdict = STATUS.get(code) if isinstance(code, str) else None
        if level == "error" or verdict is Verdict.REFUSED:
            self._end(_said(info), Fault.REFUSED)
        elif verdict is Verdict.STARTED and self.state is State.STARTING:
            self._step(State.RUNNING)
            self._events.append(Running())
        elif verdict is Verdict.ENDED and self.state is State.RUNNING:
            self._end(_said(info), Fault.ENDED)

    def _refused(self, command: Command) -> None:
        info = command.arguments[0] if command.arguments else None
        said = _said(info) if isinstance(info, dict) else f"the peer refused {self.state.value.rpartition(' ')[2]}"
        if "authmod=" in said or "code=403" in said:
            said = "the peer wants a user name and password (authmod), which is not supported"
        self._end(said, Fault.REFUSED)

    def _closed_by_peer(self, command: Command) -> None:
        self._end("the peer closed the connection", Fault.BROKEN)

    def _end(self, reason: str, fault: Fault) -> None:
        self.state = State.CLOSED
        self._events.append(Over(self._without_key(reason), fault))

    def _without_key(self, text: str) -> str:
        """Servers like to repeat what they were asked for."""
        name = self._url.name
        for secret in (name, name.partition("?")[0]):
            if secret:
                text = text.replace(secret, "***")
        return text

    # -- output

    def _send(self, chunk_stream: int, message: Message) -> None:
        self._out += self._writer.write(chunk_stream, message)

    def _command(self, payload: bytes, stream_id: int = 0) -> None:
        self._send(_COMMAND_CHUNKS, commands.command_message(payload, stream_id))

    def _acknowledge(self) -> None:
        if self._window and self.received - self._told >= self._window:
            self._told = self.received
            self._send(_CONTROL_CHUNKS, control(ACKNOWLEDGEMENT, self.received & 0xFFFFFFFF))


def _said(info: Mapping[str, Value]) -> str:
    """The peer's words, with the code they come with."""
    parts = [info.get("code"), info.get("description") or info.get("details")]
    text = ": ".join(part for part in parts if isinstance(part, str) and part) or "the peer refused without a word"
    return "".join(character for character in text if character.isprintable())[:MAX_REASON]


class Verdict(Enum):
    """What a status means."""

    STARTED = "media may flow"
    ENDED = "the stream is over"
    REFUSED = "it won't be"


STATUS: Mapping[str, Verdict] = {
    commands.PUBLISH_START: Verdict.STARTED,
    commands.PLAY_START: Verdict.STARTED,
    commands.PUBLISH_BAD_NAME: Verdict.REFUSED,
    "NetStream.Publish.Denied": Verdict.REFUSED,
    "NetStream.Publish.Rejected": Verdict.REFUSED,
    commands.PLAY_NOT_FOUND: Verdict.REFUSED,
    "NetStream.Play.Failed": Verdict.REFUSED,
    commands.PLAY_STOP: Verdict.ENDED,
    "NetStream.Play.Complete": Verdict.ENDED,
    "NetStream.Play.UnpublishNotify": Verdict.ENDED,
    commands.UNPUBLISHED: Verdict.ENDED,
    commands.CONNECTION_CLOSED: Verdict.REFUSED,
    "NetConnection.Connect.Rejected": Verdict.REFUSED,
}
"""Code of onStatus → what it means; a level of "error" always refuses, every other code is passed over."""

_Key = tuple[str, State, float | None]
TABLE: Mapping[_Key, Callable[[Client, Command], None]] = {
    ("_result", State.CONNECTING, _CONNECT): Client._connected,
    ("_error", State.CONNECTING, _CONNECT): Client._refused,
    ("_result", State.CREATING, _CREATE): Client._created,
    ("_error", State.CREATING, _CREATE): Client._refused,
    ("_error", State.STARTING, 5.0): Client._refused,
    ("onStatus", State.CONNECTING, None): Client._on_status,
    ("onStatus", State.CREATING, None): Client._on_status,
    ("onStatus", State.STARTING, None): Client._on_status,
    ("onStatus", State.RUNNING, None): Client._on_status,
    **{("close", state, None): Client._closed_by_peer for state in State},
}
"""Command × state × transaction (None: any) → what it leads to; whatever is not here is passed over."""

_HANDLERS: Mapping[int, Callable[[Client, Message], None]] = {
    AUDIO: Client._on_media,
    VIDEO: Client._on_media,
    DATA: Client._on_data,
    DATA_AMF3: Client._on_data,
    AGGREGATE: Client._on_aggregate,
    COMMAND: Client._on_command,
    COMMAND_AMF3: Client._on_command,
    WINDOW_SIZE: Client._on_window_size,
    ACKNOWLEDGEMENT: Client._on_acknowledgement,
    USER_CONTROL: Client._on_user_control,
}
