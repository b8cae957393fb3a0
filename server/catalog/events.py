"""The events table: what happened, committed with the change itself."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, or_, select

from server.catalog import event_names
from server.catalog.database import Transaction
from server.catalog.flushing import Addition
from server.catalog.models import Event
from server.catalog.prepared import Prepared

NO_EVENT = 2**63 - 1  # a position behind all that there will be

_ADD = Addition(Event)
_LAST: Prepared[int] = Prepared(
    select(func.max(Event.sequence)).where(Event.object_id == bindparam("object_id"))
)
_OF_PROJECT = select(Event).where(Event.project_id == bindparam("project_id"))
_OLDEST_FIRST: Prepared[Event] = Prepared(
    _OF_PROJECT.where(Event.position > bindparam("position")).order_by(Event.position).limit(bindparam("limit"))
)
_NEWEST_FIRST: Prepared[Event] = Prepared(
    _OF_PROJECT.where(Event.position < bindparam("position")).order_by(Event.position.desc()).limit(bindparam("limit"))
)


async def record(
    transaction: Transaction, project_id: str, object_id: str, type: str, payload: Mapping[str, Any] | None = None
) -> Event:
    """Adds an event to the transaction that changes the object; its sequence is the object's next."""
    if not event_names.known(type):  # no reason to lose the fact
        warnings.warn(f"{type} is not in event_names.NAMES", RuntimeWarning, stacklevel=2)
    last = await _LAST.one(transaction, object_id=object_id)
    event = Event(
        project_id=project_id,
        object_id=object_id,
        sequence=(last or 0) + 1,
        type=type,
        payload=dict(payload or {}),
    )
    await _ADD.add(transaction, event)
    return event


async def after(transaction: Transaction, position: int, limit: int) -> list[Event]:
    """What happened next, of every project, in the order of the commits."""
    rows = await transaction.scalars(
        select(Event).where(Event.position > position).order_by(Event.position).limit(limit)
    )
    return list(rows)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader wants; all of it must hold. `types` are names or patterns, with `*`."""

    types: Sequence[str] = ()
    object_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def page(
    transaction: Transaction, project_id: str, wanted: Wanted, position: int | None, limit: int,
    descending: bool = False,
) -> list[Event]:  # fmt: skip
    """Those behind the position, in the order that is asked for; None: from that order's beginning."""
    feed = _NEWEST_FIRST if descending else _OLDEST_FIRST
    if position is None:
        position = NO_EVENT if descending else -1
    parameters = {"project_id": project_id, "position": position, "limit": limit}
    if wanted == Wanted():
        return await feed.all(transaction, **parameters)
    query = feed.statement
    if wanted.types:
        query = query.where(or_(*(Event.type.like(_like(each), escape="\\") for each in wanted.types)))
    if wanted.object_id is not None:
        query = query.where(Event.object_id == wanted.object_id)
    if wanted.since is not None:
        query = query.where(Event.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(Event.created_at <= wanted.until)
    return list(await transaction.scalars(query, parameters))


def _like(pattern: str) -> str:
    for character in ("\\", "%", "_"):
        pattern = pattern.replace(character, "\\" + character)
    return pattern.replace("*", "%")


async def get(transaction: Transaction, project_id: str, event_id: str) -> Event | None:
    found: Event | None = await transaction.scalar(
        select(Event).where(Event.project_id == project_id, Event.id == event_id)
    )
    return found


async def newest(transaction: Transaction) -> int:
    """The position of the last one, of whatever project; 0: none yet."""
    return await transaction.scalar(select(func.max(Event.position))) or 0


async def of_object(transaction: Transaction, project_id: str, object_id: str) -> list[Event]:
    """All events of one object, oldest first."""
    rows = await transaction.scalars(
        select(Event).where(Event.project_id == project_id, Event.object_id == object_id).order_by(Event.sequence)
    )
    return list(rows)
