"""File requests: pages on which others upload into a project, without an account or a key."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from server.catalog import file_requests, libraries
from server.catalog.database import Transaction
from server.catalog.sharing_models import FileRequest
from server.web.kinescope import file_request_page
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.locations import location
from server.web.kinescope.paging import PageQuery, listed
from server.web.kinescope.shapes import DONE, Answer, Body, Changes, Data, Done, GivenId, Id, Listed, Moment
from server.web.kinescope.values import REFUSED, Name, Note, made, there
from server.web.shapes import ABSENT, DateTime
from server.web.typed import Call

READ, WRITE = "upload-tokens:read", "upload-tokens:write"

operations = kinescope_operations("File requests")

Place = Annotated[GivenId | None, Field(description="The project or the folder that its videos are put into.")]
Expiry = Annotated[DateTime | None, Field(description="Null: it is open until it is put away.")]


def _switch(value: Any) -> Any:
    return {"true": True, "false": False, "1": True, "0": False}.get(value, value) if isinstance(value, str) else value


class RequestCreation(Body):
    title: Name
    description: Note = ""
    uploading_location_id: Place = None
    expired_at: Expiry = None


class RequestChanges(Changes):
    title: Name = ABSENT
    description: Note = ABSENT
    uploading_location_id: Place = ABSENT
    expired_at: Expiry = ABSENT
    archived: bool = ABSENT


class RequestAnswer(Answer):
    id: Id
    workspace_id: Id
    title: str
    name: Annotated[str, Field(description="The title again.")]
    description: str
    uploading_location_id: Id
    link: Annotated[str, Field(description="The page to send to those who are to upload.")]
    expired_at: Moment | None
    created_by: None = None
    created_at: Moment
    updated_at: Moment
    archived_at: Moment | None
    user_count: Annotated[int, Field(description="Always 0: who uploads is not asked for a name.")] = 0
    media_count: Annotated[int, Field(description="Files that came whole since it was opened last.")]


class RequestQuery(PageQuery):
    SORTABLE: ClassVar[Mapping[str, str]] = {"name": "name"}
    DEFAULT: ClassVar[Sequence[tuple[str, str]]] = (("name", "asc"),)

    archived: Annotated[bool | None, BeforeValidator(_switch), Field(description="Those that are put away.")] = None


@operations.get("/v1/file-requests", "List file requests", scope=READ)
async def list_all(call: Call, query: RequestQuery) -> Listed[RequestAnswer]:
    async with call.services.database.read() as transaction:
        page = await file_requests.page(transaction, call.project_id, query.archived, query.paging())
        counts = await file_requests.files(transaction, page.rows)
    return listed(query, page, [_answer(call, row, counts[row.id]) for row in page.rows])


@operations.post(
    "/v1/file-requests", "Make a file request", scope=WRITE, errors=REFUSED, example={"title": "Your videos"}
)
async def create(call: Call, body: RequestCreation) -> Data[RequestAnswer]:
    """`link` in the answer leads to its page."""
    async with call.services.database.write() as transaction:
        place = await location(transaction, call, body.uploading_location_id, "uploading_location_id")
        row = FileRequest(
            project_id=call.project_id, title=body.title, description=body.description, location_id=place,
            expires_at=body.expired_at,
        )  # fmt: skip
        with made("title"):
            await file_requests.add(transaction, row)
    return Data(data=_answer(call, row, 0))


@operations.get("/v1/file-requests/{file_request_id}", "Show a file request", scope=READ)
async def show(call: Call, file_request_id: str) -> Data[RequestAnswer]:
    async with call.services.database.read() as transaction:
        return await _shown(transaction, call, await _find(transaction, call, file_request_id))


@operations.put(
    "/v1/file-requests/{file_request_id}", "Change a file request", scope=WRITE, example={"archived": False}
)
async def change(call: Call, file_request_id: str, body: RequestChanges) -> Data[RequestAnswer]:
    """What is left out stays as it is. Its page is closed while it is put away, and when it has expired."""
    given = body.model_fields_set
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, file_request_id)
        place = row.location_id
        if "uploading_location_id" in given:
            place = await location(transaction, call, body.uploading_location_id, "uploading_location_id")
        if "description" in given:
            row.description = body.description
        await file_requests.change(
            transaction, row,
            title=body.title if "title" in given else row.title,
            location_id=place,
            expires_at=body.expired_at if "expired_at" in given else row.expires_at,
            archived=body.archived if "archived" in given else row.archived_at is not None,
        )  # fmt: skip
        return await _shown(transaction, call, row)


@operations.delete("/v1/file-requests/{file_request_id}", "Delete a file request", scope=WRITE)
async def delete(call: Call, file_request_id: str) -> Done:
    """What was uploaded stays."""
    async with call.services.database.write() as transaction:
        await file_requests.remove(transaction, await _find(transaction, call, file_request_id))
    return DONE


async def _find(transaction: Transaction, call: Call, request_id: str) -> FileRequest:
    return there(await file_requests.get(transaction, call.project_id, request_id), "file_request_id")


async def _shown(transaction: Transaction, call: Call, row: FileRequest) -> Data[RequestAnswer]:
    counts = await file_requests.files(transaction, [row])
    return Data(data=_answer(call, row, counts[row.id]))


def _answer(call: Call, row: FileRequest, files: int) -> RequestAnswer:
    return RequestAnswer(
        id=row.id,
        workspace_id=row.project_id,
        title=row.title,
        name=row.title,
        description=row.description,
        uploading_location_id=row.location_id or libraries.default_id(row.project_id),
        link=call.base_url + file_request_page.path(row.id, call.services.credentials),
        expired_at=row.expires_at,
        created_at=row.created_at,
        updated_at=row.updated_at or row.created_at,
        archived_at=row.archived_at,
        media_count=files,
    )
