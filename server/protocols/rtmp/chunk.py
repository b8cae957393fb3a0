"""Messages cut into chunks and put together again (the specification, 5.3).

    | type 2 | chunk stream id 6 |  (id 8, or id 16 little-endian)                     basic header
    type 0   timestamp 24, length 24, message type 8, message stream id 32 little-endian
    type 1   timestamp delta 24, length 24, message type 8
    type 2   timestamp delta 24
    type 3   nothing: the next part of a message, or a new one like the last
    then an extended timestamp of 32 bits where the 24-bit field is 0xFFFFFF, and the body

The chunks of one message nearly always follow each other directly; `_take` walks such a run in one go and
copies its bodies once. Where all of them are there, `_take_whole` sees it from their distances, which is quicker, and
must give the same. Only part of a header is ever kept to be read again.
"""

from collections.abc import Iterator

from server.protocols.rtmp.errors import ChunkError, LimitError
from server.protocols.rtmp.limits import DEFAULT_LIMITS, Limits
from server.protocols.rtmp.message import (
    ABORT,
    AGGREGATE,
    DATA_TYPES,
    MEDIA_TYPES,
    SET_CHUNK_SIZE,
    TIMESTAMP_MASK,
    Message,
    control_value,
)

DEFAULT_CHUNK_SIZE = 128
MAX_CHUNK_SIZE = 0xFFFFFF  # no message is longer; "larger sizes are equivalent" (5.4.1)
MAX_CHUNK_STREAM = 65599

_EXTENDED = 0xFFFFFF
_HEADER_LENGTHS = (11, 7, 3, 0)
_OBEYED = frozenset((SET_CHUNK_SIZE, ABORT))
_LIMITED_MEDIA = MEDIA_TYPES | {AGGREGATE}

# A type 3 chunk that starts a message after a type 0 chunk repeats its timestamp as the delta (5.3.1.2.4), and
# ffmpeg writes it so when its first frame is as long as its first timestamp. nginx-rtmp and librtmp mean "the
# same time" by the same bytes. No frame lasts a second, so above it the second meaning is the sensible one.
_LONGEST_REPEATED_MS = 1000

_LONGEST_RUN = 256  # chunks taken in one go; bounds the list of views when a peer sets a chunk size of 1


def basic_header(kind: int, chunk_stream: int) -> bytes:
    if chunk_stream < 64:
        return bytes((kind << 6 | chunk_stream,))
    if chunk_stream < 320:
        return bytes((kind << 6, chunk_stream - 64))
    return bytes((kind << 6 | 1,)) + (chunk_stream - 64).to_bytes(2, "little")


class _ChunkStream:
    """What the next header on this chunk stream may leave out, and the message being put together."""

    __slots__ = (
        "buffer", "delta", "extended", "length", "missing", "separator", "separator_start", "skip", "stream_id",
        "timestamp", "type",
    )  # fmt: skip

    def __init__(self, chunk_stream: int) -> None:
        self.timestamp = self.delta = self.length = self.type = self.stream_id = 0
        self.extended = b""  # the last header's extended timestamp, as sent; b"": it had none
        self.separator = self.separator_start = basic_header(3, chunk_stream)
        self.missing = 0  # bytes of the message still to come; 0: between messages
        self.skip = False  # count the message through, keep nothing of it
        self.buffer = bytearray()

    def set_extended(self, extended: bytes) -> None:
        self.extended = extended
        self.separator = self.separator_start + extended


