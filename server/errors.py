"""What can go wrong, as a table: a stable code, the sentence, the HTTP status.

    Problem                 an answer in the one error shape (api.video's, RFC 9457-like)
    ├─ raised anywhere by its code: Problem("resource-not-found", detail=…)
    └─ turned into HTTP only by web/problems.py
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of error."""

    status: int
    title: str


# Codes and statuses of the api.video dialect where it has one for the case; ours are marked.
ERRORS: Mapping[str, Row] = {
    "attribute-required": Row(400, "An attribute is required."),
    "invalid-attribute": Row(400, "An attribute is invalid."),
    "invalid-payload": Row(400, "The request body is not valid."),
    "request-invalid-query-parameter": Row(400, "A query parameter is invalid."),
    "authentication-missing-authorization-header": Row(401, "Authentication is required."),
    "authentication-invalid-authorization-header-value": Row(401, "The Authorization header is not valid."),
    "authentication-invalid-access-token": Row(401, "The access token is invalid or has expired."),
    "authentication-invalid-api-key": Row(401, "The API key is not valid."),
    "authentication-invalid-user-credentials": Row(400, "The user credentials were incorrect."),
    "authentication-invalid-refresh-token": Row(400, "The refresh token is not valid."),
    "authentication-missing-upload-token": Row(401, "An upload token is required."),
    "authentication-invalid-upload-token": Row(401, "The upload token is invalid or has expired."),
    "resource-not-found": Row(404, "The requested resource was not found."),
    "unrecognized-request-url": Row(404, "The request URL was not recognised."),
    "method-not-allowed": Row(405, "The method is not allowed for this URL."),
    "too-many-requests": Row(429, "Too many requests."),
    "uploaded-file-no-file": Row(400, "The request contains no file."),
    "uploaded-file-multiple-files": Row(400, "The request contains more than one file."),
    "uploaded-file-empty": Row(400, "The file is empty."),
    "uploaded-file-too-large": Row(413, "The file is larger than allowed."),
    "uploaded-file-invalid-file": Row(400, "The file is not valid."),
    "webhook-limit-reached": Row(400, "There are as many webhooks as there may be."),
    "video-source-already-uploaded": Row(400, "The video has a source already."),
    "video-content-range-malformed": Row(400, "The Content-Range header is malformed."),
    # Sluice's own
    "forbidden": Row(403, "The credentials do not allow this."),
    "playback-token-missing": Row(403, "A playback token is required."),
    "playback-token-invalid": Row(403, "The playback token is not valid."),
    "playback-token-expired": Row(403, "The playback token has expired."),
    "playback-blocked": Row(403, "Playback is not allowed."),
    "precondition-failed": Row(412, "A precondition failed."),
    "upload-conflict": Row(409, "The upload is not at the given offset."),
    "upload-gone": Row(410, "The upload has ended."),
    "upload-busy": Row(423, "Another request is writing this upload."),
    "video-content-range-mismatch": Row(400, "The Content-Range header contradicts earlier requests."),
    "upload-finished": Row(403, "The upload has finished: delete the video instead."),
    "upload-made-of-others": Row(403, "A final upload takes no bytes of its own, and is not given up."),
    "upload-unfinished": Row(409, "A partial upload is not whole yet."),
    "upload-taken-over": Row(400, "Another request has taken the upload over."),
    "upload-checksum-mismatch": Row(460, "The checksum does not match."),
    "invalid-id": Row(400, "This is not an id."),
    "unprocessable": Row(422, "The request is understood and can't be carried out."),
    "not-implemented": Row(501, "This operation is not offered here."),
    "malformed-request": Row(400, "The request is not well-formed HTTP."),
    "headers-too-large": Row(431, "The request's address or headers are too long."),
    "unsupported-media-type": Row(415, "The content type is not supported."),
    "idempotency-key-reused": Row(409, "The Idempotency-Key was used for another call."),
    "idempotency-key-in-use": Row(409, "A call with this Idempotency-Key is under way."),
    "summary-already-exists": Row(409, "The video has a summary already."),
    "already-taken": Row(400, "There is one of the same name."),
    "limit-reached": Row(400, "There are as many as there may be."),
    "conflict": Row(409, "The request conflicts with the state of the resource."),
    "range-not-satisfiable": Row(416, "The range is not satisfiable."),
    "payload-too-large": Row(413, "The request body is larger than allowed."),
    "storage-full": Row(507, "The server is out of storage space."),
    "unavailable": Row(503, "The server can't answer now."),
    "internal-error": Row(500, "The server failed to answer."),
}


@dataclass(slots=True)
class Problem(Exception):
    """An error as a client sees it; `code` is a key of ERRORS.

    `name` is the field or parameter at fault, `problems` lists several at once in the same shape
    (each at least {"title", "name"}), `headers` go out with the answer.
    """

    code: str
    detail: str | None = None
    name: str | None = None
    problems: Sequence[Mapping[str, Any]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        Exception.__init__(self, self.code, self.detail)

    @property
    def row(self) -> Row:
        return ERRORS[self.code]

    def __str__(self) -> str:
        return f"{self.code}: {self.detail or self.row.title}"


def in_words(error: OSError) -> str:
    """What the system says of it, without what asyncio puts around that."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else str(error.strerror or error)  # names not resolved are below 0
