"""What projects use: counted by the day, in the transaction of the fact; delivered bytes in memory, and from there now
and then, as they come with each request.

    delivered   bytes of answers to those who watch, with their headers; written every minute (server/app/sweeping) and
                at the end, so that a kill -9 loses those of a minute at most
    encoded     the length of each picture or sound that was encoded, when it is whole
    live        the time on air, when it is over
    stored      bytes of all that is kept of videos and beside them (catalog.stored); now, not by the day

Nothing of sandbox projects counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from server.catalog.database import Transaction
from server.catalog.models import Project
from server.catalog.usage_models import UsageDay

AT_ONCE = 500  # projects whose bytes are written down in one transaction

Key = tuple[str, str]  # project, day


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one day."""

    day: date
    delivered_bytes: int = 0
    encoded_ms: int = 0
    live_ms: int = 0


class Delivered:
    """Bytes that are not yet written down. One for each process."""

    def __init__(self) -> None:
        self._bytes: dict[Key, int] = {}

    def count(self, project_id: str, sent: int, now: datetime) -> None:
        key = (project_id, _day(now))
        self._bytes[key] = self._bytes.get(key, 0) + sent

    @property
    def waiting(self) -> int:
        """Bytes."""
        return sum(self._bytes.values())

    async def write(self, transaction: Transaction, _now: datetime) -> None:
        """Some of it, the longest waiting first; it is forgotten here when that is committed."""
        written = dict(list(self._bytes.items())[:AT_ONCE])
        for (project_id, day), sent in written.items():
            row = await _row(transaction, project_id, day)
            if row is not None:
                row.delivered_bytes += sent
        transaction.after_commit(lambda: self._forget(written))

    def _forget(self, written: dict[Key, int]) -> None:
        for key, sent in written.items():
            left = self._bytes.pop(key) - sent
            if left:
                self._bytes[key] = left


async def encoded(transaction: Transaction, project_id: str, duration_s: float, now: datetime) -> None:
    row = await _row(transaction, project_id, _day(now))
    if row is not None:
        row.encoded_ms += round(duration_s * 1000)


async def on_air(transaction: Transaction, project_id: str, began: datetime, ended: datetime) -> None:
    """It counts for the day on which it ended."""
    row = await _row(transaction, project_id, _day(ended))
    if row is not None:
        row.live_ms += max(round((ended - began).total_seconds() * 1000), 0)


async def days(transaction: Transaction, project_id: str, first: date, last: date) -> Sequence[Usage]:
    """Those on which something was used, in their order."""
    rows = await transaction.scalars(
        select(UsageDay)
        .where(UsageDay.project_id == project_id, UsageDay.day.between(first.isoformat(), last.isoformat()))
        .order_by(UsageDay.day)
    )
    return [Usage(date.fromisoformat(row.day), row.delivered_bytes, row.encoded_ms, row.live_ms) for row in rows]


async def _row(transaction: Transaction, project_id: str, day: str) -> UsageDay | None:
    """None: the project is gone, or a sandbox."""
    row = await transaction.get(UsageDay, (project_id, day))
    project = await transaction.get(Project, project_id) if row is None else None
    if project is not None and not project.sandbox:
        row = UsageDay(project_id=project_id, day=day, delivered_bytes=0, encoded_ms=0, live_ms=0)
        transaction.add(row)
        await transaction.flush()
    return row


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
