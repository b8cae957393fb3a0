"""Domains that a project's videos may be restricted to."""

from sqlalchemy import select

from server import clock
from server.catalog import events, limits
from server.catalog.database import Transaction
from server.catalog.limits import Taken
from server.catalog.sharing_models import PrivacyDomain

MOST = 1000  # of a project


async def add(transaction: Transaction, project_id: str, domain: str) -> PrivacyDomain:
    """Raises Taken, TooMany."""
    await limits.check(transaction, PrivacyDomain.project_id, project_id, MOST, "domains")
    if await _named(transaction, project_id, domain) is not None:
        raise Taken(domain)
    row = PrivacyDomain(project_id=project_id, domain=domain)
    transaction.add(row)
    await transaction.flush()
    await _tell(transaction, row, "created")
    return row


async def get(transaction: Transaction, project_id: str, domain_id: str) -> PrivacyDomain | None:
    row = await transaction.get(PrivacyDomain, domain_id)
    return row if row is not None and row.project_id == project_id else None


async def every(transaction: Transaction, project_id: str) -> list[PrivacyDomain]:
    """By their names."""
    rows = select(PrivacyDomain).where(PrivacyDomain.project_id == project_id).order_by(PrivacyDomain.domain)
    return list(await transaction.scalars(rows))


async def change(transaction: Transaction, row: PrivacyDomain, domain: str, archived: bool) -> None:
    """Raises Taken."""
    if domain != row.domain and await _named(transaction, row.project_id, domain) is not None:
        raise Taken(domain)
    row.domain, row.archived_at = domain, (row.archived_at or clock.now()) if archived else None
    await transaction.flush()
    await _tell(transaction, row, "updated")


async def remove(transaction: Transaction, row: PrivacyDomain) -> None:
    await transaction.delete(row)
    await _tell(transaction, row, "deleted")


async def _named(transaction: Transaction, project_id: str, domain: str) -> PrivacyDomain | None:
    found: PrivacyDomain | None = await transaction.scalar(
        select(PrivacyDomain).where(PrivacyDomain.project_id == project_id, PrivacyDomain.domain == domain)
    )
    return found


async def _tell(transaction: Transaction, row: PrivacyDomain, what: str) -> None:
    payload = {"privacyDomainId": row.id, "domain": row.domain}
    await events.record(transaction, row.project_id, row.id, f"privacy-domain.{what}", payload)
