"""How long events are kept, and which of the old ones stay all the same.

    kept longer    why
    newest of its object, unless it says that the object is gone
                   the next one of the object counts on from it
    newest of its project
                   a reader who has had everything goes on from it
    one that a delivery is of, also one that has ended and may be redelivered, and whatever came after that one
                   the endpoint is told what happened, not that something did
    those that are not deliveries yet
                   likewise
"""

import re
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.orm import aliased

from server.catalog import deliveries, event_names
from server.catalog.database import Transaction
from server.catalog.models import Event
from server.catalog.webhook_models import Delivery, Webhook

# After these nothing happens to the object any more.
ENDS = (
    *(name for name in event_names.NAMES if re.fullmatch(r"[a-z-]+\.(deleted|erased|revoked)", name)),
    event_names.VERSION + "erased", "upload.uploaded", "upload.aborted", "upload.expired", "upload-session.expired",
    "broadcast.recorded",
)  # fmt: skip
LOOKED_AT = 500  # events in one transaction: some milliseconds
REST = timedelta(hours=1)  # once all that is old was looked at

_LATER, _NEWER = aliased(Event), aliased(Event)


class EventAging:
    """Goes through the old events, some with each `sweep`, and begins anew after a REST."""

    def __init__(self, kept: timedelta) -> None:
        self._kept = kept
        self._position = 0  # up to where it has looked
        self._next: datetime | None = None  # when it begins anew

    async def sweep(self, transaction: Transaction, now: datetime) -> bool:
        """Removes what of the next LOOKED_AT need not be kept; whether there are more to look at."""
        if self._next is not None and now < self._next:
            return False
        seen = await _old(transaction, self._position, now - self._kept)
        self._position = seen[-1] if seen else 0
        if seen:
            await _remove(transaction, seen[0], seen[-1])
        more = len(seen) == LOOKED_AT
        self._next = None if more else now + REST
        if not more:
            self._position = 0
        return more


async def _old(transaction: Transaction, position: int, before: datetime) -> list[int]:
    """Positions after this one, of what happened before and is not waited for by a delivery."""
    query = select(Event.position).where(Event.position > position, Event.created_at < before)
    needed = await _first_needed(transaction)
    if needed is not None:
        query = query.where(Event.position < needed)
    return list(await transaction.scalars(query.order_by(Event.position).limit(LOOKED_AT)))


async def _first_needed(transaction: Transaction) -> int | None:
    """The first event that a delivery is of, or may yet become of; None: there is no endpoint."""
    of_webhook = select(func.min(Delivery.position)).where(Delivery.webhook_id == Webhook.id).scalar_subquery()
    found = await transaction.execute(select(func.min(of_webhook), func.min(Webhook.since)))
    delivered, since = found.one()
    if since is None:
        return None
    fanned_out = max(await deliveries.cursor(transaction), since)
    first: int = min(fanned_out + 1, fanned_out + 1 if delivered is None else delivered)
    return first


async def _remove(transaction: Transaction, first: int, last: int) -> None:
    """Those from the first to the last position that nobody counts on."""
    later = exists().where(_LATER.object_id == Event.object_id, _LATER.sequence > Event.sequence)
    newer = exists().where(_NEWER.project_id == Event.project_id, _NEWER.position > Event.position)
    await transaction.execute(
        delete(Event)
        .where(Event.position >= first, Event.position <= last, newer, or_(later, Event.type.in_(ENDS)))
        .execution_options(synchronize_session=False)
    )
