"""What a server and its transcoding child say to each other: coded pictures there, coded pictures back, never frames.

Messages in both directions over one stream socket, each with its length before it (big-endian throughout):

    length 4 │ kind 1 │ body                                  `length` counts what follows it
    config   │ track 1 │ generation 4 │ facts' length 4 │ facts, JSON │ extradata
    unit     │ track 1 │ flags 1 │ pts 8 │ dts 8 │ data         a coded picture; bit 0 of the flags: a key frame
    flush    │ number 4                                        there: nothing more comes; back: all of it has come out
    dropped  │ JSON: name, reason                              back: the rendition is given up
    status   │ JSON                                            back, every second

Pure; the child decodes strangers' bytes, so nothing that it says is believed beyond this.
"""

import json
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, NamedTuple

MAX_BYTES = 16 << 20  # of a message: twice the largest RTMP message
MAX_FACTS = 64 * 1024

LENGTH = Struct(">I")
CONFIG = Struct(">BII")
UNIT = Struct(">BBqq")
FLUSH = Struct(">I")
KEY = 1

COMPACT_BYTES = 1 << 20  # what was read is let go of when so much of it has gathered


class WireError(ValueError):
    """The peer said something that is no message."""


class Config(NamedTuple):
    """There: the source, `facts` say how to decode it and what to make. Back: what a rendition's pictures need."""

    track: int
    generation: int
    facts: dict[str, Any]
    extradata: bytes


class Unit(NamedTuple):
    """A coded picture of the configuration before it; times in the source's ticks."""

    track: int
    pts: int
    dts: int
    key: bool
    data: bytes | memoryview


class Flush(NamedTuple):
    number: int


class Dropped(NamedTuple):
    name: str
    reason: str


class Status(NamedTuple):
    facts: dict[str, Any]


Message = Config | Unit | Flush | Dropped | Status


def encode(message: Message) -> list[bytes | memoryview]:
    """The bytes to send, in pieces: pictures are not copied."""
    match message:
        case Unit(track, pts, dts, key, data):
            return [_head(2, UNIT.size + len(data)) + UNIT.pack(track, KEY if key else 0, pts, dts), data]
        case Config(track, generation, facts, extradata):
            text = json.dumps(facts).encode()
            head = _head(1, CONFIG.size + len(text) + len(extradata))
            return [head + CONFIG.pack(track, generation, len(text)) + text + extradata]
        case Flush(number):
            return [_head(3, FLUSH.size) + FLUSH.pack(number)]
        case Dropped(name, reason):
            text = json.dumps({"name": name, "reason": reason}).encode()
            return [_head(4, len(text)) + text]
        case Status(facts):
            text = json.dumps(facts).encode()
            return [_head(5, len(text)) + text]


def _head(kind: int, size: int) -> bytes:
    if size >= MAX_BYTES:
        raise WireError(f"a message of {size} bytes")
    return LENGTH.pack(1 + size) + bytes([kind])


class Incoming:
    """Bytes as they come, messages as they are whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes | memoryview) -> Iterator[Message]:
        """The messages that `data` completes. Raises WireError; nothing can be read after it."""
        self._buffer += data
        while (message := self._next()) is not None:
            yield message
        if self._at == len(self._buffer) or self._at > COMPACT_BYTES:
            del self._buffer[: self._at]
            self._at = 0

    def _next(self) -> Message | None:
        have = len(self._buffer) - self._at
        if have < LENGTH.size:
            return None
        (size,) = LENGTH.unpack_from(self._buffer, self._at)
        if not 1 <= size <= MAX_BYTES:
            raise WireError(f"a message of {size} bytes")
        if have < LENGTH.size + size:
            return None
        start = self._at + LENGTH.size
        self._at = start + size
        return _decode(self._buffer[start], bytes(self._buffer[start + 1 : self._at]))


def _decode(kind: int, body: bytes) -> Message:
    read = _READ.get(kind)
    if read is None:
        raise WireError(f"a message of kind {kind}")
    return read(body)


def _config(body: bytes) -> Config:
    if len(body) < CONFIG.size:
        raise WireError("a configuration that is cut off")
    track, generation, size = CONFIG.unpack_from(body)
    end = CONFIG.size + size
    if end > len(body):
        raise WireError("a configuration that is cut off")
    return Config(track, generation, _facts(body[CONFIG.size : end]), body[end:])


def _unit(body: bytes) -> Unit:
    if len(body) < UNIT.size:
        raise WireError("a picture that is cut off")
    track, flags, pts, dts = UNIT.unpack_from(body)
    return Unit(track, pts, dts, bool(flags & KEY), body[UNIT.size :])


def _flush(body: bytes) -> Flush:
    if len(body) != FLUSH.size:
        raise WireError("a flush of another size")
    return Flush(*FLUSH.unpack(body))


def _dropped(body: bytes) -> Dropped:
    facts = _facts(body)
    name, reason = facts.get("name"), facts.get("reason")
    if not isinstance(name, str) or not isinstance(reason, str):
        raise WireError("a rendition without a name")
    return Dropped(name, reason)


def _status(body: bytes) -> Status:
    return Status(_facts(body))


def _facts(text: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(text) if len(text) <= MAX_FACTS else None
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise WireError("facts that are no JSON object")
    return facts


_READ: dict[int, Callable[[bytes], Message]] = {1: _config, 2: _unit, 3: _flush, 4: _dropped, 5: _status}
