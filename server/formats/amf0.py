"""AMF0 values to bytes and back (Adobe, "Action Message Format -- AMF 0", 2007).

    number   float          object, typed object   dict[str, Value]      null        None
    boolean  bool           ECMA array             EcmaArray (a dict)    undefined   UNDEFINED
    strings  str            strict array           list                  date        Date

References, movie clips, record sets and the switch to AMF3 are refused: no publisher sends them where it
matters, and references would let a few bytes stand for an endless value.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum

MAX_DEPTH = 16  # connect and onMetaData nest two or three deep; Python's own stack ends near 1000
MAX_VALUES = 1024  # connect and onMetaData have under fifty; bounds the time of one decode to 1 ms
MAX_KEY = 0xFFFF  # a property name's length is 16 bits

_DOUBLE = struct.Struct(">d")
_END = b"\0\0\x09"


class AmfError(ValueError):
    """The bytes are not AMF0, or more of it than the limits allow."""


class Undefined(Enum):
    """Of one value, so that it can be told from null."""

    UNDEFINED = "undefined"


UNDEFINED = Undefined.UNDEFINED


@dataclass(frozen=True, slots=True)
class Date:
    """Milliseconds since the epoch, UTC; the time zone on the wire is reserved and ignored."""

    ms: float


class EcmaArray(dict[str, "Value"]):
    """An object that was, or is to be, written with the ECMA array marker; onMetaData is one."""


Value = None | bool | int | float | str | Undefined | Date | list["Value"] | dict[str, "Value"]


class Marker(IntEnum):
    """Section 2.1: the byte before each value."""

    NUMBER = 0
    BOOLEAN = 1
    STRING = 2
    OBJECT = 3
    NULL = 5
    UNDEFINED = 6
    ECMA_ARRAY = 8
    STRICT_ARRAY = 10
    DATE = 11
    LONG_STRING = 12
    UNSUPPORTED = 13
    XML_DOCUMENT = 15
    TYPED_OBJECT = 16


def decode(data: bytes) -> list[Value]:
    """All values in `data`, one after another; AmfError if any part of it does not parse."""
    reader = _Reader(data)
    values = []
    while reader.at < len(data):
        values.append(reader.value(0))
    return values


def decode_some(data: bytes, count: int) -> list[Value]:
    """At most `count` values from the front of `data`; what follows is not looked at."""
    reader = _Reader(data)
    values: list[Value] = []
    while reader.at < len(data) and len(values) < count:
        values.append(reader.value(0))
    return values


def encode(*values: Value) -> bytes:
    """The values one after another; AmfError for a property name too long or nesting too deep."""
    out = bytearray()
    for value in values:
        _write(out, value, 0)
    return bytes(out)


class _Reader:
    """A position in the bytes and what is left of the value budget."""

    __slots__ = ("at", "budget", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.budget = MAX_VALUES

    def take(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        if len(taken) < count:
            raise AmfError("AMF0 value ends early")
        self.at += count
        return taken

    def uint(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def text(self, width: int) -> str:
        """A string behind its length of `width` bytes; what is not UTF-8 becomes U+FFFD."""
        return self.take(self.uint(width)).decode("utf-8", "replace")

    def number(self) -> float:
        value: float = _DOUBLE.unpack(self.take(8))[0]
        return value

    def value(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise AmfError(f"AMF0 nesting is deeper than {MAX_DEPTH}")
        self.budget -= 1
        if self.budget < 0:
            raise AmfError(f"more than {MAX_VALUES} AMF0 values")
        marker = self.uint(1)
        read = _READERS.get(marker)
        if read is None:
            raise AmfError(f"AMF0 type {marker} is not supported")
        return read(self, depth)

    def object(self, depth: int) -> dict[str, Value]:
        return self.properties({}, depth)

    def typed_object(self, depth: int) -> dict[str, Value]:
        self.text(2)  # the class name means nothing to us
        return self.properties({}, depth)

    def ecma_array(self, depth: int) -> EcmaArray:
        self.take(4)  # the count is a hint that encoders get wrong
        into = EcmaArray()
        self.properties(into, depth, may_end_early=True)
        return into

    def properties(
        self, into: dict[str, Value], depth: int, may_end_early: bool = False
    ) -> dict[str, Value]:
        """Name and value pairs up to the end marker, which some encoders leave out after an ECMA array."""
        while not (may_end_early and self.at == len(self.data)):
            if self.data.startswith(_END, self.at):
                self.at += len(_END)
                break
            name = self.text(2)
            into[name] = self.value(depth + 1)
        return into

    def strict_array(self, depth: int) -> list[Value]:
        return [self.value(depth + 1) for _ in range(self.uint(4))]  # the budget bounds the count

    def date(self) -> Date:
        ms = self.number()
        self.take(2)
        return Date(ms)


_READERS: Mapping[int, Callable[[_Reader, int], Value]] = {
    Marker.NUMBER: lambda reader, depth: reader.number(),
    Marker.BOOLEAN: lambda reader, depth: reader.uint(1) != 0,
    Marker.STRING: lambda reader, depth: reader.text(2),
    Marker.OBJECT: _Reader.object,
    Marker.NULL: lambda reader, depth: None,
    Marker.UNDEFINED: lambda reader, depth: UNDEFINED,
    Marker.ECMA_ARRAY: _Reader.ecma_array,
    Marker.STRICT_ARRAY: _Reader.strict_array,
    Marker.DATE: lambda reader, depth: reader.date(),
    Marker.LONG_STRING: lambda reader, depth: reader.text(4),
    Marker.UNSUPPORTED: lambda reader, depth: UNDEFINED,
    Marker.XML_DOCUMENT: lambda reader, depth: reader.text(4),
    Marker.TYPED_OBJECT: _Reader.typed_object,
}


def _write(out: bytearray, value: Value, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise AmfError(f"AMF0 nesting is deeper than {MAX_DEPTH}")
    match value:
        case None:
            out.append(Marker.NULL)
        case Undefined.UNDEFINED:
            out.append(Marker.UNDEFINED)
        case bool():  # before int, which it is too
            out += bytes((Marker.BOOLEAN, value))
        case int() | float():
            out.append(Marker.NUMBER)
            out += _DOUBLE.pack(value)
        case str():
            _write_text(out, value.encode("utf-8", "replace"))
        case Date():
            out.append(Marker.DATE)
            out += _DOUBLE.pack(value.ms) + b"\0\0"
        case list():
            out.append(Marker.STRICT_ARRAY)
            out += len(value).to_bytes(4, "big")
            for item in value:
                _write(out, item, depth + 1)
        case dict():
            _write_object(out, value, depth)


def _write_text(out: bytearray, text: bytes) -> None:
    width, marker = (2, Marker.STRING) if len(text) <= 0xFFFF else (4, Marker.LONG_STRING)
    out.append(marker)
    out += len(text).to_bytes(width, "big") + text


def _write_object(out: bytearray, properties: dict[str, Value], depth: int) -> None:
    if isinstance(properties, EcmaArray):
        out.append(Marker.ECMA_ARRAY)
        out += len(properties).to_bytes(4, "big")
    else:
        out.append(Marker.OBJECT)
    for name, value in properties.items():
        key = name.encode("utf-8", "replace")
        if len(key) > MAX_KEY:
            raise AmfError(f"AMF0 property name of {len(key)} bytes")
        out += len(key).to_bytes(2, "big") + key
        _write(out, value, depth + 1)
    out += _END
