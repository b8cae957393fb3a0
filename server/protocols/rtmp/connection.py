"""A publisher's or player's connection: bytes and the time in, events and answers out; state.py says what comes when.

The caller feeds receive_data(), sends data_to_send() after every call of anything, wakes it at next_timeout(),
and closes the socket once `closed` is true: CLOSE_DELAY_S later if `close_after_flush`, else at once.
"""

from collections.abc import Callable, Mapping

from server.formats.amf0 import Value
from server.protocols.rtmp import command as commands
from server.protocols.rtmp.chunk import ChunkReader, ChunkWriter
from server.protocols.rtmp.command import Command
from server.protocols.rtmp.errors import LimitError, RtmpError
from server.protocols.rtmp.events import (
    Closed,
    Event,
    Media,
    Metadata,
    PlayRequested,
    PublishEnded,
    PublishRequested,
)
from server.protocols.rtmp.handshake import Handshake
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
    peer_bandwidth,
    ping_of,
    split_aggregate,
    user_control,
)
from server.protocols.rtmp.state import OTHER, TABLE, Action, State

CLOSE_DELAY_S = 0.2
"""Between a refusal and the end of the connection: closed together, ffmpeg reports a broken pipe instead."""

OUT_CHUNK_SIZE = 65536
"""ffmpeg sends with the size we announce: 65536 costs a server 5 % less CPU than 4096."""

WINDOW = 2_500_000
"""Bytes between acknowledgements that we ask for and the bandwidth we grant; what every server says."""

MIN_WINDOW = 8192
"""A peer that asks for an acknowledgement more often gets it this often."""

_PUBLISHING, _CLOSED = State.PUBLISHING, State.CLOSED  # the path of media: State.X is a slow look-up

_CONTROL_CHUNKS, _COMMAND_CHUNKS, _STATUS_CHUNKS = 2, 3, 5  # the chunk streams that servers use
_MEDIA_CHUNKS = {AUDIO: 4, VIDEO: 6, DATA: 4}


