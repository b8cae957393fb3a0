"""A connection that calls out, to publish or to play: bytes and the time in, events and bytes out.

    HANDSHAKE ─► CONNECTING ─_result─► CREATING ─_result─► STARTING ─onStatus Start─► RUNNING
    from anywhere: an error, a refusal, a time limit, the peer's end, close() ─► CLOSED

The owner feeds receive_data(), sends data_to_send() after every call of anything, wakes it at next_timeout(), and
closes the socket once `closed` is true. What the peer answers is looked up in TABLE and in verdict.py.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from server.formats.amf0 import Value
from server.protocols.rtmp import command as commands
from server.protocols.rtmp.client_events import ClientEvent, Fault, Over, Purpose, Running
from server.protocols.rtmp.client_handshake import ClientHandshake
from server.protocols.rtmp.command import Command
from server.protocols.rtmp.errors import CommandError, LimitError, RtmpError
from server.protocols.rtmp.events import Media, Metadata
from server.protocols.rtmp.limits import DEFAULT_LIMITS, Limits
from server.protocols.rtmp.link import Link
from server.protocols.rtmp.message import (
    ACKNOWLEDGEMENT,
    AUDIO,
    COMMAND,
    COMMAND_AMF3,
    DATA,
    DATA_AMF3,
    USER_CONTROL,
    VIDEO,
    Message,
    UserControl,
    control_value,
)
from server.protocols.rtmp.requests import CONNECT, CREATE, START, Requests
from server.protocols.rtmp.url import RtmpUrl
from server.protocols.rtmp.verdict import Verdict, verdict_of, words_of


class State(Enum):
    HANDSHAKE = "the handshake"
    CONNECTING = "the answer to connect"
    CREATING = "the answer to createStream"
    STARTING = "the start of the stream"
    RUNNING = "media"
    CLOSED = "closed"


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
        self._limits = limits
        self._since = now  # when the step that _deadline bounds began
        self._link = Link(ClientHandshake(), limits)
        if purpose is Purpose.PUBLISH:
            self._link.limit_media(0)
        self._requests = Requests(self._link, url, purpose, fourccs)
        self._events: list[ClientEvent] = []
        self._decodes = 0
        self._commands = 0

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
        return self._link.unsent

    def data_to_send(self) -> bytes:
        """Everything to be sent since the last call."""
        return self._link.data_to_send()

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
        if self.state is State.RUNNING:
            self._requests.metadata(properties)

    def send_media(self, kind: int, timestamp: int, payload: bytes) -> None:
        """AUDIO or VIDEO; nothing unless Running."""
        if self.state is State.RUNNING:
            self._link.media(kind, self._requests.stream_id, timestamp, payload)

    def close(self) -> None:
        """End it from our side; what is to be said is in data_to_send(). No event: the caller knows."""
        if self.state in (State.STARTING, State.RUNNING):
            self._requests.stop()
        self.state = State.CLOSED

    # -- messages

    def _receive(self, data: bytes) -> None:
        if self.state is State.HANDSHAKE:
            data = self._link.shake_hands(data)
            if not self._link.ready:
                return
            self._step(State.CONNECTING)
            self._requests.connect()
        self._decodes = self._limits.decoded_at_once
        for message in self._link.receive(data):
            handler = _HANDLERS.get(message.type)
            if handler is not None:
                handler(self, message)
            else:
                for part in self._link.see_to(message):
                    _HANDLERS[part.type](self, part)
            if self.closed:
                return
        self._link.acknowledge(self.received)
        if self.state is not State.RUNNING and self._link.unsent > self._limits.output:
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

    def _on_acknowledgement(self, message: Message) -> None:
        self.acknowledged = control_value(message)

    def _on_user_control(self, message: Message) -> None:
        if self._link.answers_ping(message):
            return
        if self._purpose is Purpose.PLAY and message.payload[:2] == UserControl.STREAM_EOF.to_bytes(2, "big"):
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

    def _connected(self, command: Command) -> None:
        self._step(State.CREATING)
        self._requests.create_stream()

    def _created(self, command: Command) -> None:
        number = command.arguments[0] if command.arguments else None
        if not isinstance(number, int | float) or not 0 <= number < 1 << 32:
            return self._end("the answer to createStream has no number", Fault.BROKEN)
        self._requests.stream_id = int(number)
        self._step(State.STARTING)
        self._requests.start()
        return None

    def _on_status(self, command: Command) -> None:
        info = command.arguments[0] if command.arguments else None
        if not isinstance(info, dict):
            return
        verdict = verdict_of(info)
        if verdict is Verdict.REFUSED:
            self._end(words_of(info), Fault.REFUSED)
        elif verdict is Verdict.STARTED and self.state is State.STARTING:
            self._step(State.RUNNING)
            self._events.append(Running())
        elif verdict is Verdict.ENDED and self.state is State.RUNNING:
            self._end(words_of(info), Fault.ENDED)

    def _refused(self, command: Command) -> None:
        info = command.arguments[0] if command.arguments else None
        said = words_of(info) if isinstance(info, dict) else f"the peer refused {self.state.value.rpartition(' ')[2]}"
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


_Key = tuple[str, State, float | None]
TABLE: Mapping[_Key, Callable[[Client, Command], None]] = {
    ("_result", State.CONNECTING, CONNECT): Client._connected,
    ("_error", State.CONNECTING, CONNECT): Client._refused,
    ("_result", State.CREATING, CREATE): Client._created,
    ("_error", State.CREATING, CREATE): Client._refused,
    ("_error", State.STARTING, START): Client._refused,
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
    COMMAND: Client._on_command,
    COMMAND_AMF3: Client._on_command,
    ACKNOWLEDGEMENT: Client._on_acknowledgement,
    USER_CONTROL: Client._on_user_control,
}
