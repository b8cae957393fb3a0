"""Events on their way to endpoints.

The deliveries of one object to one endpoint that are `in_line` make a line, by the sequence of their events: at most
one of it is due or being tried, and `move_up` lets the first of the others go once there is none.

They are written by statements, not as objects: ids of ten thousand deliveries are no news for other processes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import aliased

from server import clock, ids
from server.catalog import listing
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import Event, Setting
from server.catalog.webhook_models import Delivery, Webhook

WORD = "deliveries"  # what `announce` says to wake senders
LOG_ENTRIES = 20  # attempts that are kept of a delivery
ENDED = ("delivered", "dead")
OPEN = ("pending", "retrying")
CURSOR = "webhooks_position"  # the setting: the last event that was made into deliveries
SORT_COLUMNS = {"createdAt": Delivery.created_at}
OBJECTS_AT_ONCE = 500  # bound parameters of a statement

_OTHER, _FIRST = aliased(Delivery), aliased(Delivery)  # of the same line; making them anew costs 2 ms


@dataclass(frozen=True, slots=True)
class Filter:
    state: str | None = None
    object_id: str | None = None
    type: str | None = None


# --- from events to deliveries


async def cursor(transaction: Transaction) -> int:
    row = await transaction.get(Setting, CURSOR)
    return int(row.value) if row is not None else 0


async def advance(transaction: Transaction, position: int) -> None:
    row = await transaction.get(Setting, CURSOR)
    if row is None:
        transaction.add(Setting(name=CURSOR, value=str(position)))
    else:
        row.value = str(position)


async def add_all(transaction: Transaction, found: Sequence[tuple[Webhook, Event]], now: datetime) -> None:
    """In the order of their events; for an endpoint that is disabled they are dead from the start."""
    rows = []
    for webhook, event in found:
        state: dict[str, Any] = {"state": "pending", "in_line": True, "ended_at": None}
        if webhook.disabled_at is not None:
            state = {"state": "dead", "in_line": False, "ended_at": now}
        rows.append(_columns(webhook, event, now) | state)
    if rows:
        await transaction.execute(insert(Delivery), rows)
    touched: dict[str, set[str]] = {}
    for webhook, event in found:
        if webhook.disabled_at is None:
            touched.setdefault(webhook.id, set()).add(event.object_id)
    for webhook_id, objects in touched.items():
        await move_up(transaction, webhook_id, now, objects)


async def add_ping(transaction: Transaction, webhook: Webhook, event: Event, now: datetime) -> Delivery:
    """Beside every line, to be tried once and at once, also where the endpoint is disabled."""
    row = Delivery(**_columns(webhook, event, now) | {"state": "pending", "in_line": False, "due_at": now})
    transaction.add(row)
    transaction.announce(WORD)
    await transaction.flush()
    return row


def _columns(webhook: Webhook, event: Event, now: datetime) -> dict[str, Any]:
    return {
        "id": ids.new("de"), "webhook_id": webhook.id, "project_id": event.project_id, "position": event.position,
        "object_id": event.object_id, "sequence": event.sequence, "type": event.type, "due_at": None, "failures": 0,
        "attempts": 0, "log": [], "created_at": now,
    }  # fmt: skip


async def move_up(
    transaction: Transaction, webhook_id: str, now: datetime, objects: Collection[str] | None = None
) -> None:
    """Where nothing of a line is due or being tried, its first is; of these objects, or of all."""
    if objects is not None and len(objects) > OBJECTS_AT_ONCE:
        some = sorted(objects)
        for at in range(0, len(some), OBJECTS_AT_ONCE):
            await move_up(transaction, webhook_id, now, some[at : at + OBJECTS_AT_ONCE])
        return
    mine = [Delivery.webhook_id == webhook_id, Delivery.in_line]
    if objects is not None:
        mine.append(Delivery.object_id.in_(objects))
    same = and_(_OTHER.webhook_id == webhook_id, _OTHER.in_line, _OTHER.object_id == Delivery.object_id)
    least = (
        select(func.min(_FIRST.sequence))
        .where(_FIRST.webhook_id == webhook_id, _FIRST.in_line, _FIRST.object_id == Delivery.object_id)
        .scalar_subquery()
    )
    await transaction.execute(
        update(Delivery)
        .where(
            *mine,
            Delivery.sequence == least,
            ~exists().where(same, or_(_OTHER.due_at.is_not(None), _OTHER.worker.is_not(None))),
        )
        .values(due_at=now)
        .execution_options(synchronize_session=False)
    )


# --- attempts


async def due(transaction: Transaction) -> Mapping[str, datetime]:
    """When each endpoint has the next to try, of those that have one."""
    rows = await transaction.execute(
        select(Delivery.webhook_id, func.min(Delivery.due_at))
        .where(Delivery.due_at.is_not(None))
        .group_by(Delivery.webhook_id)
    )
    return {webhook_id: at for webhook_id, at in rows if at is not None}


async def claim(
    transaction: Transaction, webhook_id: str, worker: str, now: datetime, until: datetime, limit: int
) -> list[tuple[Delivery, Event]]:
    """Those that are due, the earliest first: the worker's until then."""
    rows = await transaction.execute(
        select(Delivery, Event)
        .join(Event, Event.position == Delivery.position)
        .where(Delivery.webhook_id == webhook_id, Delivery.due_at <= now)
        .order_by(Delivery.due_at, Delivery.position)
        .limit(limit)
    )
    found = [(delivery, event) for delivery, event in rows]
    await transaction.execute(
        update(Delivery)
        .where(Delivery.id.in_([delivery.id for delivery, _ in found]))
        .values(worker=worker, leased_until=until, due_at=None)
        .execution_options(synchronize_session=False)
    )
    return found