class Connection:
    """`now` is in seconds of any clock that never goes back; the same clock in every call."""

    def __init__(self, now: float, limits: Limits = DEFAULT_LIMITS) -> None:
        self.state = State.HANDSHAKE
        self.close_after_flush = False
        """An answer that the peer should read is in data_to_send(): see CLOSE_DELAY_S."""
        self.agent = ""
        """What the encoder calls itself (flashVer), for logs."""
        self.received = 0
        """Bytes."""
        self.last_received = now
        """When the last bytes came: a publisher silent for long may be taken over."""
        self._limits = limits
        self._since = now  # when the wait that _deadline bounds began
        self._handshake = Handshake()
        self._reader = ChunkReader(limits)
        self._reader.limit_media(0)
        self._writer = ChunkWriter()
        self._out = bytearray()
        self._events: list[Event] = []  # of the call in progress
        self._early: list[Event] = []  # media that came between publish and its acceptance
        self._early_bytes = 0
        self._dropped = 0
        self._decodes = 0  # how many more this call may take
        self._app = ""
        self._stream_id = commands.MESSAGE_STREAM
        self._commands = 0
        self._fc_published: str | None = None  # the name in an FCPublish that onFCPublish has not answered yet
        self._window = 0  # 0: the peer asked for no acknowledgements
        self._acknowledged = 0

    @property
    def closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def dropped(self) -> int:
        """Messages not passed on: media while nothing is published, and data messages over the limit."""
        return self._dropped + self._reader.skipped

    def receive_data(self, data: bytes | memoryview, now: float) -> list[Event]:
        """Take bytes as they come; the buffer behind `data` may be reused. Nothing a peer sends raises."""
        events: list[Event] = []
        if self._early and self.state is _PUBLISHING:
            events, self._early = self._early, []
        self._events = events
        if self.state is not _CLOSED:
            self.last_received = now
            self.received += len(data)
            try:
                self._receive(data if isinstance(data, bytes) else bytes(data))
            except RtmpError as error:
                self._close(str(error), flush=False)
        return events

    def data_to_send(self) -> bytes:
        """Everything to be sent since the last call."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def next_timeout(self) -> float | None:
        """When to call handle_timeout; ask again after every other call. None: never."""
        match self.state:
            case State.CLOSED | State.PLAYING:
                return None  # players have nothing to say; whether they read is seen where it is written
            case State.PUBLISHING:
                return self.last_received + self._limits.idle_timeout_s
            case _:
                return self._since + self._limits.publish_timeout_s

    def handle_timeout(self, now: float) -> list[Event]:
        """Closed, if the time is up; nothing when called early."""
        events: list[Event] = []
        self._events = events
        deadline = self.next_timeout()
        if deadline is not None and now >= deadline:
            self._time_out()
        return events

    def accept_publish(self) -> bool:
        """Tell the peer to go ahead. False: it no longer waits for an answer."""
        if self.state is not State.ASKED:
            return False
        self.state = State.PUBLISHING
        self._reader.limit_media(self._limits.message)
        if self._fc_published is not None:
            self._command(commands.fc_published(self._fc_published))
        self._send(_CONTROL_CHUNKS, user_control(UserControl.STREAM_BEGIN, self._stream_id))
        self._status("status", commands.PUBLISH_START, "Publishing.")
        return True

    def reject_publish(self, code: str, description: str) -> bool:
        """Refuse in words that the encoder shows, and close. False: it no longer waits for an answer."""
        if self.state is not State.ASKED:
            return False
        self._status("error", code, description)
        self._enter_closed(flush=True)
        return True

    def accept_play(self) -> bool:
        """Tell the player that media follows. False: it no longer waits for an answer."""
        if self.state is not State.PLAY_ASKED:
            return False
        self.state = State.PLAYING
        self._send(_CONTROL_CHUNKS, user_control(UserControl.STREAM_BEGIN, self._stream_id))
        self._status("status", commands.PLAY_RESET, "Playing and resetting.")
        self._status("status", commands.PLAY_START, "Playing.")
        return True

    def reject_play(self, description: str) -> bool:
        """Refuse and close. False: it no longer waits for an answer."""
        if self.state is not State.PLAY_ASKED:
            return False
        self._status("error", commands.PLAY_NOT_FOUND, description)
        self._enter_closed(flush=True)
        return True

    def send_metadata(self, properties: Mapping[str, Value]) -> None:
        """onMetaData for the player, before the media it tells of."""
        self.send_media(DATA, 0, commands.on_metadata(properties))

    def send_media(self, kind: int, timestamp: int, payload: bytes) -> None:
        """AUDIO or VIDEO for the player; nothing to anybody else."""
        if self.state is State.PLAYING:
            message = Message(kind, self._stream_id, timestamp & TIMESTAMP_MASK, payload)
            self._send(_MEDIA_CHUNKS[kind], message)

    def end_play(self, description: str) -> None:
        """Tell the player that the stream is over, and close. No event: the caller knows."""
        if self.state is State.PLAYING:
            self._send(_CONTROL_CHUNKS, user_control(UserControl.STREAM_EOF, self._stream_id))
            self._status("status", commands.PLAY_STOP, description)
            self._enter_closed(flush=True)

    def close(self, description: str) -> None:
        """End it from our side, saying why. No event: the caller knows."""
        if self.state is State.CLOSED:
            return
        speaks = self.state not in (State.HANDSHAKE, State.CONNECTING)
        if speaks:
            self._status("error", commands.CONNECTION_CLOSED, description)
        self._enter_closed(flush=speaks)

    # -- messages

    def _receive(self, data: bytes) -> None:
        if not self._handshake.done:
            data = self._shake_hands(data)
        self._decodes = self._limits.decoded_at_once
        for message in self._reader.receive(data):
            handler = _HANDLERS.get(message.type)
            if handler is not None:
                handler(self, message)
            if self.state is _CLOSED:
                return
        self._acknowledge()
        if len(self._out) > self._limits.output:
            raise LimitError(f"more than {self._limits.output} bytes of answers asked for at once")

    def _shake_hands(self, data: bytes) -> bytes:
        rest = self._handshake.receive(data)
        self._out += self._handshake.data_to_send()
        if self._handshake.done:
            self.state = State.CONNECTING
        return rest

    def _on_media(self, message: Message) -> None:
        kind, _, timestamp, payload = message
        if not payload:
            return  # some encoders send an empty message to keep the connection alive
        if self.state is _PUBLISHING:
            self._events.append(Media(kind, timestamp, payload))
        else:
            self._keep_early(Media(kind, timestamp, payload), len(payload))

    def _on_data(self, message: Message) -> None:
        self._decodes -= 1
        if self._decodes < 0 or self.state not in (State.ASKED, State.PUBLISHING):
            self._dropped += 1
            return
        properties = commands.read_metadata(message)
        if properties is None:
            return
        if self.state is State.PUBLISHING:
            self._events.append(Metadata(properties))
        else:
            self._keep_early(Metadata(properties), len(message.payload))

    def _keep_early(self, event: Event, size: int) -> None:
        """Encoders wait for Publish.Start; what one sends before it is kept if it may still be of use."""
        self._early_bytes += size
        if self.state is State.ASKED and self._early_bytes <= self._limits.unasked:
            self._early.append(event)
        else:
            self._dropped += 1

    def _on_aggregate(self, message: Message) -> None:
        for part in split_aggregate(message, self._limits.aggregated):
            _HANDLERS[part.type](self, part)

    def _on_window_size(self, message: Message) -> None:
        self._window = max(control_value(message), MIN_WINDOW)

    def _on_user_control(self, message: Message) -> None:
        time = ping_of(message)
        if time is not None:
            self._send(_CONTROL_CHUNKS, user_control(UserControl.PING_RESPONSE, time))

    def _on_command(self, message: Message) -> None:
        self._commands += self.state is not State.PUBLISHING
        if self._commands > self._limits.commands:
            raise LimitError(f"more than {self._limits.commands} commands")
        self._decodes -= 1
        if self._decodes < 0:
            raise LimitError(f"more than {self._limits.decoded_at_once} commands at once")
        command = commands.read_command(message)
        row = TABLE.get(command.name, TABLE[OTHER])
        _ACTIONS[row[self.state]](self, command)

    # -- commands

    def _connect(self, command: Command) -> None:
        self._app = command.property("app")
        self.agent = command.property("flashVer")[: self._limits.name]
        self._send(_CONTROL_CHUNKS, control(WINDOW_SIZE, WINDOW))
        self._send(_CONTROL_CHUNKS, peer_bandwidth(WINDOW))
        self._send(_CONTROL_CHUNKS, control(SET_CHUNK_SIZE, OUT_CHUNK_SIZE))
        self._writer.chunk_size = OUT_CHUNK_SIZE
        self._command(commands.connected(command))
        self.state = State.CONNECTED

    def _result(self, command: Command) -> None:
        self._command(commands.result(command))

    def _prepare(self, command: Command) -> None:
        self._fc_published = command.text(0)[: self._limits.name]
        self._command(commands.result(command))

    def _create_stream(self, command: Command) -> None:
        self._command(commands.result(command, commands.MESSAGE_STREAM))

    def _ask(self, command: Command) -> None:
        self._stream_id = command.stream_id or commands.MESSAGE_STREAM
        name = command.text(0)
        if len(self._app) + len(name) > self._limits.name:
            return self._refuse_publish("the stream key is too long")
        target = commands.stream_name(self._app, name)
        if not target.key:
            return self._refuse_publish("no stream key given")
        self.state = State.ASKED
        self._since = self.last_received
        self._reader.limit_media(self._limits.unasked)
        self._events.append(PublishRequested(target.app, target.key, target.query))
        return None

    def _end_publication(self, command: Command) -> None:
        playing = self.state in (State.PLAY_ASKED, State.PLAYING)
        self.state = State.ENDED
        self._since = self.last_received
        self._reader.limit_media(0)
        self._early.clear()
        self._status("status", commands.PLAY_STOP if playing else commands.UNPUBLISHED, "The stream has ended.")
        self._events.append(PublishEnded(command.name))

    def _ask_to_play(self, command: Command) -> None:
        self._stream_id = command.stream_id or commands.MESSAGE_STREAM
        name = command.text(0)
        target = commands.stream_name(self._app, name)
        self.state = State.PLAY_ASKED
        self._since = self.last_received
        if len(self._app) + len(name) > self._limits.name:
            return self._refuse_to_play("the name is too long")
        if not target.key:
            return self._refuse_to_play("no name given")
        self._events.append(PlayRequested(target.app, target.key, target.query))
        return None

    def _refuse_to_play(self, description: str) -> None:
        self.reject_play(description)
        self._events.append(Closed(f"refused play: {description}", True))

    def _answer_length(self, command: Command) -> None:
        self._command(commands.result(command, 0.0))

    def _refuse_second(self, command: Command) -> None:
        self._refuse_publish("a connection carries one stream, once")

    def _refuse(self, command: Command) -> None:
        description = f"{command.name[:40]!r} is not expected while {self.state.value}"
        self._command(commands.error(command, commands.CALL_FAILED, description))
        self._close(description, flush=True)

    def _answer_unknown(self, command: Command) -> None:
        self._command(commands.error(command, commands.CALL_FAILED, "no such call"))

    def _ignore(self, command: Command) -> None:
        pass

    def _refuse_publish(self, description: str) -> None:
        self._status("error", commands.PUBLISH_BAD_NAME, description)
        self._close(f"refused publish: {description}", flush=True)

    # -- sending and ending

    def _send(self, chunk_stream: int, message: Message) -> None:
        self._out += self._writer.write(chunk_stream, message)

    def _command(self, payload: bytes) -> None:
        self._send(_COMMAND_CHUNKS, commands.command_message(payload))

    def _status(self, level: str, code: str, description: str) -> None:
        payload = commands.status(level, code, description)
        self._send(_STATUS_CHUNKS, commands.command_message(payload, self._stream_id))

    def _acknowledge(self) -> None:
        """At half the window, so that no peer ever waits for us."""
        if self._window and self.received - self._acknowledged >= self._window // 2:
            self._acknowledged = self.received
            self._send(_CONTROL_CHUNKS, control(ACKNOWLEDGEMENT, self.received & TIMESTAMP_MASK))

    def _time_out(self) -> None:
        match self.state:
            case State.PUBLISHING:
                self._close(f"silent for {self._limits.idle_timeout_s:g} s", flush=False)
            case State.ASKED:
                self._refuse_publish("the server did not answer in time")
            case State.PLAY_ASKED:
                self._refuse_to_play("the server did not answer in time")
            case State.ENDED:
                self._close("the peer stayed after its stream had ended", flush=False)
            case _:
                self._close(f"no publish within {self._limits.publish_timeout_s:g} s", flush=False)

    def _close(self, reason: str, flush: bool) -> None:
        self._enter_closed(flush)
        self._events.append(Closed(reason, flush))

    def _enter_closed(self, flush: bool) -> None:
        self.state = State.CLOSED
        self.close_after_flush = flush
        self._early.clear()
        self._dropped = self.dropped
        self._reader = ChunkReader(self._limits)  # in place of one that may hold megabytes


_HANDLERS: Mapping[int, Callable[[Connection, Message], None]] = {
    AUDIO: Connection._on_media,
    VIDEO: Connection._on_media,
    DATA: Connection._on_data,
    DATA_AMF3: Connection._on_data,
    COMMAND: Connection._on_command,
    COMMAND_AMF3: Connection._on_command,
    AGGREGATE: Connection._on_aggregate,
    WINDOW_SIZE: Connection._on_window_size,
    USER_CONTROL: Connection._on_user_control,
}
"""By message type. The chunk reader obeys 1 and 2; nothing follows from any other."""

_ACTIONS: Mapping[Action, Callable[[Connection, Command], None]] = {
    Action.CONNECT: Connection._connect,
    Action.RESULT: Connection._result,
    Action.PREPARE: Connection._prepare,
    Action.STREAM: Connection._create_stream,
    Action.ASK: Connection._ask,
    Action.END: Connection._end_publication,
    Action.LENGTH: Connection._answer_length,
    Action.PLAY: Connection._ask_to_play,
    Action.TWICE: Connection._refuse_second,
    Action.REFUSE: Connection._refuse,
    Action.UNKNOWN: Connection._answer_unknown,
    Action.IGNORE: Connection._ignore,
}
