"""multipart/form-data (RFC 7578, RFC 2046 section 5.1.1): bytes in, parts out, nothing held but a few bytes.

A file streams through: a chunk is handed on as it came unless the delimiter may begin at its end.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from server.errors import Problem

MAX_PARTS = 32  # a form of ours has three
MAX_HEADER_BYTES = 4_096  # of one part, or before the first; file names are the long ones
MAX_TYPE_CHARS = 1_024  # of the form's Content-Type

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{1,70}")  # RFC 2046
_PARAMETER = re.compile(r';\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part starts; a file has a name, which may be empty."""

    name: str
    filename: str | None
    content_type: str | None


@dataclass(frozen=True, slots=True)
class PartData:
    """Some bytes of the part."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is whole."""


Event = PartBegin | PartData | PartEnd


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names. Raises Problem: 415 another type, 400 no good boundary."""
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        raise Problem(
            "unsupported-media-type", detail="Content-Type must be multipart/form-data.", name="Content-Type"
        )
    boundary = _parameters(content_type[:MAX_TYPE_CHARS]).get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise _malformed("The boundary is missing or not valid.")
    return boundary.encode("ascii")


class Parser:
    """`receive_data` for each chunk, then `close`. Both raise Problem (400)."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._data = b"\r\n"  # the first delimiter need not have a line before it
        self._state: Callable[[], Iterator[Event]] = self._preamble
        self._waits = False  # for more data
        self._parts = 0
        self._ended = False

    def receive_data(self, chunk: bytes) -> Iterator[Event]:
        """The events of a chunk, to be taken before the next one comes."""
        self._data += chunk
        self._waits = False
        while not self._waits:
            yield from self._state()

    def close(self) -> None:
        """No more bytes come."""
        if not self._ended:
            raise _malformed("The form ends early.")

    def _preamble(self) -> Iterator[Event]:
        found = self._data.find(self._delimiter)
        if found < 0:
            self._wait_within_limit()
        else:
            self._skip_to_delimiter_end(found)
        yield from ()

    def _after_delimiter(self) -> Iterator[Event]:
        """`--` ends the form, a line end begins a part; blanks between are padding."""
        line = self._data.lstrip(b" \t")
        if line.startswith(b"--"):
            self._ended = True
            self._state = self._epilogue
        elif line.startswith(b"\r\n"):
            self._data = line  # the line end also ends an empty list of headers
            self._state = self._headers
        elif len(line) >= 2:
            raise _malformed("A boundary is followed by other text.")
        else:
            self._wait_within_limit()
        yield from ()

    def _headers(self) -> Iterator[Event]:
        found = self._data.find(b"\r\n\r\n")
        if found < 0:
            self._wait_within_limit()
            return
        if found > MAX_HEADER_BYTES:
            raise _malformed("A part has too long headers.")
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _malformed(f"The form has more than {MAX_PARTS} parts.")
        begin = _part(self._data[2:found])
        self._data = self._data[found + 2 :]  # an empty body's delimiter begins with the headers' line end
        self._state = self._body_begin
        yield begin

    def _body_begin(self) -> Iterator[Event]:
        if len(self._data) < len(self._delimiter):
            self._waits = True
            return
        if self._data.startswith(self._delimiter):
            self._skip_to_delimiter_end(0)
            yield PartEnd()
        else:
            self._data = self._data[2:]
            self._state = self._body

    def _body(self) -> Iterator[Event]:
        found = self._data.find(self._delimiter)
        if found >= 0:
            data = self._data[:found]
            self._skip_to_delimiter_end(found)
            if data:
                yield PartData(data)
            yield PartEnd()
            return
        keep = self._possible_delimiter()
        data, self._data = self._data[:keep], self._data[keep:]
        self._waits = True
        if data:
            yield PartData(data)

    def _possible_delimiter(self) -> int:
        """Where a delimiter may begin whose end has not come."""
        at = self._data.find(b"\r", max(0, len(self._data) - len(self._delimiter) + 1))
        while at >= 0 and not self._delimiter.startswith(self._data[at:]):
            at = self._data.find(b"\r", at + 1)
        return at if at >= 0 else len(self._data)

    def _epilogue(self) -> Iterator[Event]:
        self._data = b""  # "to be ignored"
        self._waits = True
        yield from ()

    def _skip_to_delimiter_end(self, at: int) -> None:
        self._data = self._data[at + len(self._delimiter) :]
        self._state = self._after_delimiter

    def _wait_within_limit(self) -> None:
        if len(self._data) > MAX_HEADER_BYTES:
            raise _malformed("No boundary, or too long headers.")
        self._waits = True


def _part(block: bytes) -> PartBegin:
    """The part that a block of header lines announces."""
    headers = dict(_header(line) for line in block.split(b"\r\n") if line)
    disposition = headers.get("content-disposition", "")
    if disposition.partition(";")[0].strip().lower() != "form-data":
        raise _malformed("A part lacks Content-Disposition: form-data.")
    parameters = _parameters(disposition)
    return PartBegin(parameters.get("name", ""), parameters.get("filename"), headers.get("content-type"))


def _header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.decode("utf-8", "replace").partition(":")
    if not colon:
        raise _malformed("A part has a header without a colon.")
    return name.strip().lower(), value.strip()


def _parameters(value: str) -> dict[str, str]:
    """The parameters after the first semicolon. Browsers write a quote in a name as %22, others as \\"."""
    return {
        found[1].lower(): re.sub(r'\\(["\\])', r"\1", found[2]) if found[2] is not None else found[3]
        for found in _PARAMETER.finditer(value)
    }


def _malformed(detail: str) -> Problem:
    return Problem("invalid-payload", detail=detail)