async def held(transaction: Transaction, delivery_ids: Collection[str], worker: str) -> list[Delivery]:
    """Those of them that are still the worker's, as they are now."""
    rows = select(Delivery).where(Delivery.id.in_(delivery_ids), Delivery.worker == worker)
    return list(await transaction.scalars(rows.execution_options(populate_existing=True)))


async def write(transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Columns by name, `id` among them."""
    if rows:
        await transaction.execute(update(Delivery), [dict(row) for row in rows])


async def workers(transaction: Transaction) -> set[str]:
    """Who is at some."""
    rows = await transaction.scalars(select(Delivery.worker).where(Delivery.worker.is_not(None)).distinct())
    return {row for row in rows if row is not None}


async def give_back(transaction: Transaction, dead: Collection[str], now: datetime) -> int:
    """What processes that died, or froze, were at is due again; how many."""
    result = await transaction.execute(
        update(Delivery)
        .where(
            Delivery.worker.is_not(None), or_(Delivery.worker.in_(dead), Delivery.leased_until < now)
        )
        .values(worker=None, leased_until=None, due_at=now)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    return _count(result)


async def bury(transaction: Transaction, webhook_id: str, now: datetime) -> None:
    """Everything that is on its way is dead; what is being tried ends by itself."""
    await transaction.execute(
        update(Delivery)
        .where(Delivery.webhook_id == webhook_id, Delivery.state.in_(OPEN), Delivery.worker.is_(None))
        .values(state="dead", in_line=False, due_at=None, ended_at=now)
        .execution_options(synchronize_session=False)
    )


async def prune(transaction: Transaction, before: datetime, limit: int) -> int:
    """Removes those that ended before; how many."""
    old = select(Delivery.id).where(Delivery.ended_at < before).limit(limit)
    found = list(await transaction.scalars(old))
    await transaction.execute(delete(Delivery).where(Delivery.id.in_(found)))
    return len(found)


# --- for those who look


async def get(transaction: Transaction, webhook_id: str, delivery_id: str) -> Delivery | None:
    found = await transaction.get(Delivery, delivery_id)
    return found if found is not None and found.webhook_id == webhook_id else None


async def page(transaction: Transaction, webhook_id: str, wanted: Filter, paging: Paging) -> Page[Delivery]:
    """Newest first unless told otherwise."""
    query = select(Delivery).where(Delivery.webhook_id == webhook_id)
    for column, value in (
        (Delivery.state, wanted.state), (Delivery.object_id, wanted.object_id), (Delivery.type, wanted.type),
    ):  # fmt: skip
        if value is not None:
            query = query.where(column == value)
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, Delivery.created_at, Delivery.position)


async def event_ids(transaction: Transaction, rows: Sequence[Delivery]) -> Mapping[int, str]:
    """By position."""
    positions = [row.position for row in rows]
    found = await transaction.execute(select(Event.position, Event.id).where(Event.position.in_(positions)))
    return {row.position: row.id for row in found}


async def redeliver(transaction: Transaction, row: Delivery, now: datetime) -> None:
    """At once and beside its line, if it has ended; one that waits for its next attempt has it now."""
    if row.state in ENDED:
        row.state, row.in_line, row.due_at, row.ended_at = "pending", False, now, None
        row.failures, row.failing_since = 0, None
    elif row.due_at is not None:
        row.due_at = now
    transaction.announce(WORD)
    await transaction.flush()


async def redeliver_range(
    transaction: Transaction, webhook_id: str, states: Collection[str], first: datetime, last: datetime, now: datetime
) -> int:
    """Those that were made in the time and ended so, in their lines again; how many."""
    events_of = select(Event.position).where(Event.created_at >= first, Event.created_at <= last)
    result = await transaction.execute(
        update(Delivery)
        .where(
            Delivery.webhook_id == webhook_id, Delivery.state.in_(states), Delivery.position.in_(events_of),
            Delivery.type != "webhook.ping",
        )
        .values(state="pending", in_line=True, due_at=None, ended_at=None, failures=0, failing_since=None)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    await move_up(transaction, webhook_id, now)
    transaction.announce(WORD)
    return _count(result)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is on its way, and how long it has been."""

    waiting: Mapping[str, int]  # by state
    oldest: datetime | None

    @property
    def age_s(self) -> float:
        return 0.0 if self.oldest is None else (clock.now() - self.oldest).total_seconds()


async def backlog(transaction: Transaction) -> Backlog:
    rows = await transaction.execute(
        select(Delivery.state, func.count(), func.min(case((Delivery.state.in_(OPEN), Delivery.created_at))))
        .where(Delivery.state.in_((*OPEN, "dead")))
        .group_by(Delivery.state)
    )
    found = [(state, number, oldest) for state, number, oldest in rows]
    return Backlog(
        {state: number for state, number, _ in found}, min((at for *_, at in found if at is not None), default=None)
    )


def _count(result: Any) -> int:
    """Rows that a statement changed."""
    return int(result.rowcount)
