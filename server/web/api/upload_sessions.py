"""Upload sessions: a URL that takes one file from whoever has it, with limits of its own."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from server import clock, ids
from server.catalog import upload_sessions
from server.catalog.database import Transaction
from server.catalog.keys import hashed
from server.catalog.upload_models import UploadSession
from server.catalog.upload_sessions import Status
from server.errors import Problem
from server.media import file_types
from server.web import upload_urls
from server.web.api import folders
from server.web.api.folders import FolderId
from server.web.api.schemas import TAGS_LIMIT, Metadata, MetadataList, pairs
from server.web.api.video_answers import VideoError
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import Answer, Body, LongText, Moment, Tag, Text, Title
from server.web.typed import Call, Operations

SCOPE = "uploads:create"
SECRET_BYTES = 24
TTL_S = 86400
MAX_TTL_S = 30 * 86400
MAX_BYTES = 1 << 50
MAX_DURATION_S = 365 * 86400
TYPES_LIMIT = 50
MOST = 10_000  # of a project that wait for a file
TYPE = r"^(\.?[A-Za-z0-9]{1,10}|([Vv]ideo|[Aa]udio|[Aa]pplication)/(\*|[A-Za-z0-9.+-]{1,100}))$"
ORIGIN = r"^[Hh][Tt][Tt][Pp][Ss]?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$"

operations = Operations("Upload sessions")

FileType = Annotated[str, StringConstraints(pattern=TYPE), AfterValidator(file_types.normal)]
Origin = Annotated[str, StringConstraints(pattern=ORIGIN), AfterValidator(str.lower)]
Passthrough = Annotated[Text, StringConstraints(max_length=1000)]
_TYPES_EXAMPLE = [["mp4", "video/*"]]
_ORIGIN_EXAMPLE = ["https://www.example.com"]


class UploadSessionCreation(Body):
    """Of the video to be, what is given goes before what its sender says."""

    ttl: Annotated[int, Field(ge=1, le=MAX_TTL_S, description="Seconds in which the upload has to begin.")] = TTL_S
    max_bytes: Annotated[
        int | None, Field(ge=1, le=MAX_BYTES, description="Of the file; the server's own limit holds, too.")
    ] = None
    max_duration: Annotated[
        float | None,
        Field(gt=0, le=MAX_DURATION_S, description="Seconds. A longer video ends in state `error` with `too-long`."),
    ] = None
    types: Annotated[
        list[FileType],
        Field(
            max_length=TYPES_LIMIT,
            description="Extensions and content types of files that are taken; none: all. A file that says that it is "
            "another is refused with 415, one that is found to be another ends in state `error` with `other-type`.",
            examples=_TYPES_EXAMPLE,
        ),
    ] = Field(default_factory=list)
    origin: Annotated[
        Origin | None, Field(description="Of the pages that may use the URL.", examples=_ORIGIN_EXAMPLE)
    ] = None
    title: Title | None = None
    description: LongText | None = None
    public: bool | None = None
    tags: Annotated[list[Tag] | None, Field(max_length=TAGS_LIMIT)] = None
    metadata: MetadataList | None = None
    folder_id: FolderId | None = None
    passthrough: Annotated[
        Passthrough | None,
        Field(description="Kept for you, and told in the session's events.", examples=["order-42"]),
    ] = None


class UploadSessionAnswer(Answer):
    upload_session_id: str
    state: Annotated[
        Literal["waiting", "uploading", "done", "failed", "expired"],
        Field(
            description="uploading: the file comes or is being examined; done: it was taken; failed: it can't be "
            "watched or breaks the session's limits, and `error` says why."
        ),
    ]
    video_id: Annotated[str | None, Field(description="From when the file begins to come.")]
    error: VideoError | None
    max_bytes: int | None
    max_duration: float | None
    types: list[str] = Field(examples=_TYPES_EXAMPLE)
    origin: str | None = Field(examples=_ORIGIN_EXAMPLE)
    title: str | None
    tags: list[str]
    metadata: list[Metadata]
    folder_id: str | None
    passthrough: str | None = Field(examples=["order-42"])
    created_at: Moment
    expires_at: Moment


class UploadSessionUrl(UploadSessionAnswer):
    url: Annotated[
        str,
        Field(
            description="Takes the file without other credentials. It is shown only now.",
            examples=["https://video.example.com/upload-sessions/us2Kx8RmPzXcVbT6sYqNwhJd/5Jm2Y8kQwTzXcVbN4sLpRd"],
        ),
    ]


class UploadSessionList(Answer):
    data: list[UploadSessionAnswer]
    pagination: Pagination


class UploadSessionQuery(PageQuery):
    sort_by: Literal["createdAt", "expiresAt"] | None = None


@operations.post(
    "/upload-sessions", "Make an upload session", scope=SCOPE, status=201, errors=["conflict", "resource-not-found"],
    example={"ttl": 3600, "maxBytes": 500_000_000, "maxDuration": 600, "types": ["mp4", "video/quicktime"],
             "origin": "https://www.example.com", "title": "From Ana", "passthrough": "order-42"},
)  # fmt: skip
async def create(call: Call, body: UploadSessionCreation) -> UploadSessionUrl:
    """Its URL takes one file: as the body of a PUT or POST, in a form (multipart/form-data), or over tus, with the URL
    as the endpoint. A file that breaks off may come again while the session lasts."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    async with call.services.database.write() as transaction:
        if await upload_sessions.waiting(transaction, call.project_id) >= MOST:
            raise Problem("conflict", f"{MOST} upload sessions of a project wait for a file at most.")
        folder_id = await folders.chosen(transaction, call, body.folder_id, "folderId")
        row = _row(call.project_id, body, folder_id)
        row.secret_hash = hashed(secret)
        await upload_sessions.add(transaction, row)
    answer = _answer(row, Status("waiting"))
    return UploadSessionUrl(
        **answer.model_dump(by_alias=False), url=f"{call.base_url}{upload_urls.path(row, secret)}"
    )


