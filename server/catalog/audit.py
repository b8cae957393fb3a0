"""The audit log: who did what to which object, committed with the fact."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from server.catalog import changes, listing, removal
from server.catalog.access_models import AuditEntry
from server.catalog.changes import NOTED, Change
from server.catalog.database import Transaction
from server.catalog.flushing import Addition
from server.catalog.listing import Page, Paging
from server.catalog.undertakings import undertaking

CALLED = "called"
_ADD = Addition(AuditEntry)
SORT_COLUMNS = {"createdAt": AuditEntry.position}
# what follows from a change, and is told of elsewhere
UNAUDITED = frozenset(
    {
        "audit_entries", "deliveries", "events", "imports", "jobs", "partial_uploads", "playback_events",
        "playback_sessions", "playback_totals", "renditions", "settings", "stored_answers", "uploads", "usage_days",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Actor:
    """Who calls, and what."""

    kind: str  # api-key | upload-token | upload-session | command-line
    operation: str
    project_id: str | None = None
    id: str | None = None
    request_id: str | None = None
    ip: str | None = None


@dataclass(slots=True)
class Log:
    """What is written down of one call."""

    actor: Actor
    written: int = field(default=0)

    async def watch(self, transaction: Transaction) -> None:
        transaction.info[NOTED] = {}

    async def write(self, transaction: Transaction) -> None:
        """The changes of the transaction, as its last statements."""
        found = await self._changes(transaction)
        del transaction.info[NOTED]
        await _ADD.add(transaction, *(self._entry(one) for one in found))
        self.written += len(found)

    async def called(self, transaction: Transaction, object_id: str | None) -> None:
        """That the call was made, where it changed no row."""
        if not self.written and not await self._changes(transaction):
            await _ADD.add(transaction, self._entry(Change("", object_id or "", None, CALLED, None, None)))
            self.written += 1

    async def _changes(self, transaction: Transaction) -> list[Change]:
        await transaction.flush()
        notes = transaction.info[NOTED]
        for row, names in changes.unread(notes):
            await transaction.refresh(row, names)
        return [one for one in changes.told(notes) if one.table not in UNAUDITED]

    def _entry(self, change: Change) -> AuditEntry:
        actor = self.actor
        own = change.table == "projects"  # the organisation's affair
        return AuditEntry(
            project_id=actor.project_id if own or change.project_id is None else change.project_id,
            actor=actor.kind, actor_id=actor.id, operation=actor.operation, request_id=actor.request_id, ip=actor.ip,
            action=change.action, object_type=change.table or None, object_id=change.id or None,
            before=change.before, after=change.after,
        )  # fmt: skip


@asynccontextmanager
async def audited(actor: Actor) -> AsyncIterator[Log]:
    """What this task writes meanwhile is the actor's doing."""
    log = Log(actor)
    async with undertaking(log.watch, log.write):
        yield log


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; all of it must hold."""

    object_id: str | None = None
    actor_id: str | None = None
    operation: str | None = None
    actions: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None


async def page(transaction: Transaction, project_id: str, wanted: Filter, paging: Paging) -> Page[AuditEntry]:
    """Newest first unless told otherwise."""
    query = select(AuditEntry).where(AuditEntry.project_id == project_id)
    for column, value in (
        (AuditEntry.object_id, wanted.object_id),
        (AuditEntry.actor_id, wanted.actor_id),
        (AuditEntry.operation, wanted.operation),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.actions:
        query = query.where(AuditEntry.action.in_(wanted.actions))
    if wanted.since is not None:
        query = query.where(AuditEntry.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.created_at < wanted.until)
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    return await listing.fetch(
        transaction, query, paging, SORT_COLUMNS, AuditEntry.position, AuditEntry.position
    )


async def sweep(transaction: Transaction, before: datetime) -> bool:
    """Removes some of those written before; whether there may be more."""
    return await removal.some(transaction, AuditEntry.position, AuditEntry.created_at < before)
