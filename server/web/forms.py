"""A form with one file: streamed to the store while its few short fields are kept, or, if it is small, in memory.

SDKs name the file's field as they like (the one for Node gives it the file's own name), and send other fields before
or after it: the file is the part that has a file name.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from server.errors import Problem
from server.protocols.multipart import Event, Parser, PartBegin, PartData, boundary_of
from server.uploads.placement import Sender
from server.uploads.source import ENVELOPE_BYTES, SourceUploads, Staged
from server.web.bodies import chunks

MAX_FIELD_BYTES = 2048  # ids, a link

SMALL_FILE_ERRORS = (
    "uploaded-file-no-file",
    "uploaded-file-multiple-files",
    "uploaded-file-empty",
    "uploaded-file-invalid-file",
    "uploaded-file-too-large",
    "unsupported-media-type",
    "invalid-payload",
)
"""Of operations that take a `small_file` and look into it."""


@dataclass(frozen=True, slots=True)
class Form:
    """What has come; the file is staged."""

    staged: Staged
    fields: Mapping[str, str]


async def receive(request: web.Request, sources: SourceUploads, sender: Sender) -> Form:
    """The form of a request. Raises Problem: 400 no file, two, or a bad form; 413, 415, 507."""
    boundary = boundary_of(request.headers.get("Content-Type", ""))
    async with aclosing(_events(request, boundary)) as events:
        reader = _Reader(events, sources, sender, request.content_length)
        try:
            await reader.read()
        except BaseException:
            if reader.staged is not None:
                await sources.drop(reader.staged)
            raise
    if reader.staged is None:
        raise Problem("uploaded-file-no-file")
    return Form(reader.staged, reader.fields)


def of_one_file(description: str) -> Mapping[str, Any]:
    """The body of an operation that takes a `small_file`, for OpenAPI."""
    return {
        "multipart/form-data": {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "string", "format": "binary", "description": description}},
        }
    }


async def small_file(request: web.Request, max_bytes: int) -> bytes:
    """The one file of a request's form, in memory; its other fields are passed over. Raises Problem as `small_form`."""
    return (await small_form(request, max_bytes)).file


@dataclass(frozen=True, slots=True)
class SmallForm:
    """A form in memory."""

    file: bytes
    fields: Mapping[str, str]


async def small_form(request: web.Request, max_bytes: int) -> SmallForm:
    """The one file of a request's form and its other fields.

    Raises Problem: 400 no file, two, an empty one or a bad form; 413, 415.
    """
    parser, reader = Parser(boundary_of(request.headers.get("Content-Type", ""))), _InMemory()
    received = 0
    async for chunk in chunks(request):
        received += len(chunk)
        if received > max_bytes + ENVELOPE_BYTES:
            raise Problem("uploaded-file-too-large", f"At most {max_bytes} bytes are taken.")
        for event in parser.receive_data(chunk):
            reader.take(event)
    parser.close()
    if reader.file is None:
        raise Problem("uploaded-file-no-file")
    if not reader.file:
        raise Problem("uploaded-file-empty")
    return SmallForm(bytes(reader.file), {name: _text(name, value) for name, value in reader.fields.items()})


def _text(name: str, value: bytes | bytearray) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Problem("invalid-attribute", detail="The value is not UTF-8.", name=name[:100]) from None


class _InMemory:
    """The file is the part that has a file name, or is called file."""

    def __init__(self) -> None:
        self.file: bytearray | None = None
        self.fields: dict[str, bytearray] = {}
        self._part = bytearray()

    def take(self, event: Event) -> None:
        if isinstance(event, PartBegin):
            self._part = bytearray()
            if event.filename is None and event.name != "file":
                self.fields[event.name] = self._part
            elif self.file is not None:
                raise Problem("uploaded-file-multiple-files")
            else:
                self.file = self._part
        elif isinstance(event, PartData):
            self._part += event.data
            if self._part is not self.file and len(self._part) > MAX_FIELD_BYTES:
                raise Problem("invalid-payload", detail=f"A field is longer than {MAX_FIELD_BYTES} bytes.")


async def _events(request: web.Request, boundary: bytes) -> AsyncGenerator[Event]:
    parser = Parser(boundary)
    async for chunk in chunks(request):
        for event in parser.receive_data(chunk):
            yield event
    parser.close()


class _Reader:
    """One pass over a form's events."""

    def __init__(
        self, events: AsyncGenerator[Event], sources: SourceUploads, sender: Sender, length: int | None
    ) -> None:
        self.staged: Staged | None = None
        self.fields: dict[str, str] = {}
        self._events = events
        self._sources = sources
        self._sender = sender
        self._length = length

    async def read(self) -> None:
        async for event in self._events:
            match event:
                case PartBegin(filename=None, name=name) if name != "file":
                    self.fields[name] = await self._field(name)
                case PartBegin(filename=filename, content_type=content_type):
                    await self._file(filename, content_type)
                case _:
                    raise LookupError("data outside of a part")

    async def _field(self, name: str) -> str:
        return _text(name, b"".join([data async for data in self._part(MAX_FIELD_BYTES)]))

    async def _file(self, filename: str | None, content_type: str | None) -> None:
        if self.staged is not None:
            raise Problem("uploaded-file-multiple-files")
        self.staged = await self._sources.stage(
            self._sender, filename, self._length, self._part(None), content_type
        )

    async def _part(self, limit: int | None) -> AsyncGenerator[bytes]:
        """The data of the part that has begun."""
        size = 0
        async for event in self._events:
            if not isinstance(event, PartData):
                return
            size += len(event.data)
            if limit is not None and size > limit:
                raise Problem("invalid-payload", detail=f"A field is longer than {limit} bytes.")
            yield event.data