@operations.get("/upload-sessions", "List upload sessions", scope=SCOPE)
async def list_all(call: Call, query: UploadSessionQuery) -> UploadSessionList:
    """Newest first unless sorted; without their URLs, which nobody can read again. They go 30 days after their
    time."""
    async with call.services.database.read() as transaction:
        page = await upload_sessions.page(transaction, call.project_id, query.paging(query.sort_by))
        told = await _told(transaction, page.rows)
    return UploadSessionList(data=told, pagination=pagination(call.request, page))


@operations.get("/upload-sessions/{uploadSessionId}", "Show an upload session", scope=SCOPE)
async def show(call: Call, upload_session_id: str) -> UploadSessionAnswer:
    """Where it stands, without its URL."""
    async with call.services.database.read() as transaction:
        return (await _told(transaction, [await _find(transaction, call, upload_session_id)]))[0]


@operations.delete(
    "/upload-sessions/{uploadSessionId}", "Delete an upload session", scope=SCOPE, status=204, errors=["conflict"]
)
async def delete(call: Call, upload_session_id: str) -> None:
    """Its URL takes nothing any more; a video that came of it stays. Not while a file comes: delete that video."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, upload_session_id)
        status = (await upload_sessions.statuses(transaction, [row]))[row.id]
        if status.state == "uploading":
            raise Problem("conflict", "A file is on its way.")
        await upload_sessions.remove(transaction, row)


def _row(project_id: str, body: UploadSessionCreation, folder_id: str | None) -> UploadSession:
    wish = {
        "title": body.title,
        "description": body.description,
        "public": body.public,
        "tags": body.tags,
        "meta": pairs(body.metadata) if body.metadata is not None else None,
        "folder_id": folder_id,
    }
    now = clock.now()
    return UploadSession(
        id=ids.new("us"),
        project_id=project_id,
        state="waiting",
        max_bytes=body.max_bytes,
        max_duration_s=body.max_duration,
        types=list(dict.fromkeys(body.types)),
        origin=body.origin,
        wish={name: value for name, value in wish.items() if value is not None},
        passthrough=body.passthrough,
        expires_at=now + timedelta(seconds=body.ttl),
        created_at=now,
    )


async def _find(transaction: Transaction, call: Call, session_id: str) -> UploadSession:
    """Raises Problem."""
    row = await upload_sessions.get(transaction, call.project_id, session_id)
    if row is None:
        raise Problem("resource-not-found", name="uploadSessionId")
    return row


async def _told(transaction: Transaction, rows: Sequence[UploadSession]) -> list[UploadSessionAnswer]:
    found = await upload_sessions.statuses(transaction, rows)
    return [_answer(row, found[row.id]) for row in rows]


def _answer(row: UploadSession, status: Status) -> UploadSessionAnswer:
    return UploadSessionAnswer(
        upload_session_id=row.id,
        state=status.state,
        video_id=row.video_id,
        error=VideoError(**status.error) if status.error else None,
        max_bytes=row.max_bytes,
        max_duration=row.max_duration_s,
        types=row.types,
        origin=row.origin,
        title=row.wish.get("title"),
        tags=row.wish.get("tags", []),
        metadata=[Metadata(**pair) for pair in row.wish.get("meta", [])],
        folder_id=row.wish.get("folder_id"),
        passthrough=row.passthrough,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
