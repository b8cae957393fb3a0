"""The audit log: who did what to which object."""

from typing import Annotated, Any, Literal

from pydantic import Field

from server import ids
from server.catalog import audit
from server.catalog.access_models import AuditEntry
from server.catalog.audit import Filter
from server.catalog.models import DEFAULT_PROJECT
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import Answer, DateTime, Moment
from server.web.typed import Call, Operations

operations = Operations("Audit log")


class AuditActor(Answer):
    type: Annotated[str, Field(description="api-key, upload-token, upload-session or command-line.")]
    api_key_id: str | None


class AuditEntryAnswer(Answer):
    entry_id: str
    created_at: Moment
    actor: AuditActor
    operation: Annotated[str, Field(description="The operationId in the OpenAPI document, or the command.")]
    request_id: str | None
    ip: str | None
    action: Annotated[str, Field(description="created, changed, deleted, or called: it changed no row.")]
    object_type: str | None
    object_id: str | None
    before: Annotated[dict[str, Any] | None, Field(description="What changed, or all of what was deleted.")]
    after: dict[str, Any] | None


class AuditList(Answer):
    data: list[AuditEntryAnswer]
    pagination: Pagination


class AuditQuery(PageQuery):
    object_id: str | None = None
    api_key_id: Annotated[str | None, Field(description="Who did it.")] = None
    operation: str | None = None
    action: Literal["created", "changed", "deleted", "called"] | None = None
    since: Annotated[DateTime | None, Field(alias="from", description="Not before this moment.")] = None
    until: Annotated[DateTime | None, Field(alias="to", description="Before this moment.")] = None
    sort_by: Literal["createdAt"] | None = None
    project_id: Annotated[str | None, Field(description="Another project's, with a key of the default project.")] = None


@operations.get("/audit", "List the audit log", scope="audit:read")
async def list_all(call: Call, query: AuditQuery) -> AuditList:
    """Newest first. Secrets are masked. Entries are kept for `auth.audit_days`, also those of deleted projects."""
    wanted = Filter(
        query.object_id, query.api_key_id, query.operation, [query.action] if query.action else (), query.since,
        query.until,
    )  # fmt: skip
    project_id = _project(call, query.project_id)
    async with call.services.database.read() as transaction:
        page = await audit.page(transaction, project_id, wanted, query.paging(query.sort_by))
    return AuditList(data=[_answer(row) for row in page.rows], pagination=pagination(call.request, page))


def _project(call: Call, text: str | None) -> str:
    """To others every other project is one that there is not, with nothing in its log."""
    if text is None:
        return call.project_id
    try:
        wanted = ids.canonical("pr", text)
    except ids.InvalidId:
        return ""
    return wanted if call.project_id in (wanted, DEFAULT_PROJECT) else ""


def _answer(row: AuditEntry) -> AuditEntryAnswer:
    return AuditEntryAnswer(
        entry_id=row.id,
        created_at=row.created_at,
        actor=AuditActor(type=row.actor, api_key_id=row.actor_id),
        operation=row.operation,
        request_id=row.request_id,
        ip=row.ip,
        action=row.action,
        object_type=row.object_type,
        object_id=row.object_id,
        before=row.before,
        after=row.after,
    )
