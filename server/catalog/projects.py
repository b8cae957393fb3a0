"""Projects: the tenants. The default one is the organisation's own."""

from collections.abc import Sequence

from sqlalchemy import Table, delete, exists, select

from server.catalog import events, listing
from server.catalog.access_models import AuditEntry, StoredAnswer
from server.catalog.control_models import PlaybackSession, PlaybackTotal
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import DEFAULT_PROJECT, ApiKey, Base, Event, Import, Job, Project, RevokedToken
from server.catalog.oauth_models import OAuthGrant
from server.catalog.upload_models import PartialUpload
from server.catalog.usage_models import UsageDay

SORT_COLUMNS = {"name": Project.name, "createdAt": Project.created_at}

# Rows that tell of what a project had, or open it, and don't keep it from going. A grant is of the project's key, maybe
# to an app of another project; its tokens are good no more without the key.
TRACES: Sequence[type[Base]] = (
    StoredAnswer, RevokedToken, Event, Import, Job, OAuthGrant, ApiKey, UsageDay, PlaybackSession, PlaybackTotal,
)  # fmt: skip
UNDER_WAY = "jobs_under_way"  # among the contents: files of what was deleted may have to go yet


async def add(transaction: Transaction, project: Project) -> Project:
    transaction.add(project)
    await transaction.flush()
    await _tell(transaction, project, "created")
    return project


async def get(transaction: Transaction, project_id: str) -> Project | None:
    return await transaction.get(Project, project_id)


async def page(transaction: Transaction, paging: Paging, only: str | None = None) -> Page[Project]:
    """Of all, or the one; newest first unless told otherwise."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    query = select(Project) if only is None else select(Project).where(Project.id == only)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, Project.created_at, Project.id)


async def rename(transaction: Transaction, project: Project, name: str) -> None:
    project.name = name
    await _tell(transaction, project, "updated")


async def contents(transaction: Transaction, project: Project) -> list[str]:
    """Names of the tables that have something of the project; traces, what goes with something else, and the audit
    log, which stays, left out. Jobs that have not ended are UNDER_WAY."""
    traces = {AuditEntry.__tablename__, *(model.__tablename__ for model in TRACES)}
    found = []
    for table in Base.metadata.sorted_tables:
        if "project_id" not in table.c or table.name in traces or _goes_along(table):
            continue
        if await transaction.scalar(select(exists().where(table.c.project_id == project.id))):
            found.append(table.name)
    if await transaction.scalar(select(exists().where(Job.project_id == project.id, Job.finished_at.is_(None)))):
        found.append(UNDER_WAY)
    return found


def _goes_along(table: Table) -> bool:
    """With something else of the same project; a partial upload goes with what it is joined to, if ever it is."""
    return table.name != PartialUpload.__tablename__ and any(key.ondelete == "CASCADE" for key in table.foreign_keys)


async def remove(transaction: Transaction, project: Project) -> None:
    """One that `contents` found nothing of; its traces go with it.

    The default project is told: positions of events go on from the newest one, which must not be among those that go.
    """
    payload = {"projectId": project.id, "name": project.name}
    await events.record(transaction, DEFAULT_PROJECT, project.id, "project.deleted", payload)
    keys = list(await transaction.scalars(select(ApiKey.id).where(ApiKey.project_id == project.id)))
    for model in TRACES:
        table = Base.metadata.tables[model.__tablename__]
        await transaction.execute(delete(table).where(table.c.project_id == project.id))
    for key_id in keys:
        transaction.announce(key_id)  # a bulk statement tells nobody that its keys open nothing any more
    await transaction.delete(project)


async def _tell(transaction: Transaction, project: Project, what: str) -> None:
    payload = {"projectId": project.id, "name": project.name}
    await events.record(transaction, project.id, project.id, f"project.{what}", payload)
