"""A publisher's or player's connection: bytes and the time in, events and answers out; state.py says what comes when.

The caller feeds receive_data(), sends data_to_send() after every call of anything, wakes it at next_timeout(),
and closes the socket once `closed` is true: CLOSE_DELAY_S later if `close_after_flush`, else at once.
"""

from collections.abc import Callable, Mapping

from server.formats.amf0 import Value
from server.protocols.rtmp import command as commands
from server.protocols.rtmp.answers import Answers
from server.protocols.rtmp.command import Command
from server.protocols.rtmp.early import Early
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
from server.protocols.rtmp.link import Link
from server.protocols.rtmp.message import AUDIO, COMMAND, COMMAND_AMF3, DATA, DATA_AMF3, VIDEO, Message
from server.protocols.rtmp.state import OTHER, TABLE, Action, State

CLOSE_DELAY_S = 0.2
"""Between a refusal and the end of the connection: closed together, ffmpeg reports a broken pipe instead."""

_PUBLISHING, _CLOSED = State.PUBLISHING, State.CLOSED  # the path of media: State.X is a slow look-up


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
        self._link = Link(Handshake(), limits)
        self._link.limit_media(0)
        self._answers = Answers(self._link, limits)
        self._events: list[Event] = []  # of the call in progress
        self._early = Early(limits.unasked)
        self._dropped = 0
        self._decodes = 0  # how many more this call may take
        self._app = ""
        self._commands = 0

    @property
    def closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def dropped(self) -> int:
        """Messages not passed on: media while nothing is published, and data messages over the limit."""
        return self._dropped + self._link.skipped

    def receive_data(self, data: bytes | memoryview, now: float) -> list[Event]:
        """Take bytes as they come; the buffer behind `data` may be reused. Nothing a peer sends raises."""
        events: list[Event] = []
        if self._early and self.state is _PUBLISHING:
            events = self._early.take()
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
        return self._link.data_to_send()

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
        self._link.limit_media(self._limits.message)
        self._answers.publish_started()
        return True

    def reject_publish(self, code: str, description: str) -> bool:
        """Refuse in words that the encoder shows, and close. False: it no longer waits for an answer."""
        if self.state is not State.ASKED:
            return False
        self._answers.refused(code, description)
        self._enter_closed(flush=True)
        return True

    def accept_play(self) -> bool:
        """Tell the player that media follows. False: it no longer waits for an answer."""
        if self.state is not State.PLAY_ASKED:
            return False
        self.state = State.PLAYING
        self._answers.play_started()
        return True

    def reject_play(self, description: str) -> bool:
        """Refuse and close. False: it no longer waits for an answer."""
        if self.state is not State.PLAY_ASKED:
            return False
        self._answers.refused(commands.PLAY_NOT_FOUND, description)
        self._enter_closed(flush=True)
        return True

    def send_metadata(self, properties: Mapping[str, Value]) -> None:
        """onMetaData for the player, before the media it tells of."""
        if self.state is State.PLAYING:
            self._answers.metadata(properties)

    def send_media(self, kind: int, timestamp: int, payload: bytes) -> None:
        """AUDIO or VIDEO for the player; nothing to anybody else."""
        if self.state is State.PLAYING:
            self._link.media(kind, self._answers.stream_id, timestamp, payload)

    def end_play(self, description: str) -> None:
        """Tell the player that the stream is over, and close. No event: the caller knows."""
        if self.state is State.PLAYING:
            self._answers.play_over(description)
            self._enter_closed(flush=True)

    def close(self, description: str) -> None:
        """End it from our side, saying why. No event: the caller knows."""
        if self.state is State.CLOSED:
            return
        speaks = self.state not in (State.HANDSHAKE, State.CONNECTING)
        if speaks:
            self._answers.refused(commands.CONNECTION_CLOSED, description)
        self._enter_closed(flush=speaks)

    # -- messages

    def _receive(self, data: bytes) -> None:
        if self.state is State.HANDSHAKE:
            data = self._link.shake_hands(data)
            if self._link.ready:
                self.state = State.CONNECTING
        self._decodes = self._limits.decoded_at_once
        for message in self._link.receive(data):
            handler = _HANDLERS.get(message.type)
            if handler is not None:
                handler(self, message)
            else:
                for part in self._link.see_to(message):
                    _HANDLERS[part.type](self, part)
            if self.state is _CLOSED:
                return
        self._link.acknowledge(self.received)
        if self._link.unsent > self._limits.output:
            raise LimitError(f"more than {self._limits.output} bytes of answers asked for at once")

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
        if self.state is not State.ASKED or not self._early.keep(event, size):
            self._dropped += 1

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
        self._answers.connected(command)
        self.state = State.CONNECTED

    def _ask(self, command: Command) -> None:
        self._answers.stream_id = command.stream_id or commands.MESSAGE_STREAM
        name = command.text(0)
        if len(self._app) + len(name) > self._limits.name:
            return self._refuse_publish("the stream key is too long")
        target = commands.stream_name(self._app, name)
        if not target.key:
            return self._refuse_publish("no stream key given")
        self.state = State.ASKED
        self._since = self.last_received
        self._link.limit_media(self._limits.unasked)
        self._events.append(PublishRequested(target.app, target.key, target.query))
        return None

    def _end_publication(self, command: Command) -> None:
        playing = self.state in (State.PLAY_ASKED, State.PLAYING)
        self.state = State.ENDED
        self._since = self.last_received
        self._link.limit_media(0)
        self._early.clear()
        self._answers.stopped(playing)
        self._events.append(PublishEnded(command.name))

    def _ask_to_play(self, command: Command) -> None:
        self._answers.stream_id = command.stream_id or commands.MESSAGE_STREAM
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

    def _refuse_second(self, command: Command) -> None:
        self._refuse_publish("a connection carries one stream, once")

    def _refuse(self, command: Command) -> None:
        description = f"{command.name[:40]!r} is not expected while {self.state.value}"
        self._answers.failed(command, description)
        self._close(description, flush=True)

    def _refuse_publish(self, description: str) -> None:
        self._answers.refused(commands.PUBLISH_BAD_NAME, description)
        self._close(f"refused publish: {description}", flush=True)

    # -- the end

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
        self._link.forget()


_HANDLERS: Mapping[int, Callable[[Connection, Message], None]] = {
    AUDIO: Connection._on_media,
    VIDEO: Connection._on_media,
    DATA: Connection._on_data,
    DATA_AMF3: Connection._on_data,
    COMMAND: Connection._on_command,
    COMMAND_AMF3: Connection._on_command,
}
"""By message type. The link sees to control messages; nothing follows from any other."""

_ACTIONS: Mapping[Action, Callable[[Connection, Command], None]] = {
    Action.CONNECT: Connection._connect,
    Action.RESULT: lambda connection, command: connection._answers.done(command),
    Action.PREPARE: lambda connection, command: connection._answers.prepared(command),
    Action.STREAM: lambda connection, command: connection._answers.stream_created(command),
    Action.ASK: Connection._ask,
    Action.END: Connection._end_publication,
    Action.LENGTH: lambda connection, command: connection._answers.no_length(command),
    Action.PLAY: Connection._ask_to_play,
    Action.TWICE: Connection._refuse_second,
    Action.REFUSE: Connection._refuse,
    Action.UNKNOWN: lambda connection, command: connection._answers.unknown(command),
    Action.IGNORE: lambda connection, command: None,
}
