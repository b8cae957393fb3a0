"""What both ends of a connection do alike below their commands: handshake, chunks, control messages."""

from collections.abc import Iterable, Iterator

from server.protocols.rtmp.chunk import ChunkReader, ChunkWriter
from server.protocols.rtmp.client_handshake import ClientHandshake
from server.protocols.rtmp.command import command_message
from server.protocols.rtmp.handshake import Handshake
from server.protocols.rtmp.limits import Limits
from server.protocols.rtmp.message import (
    ACKNOWLEDGEMENT,
    AGGREGATE,
    AUDIO,
    DATA,
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

WINDOW = 2_500_000
"""Bytes between acknowledgements that we ask for and the bandwidth we grant; what every server says."""

MIN_WINDOW = 8192
"""A peer that asks for an acknowledgement more often gets it this often."""

_COUNT_MASK = 0xFFFFFFFF
_CONTROL_CHUNKS, _COMMAND_CHUNKS, _STATUS_CHUNKS = 2, 3, 5  # the chunk streams that servers use, and clients
_MEDIA_CHUNKS = {AUDIO: 4, VIDEO: 6, DATA: 4}


class Link:
    """Bytes in, messages out, and the other way round; it answers by itself what needs no thought."""

    def __init__(self, handshake: Handshake | ClientHandshake, limits: Limits) -> None:
        self._handshake = handshake
        self._limits = limits
        self._reader = ChunkReader(limits)
        self._writer = ChunkWriter()
        self._out = bytearray(handshake.data_to_send())
        self._skipped = 0  # by readers that are no more
        self._window = 0  # 0: the peer asked for no acknowledgements
        self._acknowledged = 0

    @property
    def ready(self) -> bool:
        """The handshake is done."""
        return self._handshake.done

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._out)

    @property
    def skipped(self) -> int:
        """Messages that were longer than is taken now."""
        return self._skipped + self._reader.skipped

    # -- in

    def shake_hands(self, data: bytes) -> bytes:
        """What is left of the bytes for `receive`. Raises HandshakeError."""
        rest = self._handshake.receive(data)
        self._out += self._handshake.data_to_send()
        return rest

    def receive(self, data: bytes) -> Iterator[Message]:
        """Messages as they came. Raises RtmpError. Who stops listening hears no more of what came in these bytes."""
        return self._reader.receive(data)

    def see_to(self, message: Message) -> Iterable[Message]:
        """What is in one that its receiver makes nothing of: the tags of an aggregate. Control messages are obeyed.

        Raises RtmpError.
        """
        kind = message.type
        if kind == AGGREGATE:
            return split_aggregate(message, self._limits.aggregated)
        if kind == WINDOW_SIZE:
            self._window = max(control_value(message), MIN_WINDOW)
        elif kind == USER_CONTROL:
            self.answers_ping(message)
        return ()

    def limit_media(self, length: int) -> None:
        """Longer messages of media are skipped from now on."""
        self._reader.limit_media(length)

    def acknowledge(self, received: int) -> None:
        """At half the window, so that no peer ever waits for us; `received` are all bytes that ever came."""
        if self._window and received - self._acknowledged >= self._window // 2:
            self._acknowledged = received
            self.control(control(ACKNOWLEDGEMENT, received & _COUNT_MASK))

    def forget(self) -> None:
        """No more is read: what came of a message that is not whole may be megabytes."""
        self._skipped = self.skipped
        self._reader = ChunkReader(self._limits)

    def answers_ping(self, message: Message) -> bool:
        """False: it is another user control message."""
        time = ping_of(message)
        if time is not None:
            self.control(user_control(UserControl.PING_RESPONSE, time))
        return time is not None

    # -- out

    def data_to_send(self) -> bytes:
        """Everything since the last call."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def control(self, message: Message) -> None:
        """A message of the protocol's own."""
        self._send(_CONTROL_CHUNKS, message)

    def announce_chunk_size(self, size: int) -> None:
        self.control(control(SET_CHUNK_SIZE, size))
        self._writer.chunk_size = size

    def command(self, payload: bytes, stream_id: int = 0) -> None:
        self._send(_COMMAND_CHUNKS, command_message(payload, stream_id))

    def status(self, payload: bytes, stream_id: int) -> None:
        """A command that no answer is wanted to."""
        self._send(_STATUS_CHUNKS, command_message(payload, stream_id))

    def media(self, kind: int, stream_id: int, timestamp: int, payload: bytes) -> None:
        """AUDIO, VIDEO or DATA; `timestamp` in milliseconds."""
        self._send(_MEDIA_CHUNKS[kind], Message(kind, stream_id, timestamp & TIMESTAMP_MASK, payload))

    def _send(self, chunk_stream: int, message: Message) -> None:
        self._out += self._writer.write(chunk_stream, message)
