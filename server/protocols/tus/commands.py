"""A tus request's method and headers -> the command it is, checked as far as it can be without the upload."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from server.errors import Problem
from server.protocols.tus import checksum, concatenation, metadata
from server.protocols.tus.checksum import Checksum
from server.protocols.tus.concatenation import Partial

VERSION = "1.0.0"
EXTENSIONS = (
    "creation", "creation-with-upload", "creation-defer-length", "expiration", "checksum", "termination",
    "concatenation",
)  # fmt: skip
CHUNK_TYPE = "application/offset+octet-stream"

Headers = Mapping[str, str]  # keys compared in lower case, or a mapping that does not mind the case
Target = Literal["collection", "upload"]  # what the URL names

_INTEGER = re.compile(r"[0-9]{1,18}")  # a number of bytes, safely inside 63 bits


@dataclass(frozen=True, slots=True)
class Options:
    """Asks what the server speaks."""


@dataclass(frozen=True, slots=True)
class Create:
    """Asks for a new upload; `length` None: told later; `body_length` 0: no body, None: unknown.

    A `partial` one becomes a part of what a Join asks for.
    """

    length: int | None
    pairs: metadata.Pairs
    description: metadata.Description
    body_length: int | None = 0
    checksum: Checksum | None = None  # of the body
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """Asks for a new upload that is made of partial ones; `concat` is the header that says so."""

    partials: tuple[Partial, ...]
    concat: str
    pairs: metadata.Pairs
    description: metadata.Description


@dataclass(frozen=True, slots=True)
class Head:
    """Asks where an upload stands."""


@dataclass(frozen=True, slots=True)
class Append:
    """Brings bytes from `offset` on; `length` tells what was put off; `body_length` None: unknown."""

    offset: int
    length: int | None
    body_length: int | None
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Gives the upload up."""


Command = Options | Create | Join | Head | Append | Delete


def parse(method: str, headers: Headers, target: Target, max_bytes: int) -> Command:
    """The command of a request to `target`, where uploads may have `max_bytes`. Raises Problem.

    400 faulty headers, 405, 412 another version of tus, 413 too long a file, 415 a body of another type.
    """
    # "The actual method of the request MUST be ignored."
    method = headers.get("x-http-method-override", method).strip().upper()
    readers = METHODS[target]
    if method not in readers:
        raise Problem("method-not-allowed", headers={"Allow": ", ".join(readers)})
    if method != "OPTIONS":
        _check_version(headers)
    return readers[method](headers, max_bytes)


def _check_version(headers: Headers) -> None:
    # "If the version specified by the Client is not supported by the Server, it MUST respond with the 412
    # Precondition Failed status and MUST include the Tus-Version header into the response."
    if headers.get("tus-resumable", "").strip() != VERSION:
        raise Problem(
            "precondition-failed",
            detail=f"Tus-Resumable must be {VERSION}.",
            name="Tus-Resumable",
            headers={"Tus-Version": VERSION},
        )


def _options(headers: Headers, max_bytes: int) -> Options:
    return Options()


def _head(headers: Headers, max_bytes: int) -> Head:
    return Head()


def _delete(headers: Headers, max_bytes: int) -> Delete:
    return Delete()


def _create(headers: Headers, max_bytes: int) -> Create | Join:
    concat = headers.get("upload-concat")
    partials = None if concat is None else concatenation.parse(concat)
    if concat is not None and partials is not None:
        return _join(headers, partials, concat)
    length = _new_length(headers, max_bytes)
    body_length = _body_length(headers)
    if body_length != 0:
        _check_type(headers)
    if length is not None and (body_length or 0) > length:
        raise Problem("uploaded-file-too-large", detail="The body is longer than Upload-Length.")
    pairs = metadata.parse(headers.get("upload-metadata"))
    promised = checksum.parse(headers.get("upload-checksum")) if body_length != 0 else None
    return Create(length, pairs, metadata.describe(pairs), body_length, promised, concat is not None)


def _join(headers: Headers, partials: tuple[Partial, ...], concat: str) -> Join:
    # "The Client MUST NOT include the Upload-Length header in the final upload creation."
    for name in ("Upload-Length", "Upload-Defer-Length"):
        if name.lower() in headers:
            raise _refused(name, "A final upload is as long as the partial ones are.")
    if _body_length(headers) != 0:
        raise Problem("invalid-payload", detail="A final upload takes no bytes of its own.")
    pairs = metadata.parse(headers.get("upload-metadata"))
    return Join(partials, concat.strip(), pairs, metadata.describe(pairs))


def _append(headers: Headers, max_bytes: int) -> Append:
    _check_type(headers)
    if "upload-offset" not in headers:
        raise Problem("attribute-required", detail="Upload-Offset is required.", name="Upload-Offset")
    offset = _integer(headers, "Upload-Offset")
    length = _length(headers, max_bytes) if "upload-length" in headers else None
    return Append(offset, length, _body_length(headers), checksum.parse(headers.get("upload-checksum")))


def _new_length(headers: Headers, max_bytes: int) -> int | None:
    # "The Client MUST include either Upload-Length or Upload-Defer-Length: 1"
    if ("upload-length" in headers) == ("upload-defer-length" in headers):
        raise Problem(
            "attribute-required",
            detail="Exactly one of Upload-Length and Upload-Defer-Length is required.",
            name="Upload-Length",
        )
    if "upload-length" in headers:
        return _length(headers, max_bytes)
    if headers["upload-defer-length"].strip() != "1":
        raise _refused("Upload-Defer-Length", "The value must be 1.")
    return None


def _length(headers: Headers, max_bytes: int) -> int:
    length = _integer(headers, "Upload-Length")
    if length == 0:
        raise Problem("uploaded-file-empty", name="Upload-Length")
    if length > max_bytes:
        raise Problem(
            "uploaded-file-too-large", detail=f"At most {max_bytes} bytes are taken.", name="Upload-Length"
        )
    return length


def _body_length(headers: Headers) -> int | None:
    if "transfer-encoding" in headers:
        return None
    return _integer(headers, "Content-Length") if "content-length" in headers else 0


def _check_type(headers: Headers) -> None:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != CHUNK_TYPE:
        raise Problem(
            "unsupported-media-type", detail=f"Content-Type must be {CHUNK_TYPE}.", name="Content-Type"
        )
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(  # offsets count the bytes of the file
            "unsupported-media-type", detail="The body must not be compressed.", name="Content-Encoding"
        )


def _integer(headers: Headers, name: str) -> int:
    text = headers[name.lower()].strip()
    if not _INTEGER.fullmatch(text):
        raise _refused(name, "The value must be a whole number of bytes.")
    return int(text)


def _refused(name: str, detail: str) -> Problem:
    return Problem("invalid-attribute", detail=detail, name=name)


# what each kind of URL takes, and how it is read
METHODS: Mapping[Target, Mapping[str, Callable[[Headers, int], Command]]] = {
    "collection": {"OPTIONS": _options, "POST": _create},
    "upload": {"OPTIONS": _options, "HEAD": _head, "PATCH": _append, "DELETE": _delete},
}