class ChunkReader:
    """Bytes in, messages out. Obeys Set Chunk Size and Abort, which it passes on as well."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.skipped = 0
        """Messages not kept because of limit_media() or the limit on data messages."""
        self._limits = limits
        self._streams: dict[int, _ChunkStream] = {}
        self._chunk_size = DEFAULT_CHUNK_SIZE
        self._header = b""  # the front of a header whose rest is still to come
        self._current = _ChunkStream(0)  # whose chunk the next `_left` bytes belong to
        self._left = 0  # 0: a header comes next
        self._partial = 0  # bytes in all the buffers
        self.limit_media(limits.message)

    def limit_media(self, length: int) -> None:
        """Skip audio and video messages longer than this: strangers get less memory than publishers."""
        self._media_limit = length
        self._harmless = min(length, self._limits.command, self._limits.data)

    def receive(self, data: bytes) -> Iterator[Message]:
        """Messages as they become whole; RtmpError ends the connection. Use up one call before the next."""
        if self._header:
            data = self._header + data
            self._header = b""
        view = memoryview(data)
        at, end = 0, len(data)
        budget = self._limits.messages_at_once
        while at < end:
            whole = None if self._left else self._take_whole(data, view, at)
            if whole is not None:
                at, message = whole
            else:
                if not self._left:
                    body = self._read_header(data, at)
                    if not body:
                        self._header = data[at:]
                        return
                    at = body
                stream = self._current
                at, payload = self._take(stream, data, view, at)
                if payload is None:
                    continue
                message = Message(stream.type, stream.stream_id, stream.timestamp, payload)
            if message.type in _OBEYED:
                self._obey(message)
            budget -= 1
            if budget < 0:
                raise LimitError(f"more than {self._limits.messages_at_once} messages at once")
            yield message

    def _take_whole(self, data: bytes, view: memoryview, at: int) -> tuple[int, Message] | None:
        """The message that begins here, and where it ends; None unless it is wanted, its header is of the usual
        kinds, and all its chunks are here with nothing between them."""
        first = data[at]
        kind, stream = first >> 6, self._streams.get(first & 63)  # there is none for the escapes 0 and 1
        body = at + 1 + _HEADER_LENGTHS[kind]
        if kind == 3 or stream is None or stream.missing or stream.extended or body >= len(data):
            return None
        time, length, type = data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3], stream.length, stream.type
        if kind < 2:
            length, type = data[at + 4] << 16 | data[at + 5] << 8 | data[at + 6], data[at + 7]
        limit = self._media_limit if type in MEDIA_TYPES else self._harmless
        size = self._chunk_size
        more = (length - 1) // size  # chunks after the first, each behind a separator of one byte
        stop = body + length + more
        if time == _EXTENDED or not 0 < length <= limit or stop > len(data) or more >= _LONGEST_RUN:
            return None
        if not more:
            payload = data[body:stop]
        elif data[body + size : stop : size + 1] == stream.separator * more:
            pieces = [view[start : start + size] for start in range(body, stop - size, size + 1)]
            pieces.append(view[body + more * (size + 1) : stop])
            payload = b"".join(pieces)
        else:
            return None
        stream.length, stream.type, stream.delta = length, type, time
        if kind == 0:
            stream.stream_id, stream.timestamp = int.from_bytes(data[at + 8 : at + 12], "little"), time
            stream.delta = time if time <= _LONGEST_REPEATED_MS else 0
        else:
            stream.timestamp = (stream.timestamp + time) & TIMESTAMP_MASK
        return stop, Message(type, stream.stream_id, stream.timestamp, payload)

    def _read_header(self, data: bytes, at: int) -> int:
        """Read one header; the position of the chunk's body, or 0 if the header is not all there."""
        kind, chunk_stream = data[at] >> 6, data[at] & 63
        at += 1
        if chunk_stream < 2:
            wide = at + 1 + chunk_stream
            if wide > len(data):
                return 0
            chunk_stream = 64 + int.from_bytes(data[at:wide], "little")
            at = wide
        body = at + _HEADER_LENGTHS[kind]
        if body > len(data):
            return 0
        stream = self._streams.get(chunk_stream) or self._add_stream(kind, chunk_stream)
        if kind < 3:
            body = self._read_fields(stream, kind, data, at, body)
        elif stream.extended:
            body = _skip_repeated(stream.extended, data, body)
        if not body:
            return 0
        if not stream.missing:
            self._start(stream, kind)
        self._current = stream
        self._left = stream.missing if stream.missing < self._chunk_size else self._chunk_size
        return body

    def _read_fields(self, stream: _ChunkStream, kind: int, data: bytes, at: int, body: int) -> int:
        """The fields of header types 0 to 2; the position behind the extended timestamp, 0 if it is missing."""
        time = data[at] << 16 | data[at + 1] << 8 | data[at + 2]
        extended = b""
        if time == _EXTENDED:
            extended = data[body : body + 4]
            body += 4
            if body > len(data):
                return 0
            time = int.from_bytes(extended, "big")
        if extended or stream.extended:
            stream.set_extended(extended)
        if stream.missing:
            self._discard(stream)  # a header in the middle of a message begins another: the first one is lost
        if kind < 2:
            stream.length = data[at + 3] << 16 | data[at + 4] << 8 | data[at + 5]
            stream.type = data[at + 6]
        stream.delta = time
        if kind == 0:
            stream.stream_id = int.from_bytes(data[at + 7 : at + 11], "little")
            stream.timestamp = time
        return body

    def _add_stream(self, kind: int, chunk_stream: int) -> _ChunkStream:
        # Type 1 is let in: librtmp starts a chunk stream with it.
        if kind > 1:
            raise ChunkError(f"chunk stream {chunk_stream} starts with a header of type {kind}")
        if len(self._streams) >= self._limits.chunk_streams:
            raise LimitError(f"more than {self._limits.chunk_streams} chunk streams")
        stream = self._streams[chunk_stream] = _ChunkStream(chunk_stream)
        return stream

    def _start(self, stream: _ChunkStream, kind: int) -> None:
        """Begin the message that the stream's fields describe."""
        if kind:
            stream.timestamp = (stream.timestamp + stream.delta) & TIMESTAMP_MASK
        elif stream.delta > _LONGEST_REPEATED_MS:
            stream.delta = 0
        stream.missing = stream.length
        stream.skip = stream.length > self._harmless and self._is_unwanted(stream)

    def _is_unwanted(self, stream: _ChunkStream) -> bool:
        """Whether a message is too long to keep; LimitError if it is too long to go on."""
        length, limits = stream.length, self._limits
        if length > limits.message:
            raise LimitError(f"a message of {length} bytes; the limit is {limits.message}")
        if stream.type in _LIMITED_MEDIA:
            return length > self._media_limit
        if stream.type in DATA_TYPES:
            return length > limits.data
        if length > limits.command:
            raise LimitError(f"a message of type {stream.type} and {length} bytes; the limit is {limits.command}")
        return False

    def _take(
        self, stream: _ChunkStream, data: bytes, view: memoryview, at: int
    ) -> tuple[int, bytes | None]:
        """Take this chunk's body, and the chunks of the message that follow it; the payload if that is all."""
        missing, size, end = stream.missing, self._chunk_size, len(data)
        separator, gap = stream.separator, len(stream.separator)
        stop = at + self._left
        pieces = []
        while stop <= end:
            pieces.append(view[at:stop])
            missing -= stop - at
            at = stop
            if not missing or data[at : at + gap] != separator or len(pieces) == _LONGEST_RUN:
                break
            at += gap
            stop = at + (missing if missing < size else size)
        else:
            pieces.append(view[at:end])
            missing -= end - at
            at = end
        self._left = stop - at
        stream.missing = missing
        return at, self._keep(stream, pieces)

    def _keep(self, stream: _ChunkStream, pieces: list[memoryview]) -> bytes | None:
        """Add to the message being put together; its payload when nothing is missing and it was wanted."""
        if stream.skip:
            self.skipped += not stream.missing
            return None
        if not stream.missing and not stream.buffer:
            return b"".join(pieces)
        return self._gather(stream, pieces)

    def _gather(self, stream: _ChunkStream, pieces: list[memoryview]) -> bytes | None:
        """As _keep, for a message that more than one piece of input brings."""
        before = len(stream.buffer)
        for piece in pieces:
            stream.buffer += piece
        self._partial += len(stream.buffer) - before
        if not stream.missing:
            payload = bytes(stream.buffer)
            self._discard(stream)
            return payload
        if self._partial > self._limits.partial:
            raise LimitError(f"more than {self._limits.partial} bytes of unfinished messages")
        return None

    def _discard(self, stream: _ChunkStream) -> None:
        stream.missing = 0
        if stream.buffer:
            self._partial -= len(stream.buffer)
            stream.buffer = bytearray()

    def _obey(self, message: Message) -> None:
        value = control_value(message)
        if message.type == ABORT:
            if stream := self._streams.get(value):
                self._discard(stream)
        elif message.type == SET_CHUNK_SIZE:
            if not 1 <= value <= 0x7FFFFFFF:
                raise ChunkError(f"a chunk size of {value}")
            self._chunk_size = min(value, MAX_CHUNK_SIZE)


def _skip_repeated(extended: bytes, data: bytes, body: int) -> int:
    """Where the body of a type 3 chunk starts: ffmpeg and OBS repeat the extended timestamp, old Flash does not.

    0 while too few bytes are there to tell.
    """
    field = data[body : body + 4]
    if field == extended:
        return body + 4
    return 0 if extended.startswith(field) else body


class ChunkWriter:
    """Messages in, bytes out: each begins with a full header, which peers understand in any state."""

    def __init__(self) -> None:
        self.chunk_size = DEFAULT_CHUNK_SIZE

    def write(self, chunk_stream: int, message: Message) -> bytes:
        payload, size = message.payload, self.chunk_size
        time, extended = message.timestamp, b""
        if time >= _EXTENDED:
            time, extended = _EXTENDED, time.to_bytes(4, "big")
        header = b"".join(
            (
                basic_header(0, chunk_stream),
                time.to_bytes(3, "big"),
                len(payload).to_bytes(3, "big"),
                bytes((message.type,)),
                message.stream_id.to_bytes(4, "little"),
                extended,
            )
        )
        separator = basic_header(3, chunk_stream) + extended
        bodies = (payload[at : at + size] for at in range(0, len(payload), size))
        return header + separator.join(bodies)
