"""The events table: what happened, committed with the change itself."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from server.catalog.database import Transaction
from server.catalog.models import Event


async def record(
    transaction: Transaction, project_id: str, object_id: str, type: str, payload: Mapping[str, Any] | None = None
) -> Event:
    """Adds an event to the transaction that changes the object; its sequence is the object's next."""
    last = await transaction.scalar(select(func.max(Event.sequence)).where(Event.object_id == object_id))
    event = Event(
        project_id=project_id,
        object_id=object_id,
        sequence=(last or 0) + 1,
        type=type,
        payload=dict(payload or {}),
    )
    transaction.add(event)
    await transaction.flush()
    return event


async def of_object(transaction: Transaction, project_id: str, object_id: str) -> list[Event]:
    """All events of one object, oldest first."""
    rows = await transaction.scalars(
        select(Event).where(Event.project_id == project_id, Event.object_id == object_id).order_by(Event.sequence)
    )
    return list(rows)
