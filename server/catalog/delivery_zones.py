"""How projects' videos reach their viewers. Of several zones of a project the oldest one counts."""

from sqlalchemy import select

from server.catalog import events, limits
from server.catalog.database import Transaction
from server.catalog.sharing_models import DeliveryZone

MOST = 100  # of a project


async def add(transaction: Transaction, row: DeliveryZone) -> DeliveryZone:
    """Raises TooMany."""
    await limits.check(transaction, DeliveryZone.project_id, row.project_id, MOST, "zones")
    transaction.add(row)
    await transaction.flush()
    await tell(transaction, row, "created")
    return row


async def get(transaction: Transaction, project_id: str, zone_id: str) -> DeliveryZone | None:
    row = await transaction.get(DeliveryZone, zone_id)
    return row if row is not None and row.project_id == project_id else None


async def every(transaction: Transaction, project_id: str) -> list[DeliveryZone]:
    """The oldest first: the one that counts."""
    rows = select(DeliveryZone).where(DeliveryZone.project_id == project_id)
    return list(await transaction.scalars(rows.order_by(DeliveryZone.created_at, DeliveryZone.id)))


async def remove(transaction: Transaction, row: DeliveryZone) -> None:
    await transaction.delete(row)
    await tell(transaction, row, "deleted")


async def tell(transaction: Transaction, row: DeliveryZone, what: str) -> None:
    transaction.announce(row.project_id)  # what is kept of the project's zone is read again
    payload = {"deliveryZoneId": row.id, "name": row.name, "host": row.host}
    await events.record(transaction, row.project_id, row.id, f"delivery-zone.{what}", payload)
