"""Whether a command may be done to an upload in its state, and with what limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from server.errors import Problem
from server.protocols.tus.commands import Append, Delete, Head
from server.protocols.tus.concatenation import PARTIAL

State = Literal["created", "uploading", "uploaded", "aborted", "expired"]


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as tus sees it; `length` None: not told yet; `expires_at` None: never, as when finished.

    `concat` is the Upload-Concat of a partial or final one.
    """

    state: State
    offset: int
    length: int | None
    expires_at: datetime | None = None
    concat: str | None = None

    @property
    def made_of_others(self) -> bool:
        """It is a final upload."""
        return self.concat is not None and self.concat != PARTIAL


@dataclass(frozen=True, slots=True)
class Write:
    """Take bytes at `offset`, at most `limit`; the file's whole length is `length`, None: still not told."""

    offset: int
    limit: int
    length: int | None


OPEN: Mapping[State, str | None] = {
    "created": None,
    "uploading": None,
    "uploaded": None,
    "aborted": "upload-gone",
    "expired": "upload-gone",
}
# command -> state of the upload -> None, or the code of the Problem. A finished upload's bytes are the video's:
# it can't be given up any more; an append at its end changes nothing, so a client that missed the last answer may
# ask again.
RULES: Mapping[type[Head | Append | Delete], Mapping[State, str | None]] = {
    Head: OPEN,
    Append: OPEN,
    Delete: {**OPEN, "uploaded": "upload-finished"},
}


def admit(command: Head | Delete, upload: Upload) -> None:
    """Raises Problem: 403 given up too late, 410 ended."""
    _check_state(command, upload)


def admit_append(command: Append, upload: Upload, max_bytes: int) -> Write:
    """What may be written. Raises Problem: 400 another length, 409 wrong offset, 410 ended, 413 too long."""
    _check_state(command, upload)
    if command.offset != upload.offset:
        raise Problem(
            "upload-conflict",
            detail=f"The upload is at {upload.offset}.",
            headers={"Upload-Offset": str(upload.offset)},
        )
    length = _settled_length(command, upload)
    if upload.length is None and length is not None and length > max_bytes:
        raise Problem("uploaded-file-too-large", detail=f"At most {max_bytes} bytes are taken.")
    limit = (max_bytes if length is None else length) - upload.offset
    if command.body_length is not None and command.body_length > limit:
        raise Problem("uploaded-file-too-large", detail=f"At most {limit} more bytes are taken.")
    return Write(upload.offset, limit, length)


def admit_whole(length: int | None, upload: Upload, max_bytes: int) -> Write:
    """What may be written of a file that comes in one request, which is no request of tus: whatever was told of the
    length before, the request's own goes before it. Raises Problem: 400 empty, 410 ended, 413 too long."""
    _check_state(Append(0, length, length), upload)
    if length == 0:
        raise Problem("uploaded-file-empty")
    if length is not None and length > max_bytes:
        raise Problem("uploaded-file-too-large", detail=f"At most {max_bytes} bytes are taken.")
    return Write(0, max_bytes if length is None else length, length)


def _check_state(command: Head | Append | Delete, upload: Upload) -> None:
    refusal = RULES[type(command)][upload.state]
    if refusal is not None:
        raise Problem(refusal)
    # "The Server MUST respond with the 403 Forbidden status to PATCH requests against a final upload URL". Nor is
    # one given up while its bytes are moved.
    if upload.made_of_others and not isinstance(command, Head):
        raise Problem("upload-made-of-others")


def _settled_length(command: Append, upload: Upload) -> int | None:
    # "Once it is set it MUST NOT be changed by the Client."
    if command.length is None:
        return upload.length
    if upload.length is not None and command.length != upload.length:
        raise _refused(f"The length is {upload.length} already.")
    if command.length < upload.offset:
        raise _refused(f"{upload.offset} bytes have come already.")
    return command.length


def _refused(detail: str) -> Problem:
    return Problem("invalid-attribute", detail=detail, name="Upload-Length")
