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
from itertools import takewhile

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
LOOKED_AT = 500  # events at once: some milliseconds
REST = timedelta(hours=1)  # once all that is old was looked at

_LATER, _NEWER = aliased(Event), aliased(Event)


class EventAging:
    """Goes through the old events, some with each `look` and `sweep`, and begins anew after a REST."""

    def __init__(self, kept: timedelta) -> None:
        self._kept = kept
        self._position = 0  # up to where it has looked
        self._next: datetime | None = None  # when it begins anew
        self._seen: list[int] = []  # positions of those that are looked at

    async def look(self, transaction: Transaction, now: datetime) -> bool:
        """At the next LOOKED_AT, as far as they are old; whether there are any."""
        self._seen = []
        if self._next is None or now >= self._next:
            self._seen = await _old(transaction, self._position, now - self._kept, now)
            if not self._seen:
                self._rest(now)
        return bool(self._seen)

    async def sweep(self, transaction: Transaction, now: datetime) -> bool:
        """Removes what of those need not be kept; whether there are more to look at."""
        await _remove(transaction, self._seen[0], self._seen[-1], now - self._kept)
        self._position = self._seen[-1]
        more = len(self._seen) == LOOKED_AT
        if not more:
            self._rest(now)
        return more

    def _rest(self, now: datetime) -> None:
        self._position, self._next = 0, now + REST


async def _old(transaction: Transaction, position: int, before: datetime, now: datetime) -> list[int]:
    """Positions after this one, up to the first of what happened later or is waited for by a delivery.

    Without regard to their time they are found by their number alone: there is no index of times. What is said to
    have happened in the future, by a clock that was wrong, is no end.
    """
    query = select(Event.position, Event.created_at).where(Event.position > position)
    needed = await _first_needed(transaction)
    if needed is not None:
        query = query.where(Event.position < needed)
    rows = await transaction.execute(query.order_by(Event.position).limit(LOOKED_AT))
    return [at for at, _ in takewhile(lambda row: row[1] < before or row[1] > now, rows)]


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


async def _remove(transaction: Transaction, first: int, last: int, before: datetime) -> None:
    """Those from the first to the last position that are old and that nobody counts on."""
    later = exists().where(_LATER.object_id == Event.object_id, _LATER.sequence > Event.sequence)
    newer = exists().where(_NEWER.project_id == Event.project_id, _NEWER.position > Event.position)
    await transaction.execute(
        delete(Event)
        .where(Event.position >= first, Event.position <= last, Event.created_at < before)
        .where(newer, or_(later, Event.type.in_(ENDS)))
        .execution_options(synchronize_session=False)
    )
