"""Endpoints that are told of events."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from server import clock
from server.catalog import events, listing
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.webhook_models import Webhook

SORT_COLUMNS = {"createdAt": Webhook.created_at}


async def add(transaction: Transaction, row: Webhook) -> Webhook:
    """It is told of what happens from now on."""
    row.since = await events.newest(transaction)
    transaction.add(row)
    await transaction.flush()
    await tell(transaction, row, "created")
    return row


async def get(transaction: Transaction, project_id: str, webhook_id: str) -> Webhook | None:
    found = await transaction.get(Webhook, webhook_id)
    return found if found is not None and found.project_id == project_id else None


async def find(transaction: Transaction, webhook_id: str) -> Webhook | None:
    """Of whatever project: for sending."""
    return await transaction.get(Webhook, webhook_id)


async def count(transaction: Transaction, project_id: str) -> int:
    return await transaction.scalar(
        select(func.count()).select_from(Webhook).where(Webhook.project_id == project_id)
    ) or 0  # fmt: skip


async def all_rows(transaction: Transaction) -> list[Webhook]:
    """Of every project."""
    return list(await transaction.scalars(select(Webhook).order_by(Webhook.created_at, Webhook.id)))


async def page(
    transaction: Transaction, project_id: str, paging: Paging, event: str | None = None, format: str | None = None
) -> Page[Webhook]:
    """Newest first unless told otherwise; `event` is one of those that are asked for, as it was given."""
    query = select(Webhook).where(Webhook.project_id == project_id)
    if format is not None:
        query = query.where(Webhook.format == format)
    if event is not None:
        rows = await transaction.scalars(query)  # a project has few
        query = query.where(Webhook.id.in_([row.id for row in rows if event in row.events]))
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, Webhook.created_at, Webhook.id)


async def remove(transaction: Transaction, row: Webhook) -> None:
    """Its deliveries go too."""
    await transaction.delete(row)
    await tell(transaction, row, "deleted")


async def rotate(transaction: Transaction, row: Webhook, secret: str, until: datetime) -> None:
    """The new secret holds from now on, the old one with it until then."""
    row.old_secret, row.old_secret_until, row.secret = row.secret, until, secret
    await tell(transaction, row, "secret.rotated", oldSecretUntil=until.isoformat(timespec="seconds"))


async def disable(transaction: Transaction, row: Webhook, reason: str) -> None:
    if row.disabled_at is None:
        row.disabled_at, row.disabled_reason = clock.now(), reason
        await tell(transaction, row, "disabled", reason=reason)


async def enable(transaction: Transaction, row: Webhook) -> None:
    if row.disabled_at is not None:
        row.disabled_at, row.disabled_reason, row.failures, row.failing_since = None, None, 0, None
        await tell(transaction, row, "enabled")


async def tell(transaction: Transaction, row: Webhook, what: str, **payload: Any) -> None:
    await events.record(transaction, row.project_id, row.id, f"webhook.{what}", {"webhookId": row.id, **payload})
