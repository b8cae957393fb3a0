"""How long playback sessions are kept, and what players told in them; the plays of those that go stay in totals.

    gone             with them
    of a session     what its player told, some at a time: a day-long one has thousands of rows
    the session      every number that has a time (`from`, `to`), of the time in which it was loaded
    stays            how often something was played in all, by whatever it was watched on, and by the pages of the most
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from server.catalog.control_models import PlaybackEvent, PlaybackSession, PlaybackTotal
from server.catalog.database import Transaction

AT_ONCE = 100  # sessions of a turn
EVENTS_AT_ONCE = 2000  # of what players told: some tens of milliseconds
# What sessions of one total have in common: all that numbers can be asked by.
ALIKE = (
    "project_id", "media_id", "media_type", "continent", "country", "device_type", "operating_system", "browser",
    "referrer",
)  # fmt: skip

# Pages say themselves what they are called. Of a video or live stream so many are told apart, those of the most plays;
# the others are one.
REFERRERS = 100
OTHERS = "other"
FOLDED_AT_ONCE = 500  # referrers

Key = tuple[str, ...]


class SessionAging:
    """Some of the oldest with each `look` and `sweep`."""

    def __init__(self, kept: timedelta) -> None:
        self._kept = kept
        self._seen: Sequence[str] = ()

    async def look(self, transaction: Transaction, now: datetime) -> bool:
        """Whether there are any that are old."""
        old = select(PlaybackSession.id).where(PlaybackSession.loaded_at < now - self._kept)
        self._seen = list(await transaction.scalars(old.order_by(PlaybackSession.loaded_at).limit(AT_ONCE)))
        return bool(self._seen)

    async def sweep(self, transaction: Transaction, _now: datetime) -> bool:
        """Removes those; whether there is more to do."""
        if await _remove_events(transaction, self._seen):
            return True
        rows = list(await transaction.scalars(select(PlaybackSession).where(PlaybackSession.id.in_(self._seen))))
        await _add_up(transaction, rows)
        for project_id, media_id in sorted({(row.project_id, row.media_id) for row in rows}):
            await _fold(transaction, project_id, media_id)
        await transaction.execute(
            delete(PlaybackSession).where(PlaybackSession.id.in_([row.id for row in rows])),
            execution_options={"synchronize_session": False},
        )
        return len(self._seen) == AT_ONCE


async def _remove_events(transaction: Transaction, session_ids: Sequence[str]) -> bool:
    """Some; whether there may be more."""
    some = select(PlaybackEvent.position).where(PlaybackEvent.session_id.in_(session_ids)).limit(EVENTS_AT_ONCE)
    positions = list(await transaction.scalars(some))
    if positions:
        await transaction.execute(
            delete(PlaybackEvent).where(PlaybackEvent.position.in_(positions)),
            execution_options={"synchronize_session": False},
        )
    return len(positions) == EVENTS_AT_ONCE


async def _add_up(transaction: Transaction, rows: Sequence[PlaybackSession]) -> None:
    plays: Counter[Key] = Counter()
    for row in rows:
        plays[tuple(str(getattr(row, name)) for name in ALIKE)] += row.plays
    await _add(transaction, plays)


async def _fold(transaction: Transaction, project_id: str, media_id: str) -> None:
    """Makes one of the referrers that few plays came from; those that tell none stay by themselves."""
    total = PlaybackTotal
    of_media = (total.project_id == project_id, total.media_id == media_id)
    named = (
        select(total.referrer).where(*of_media, total.referrer.not_in(("", OTHERS))).group_by(total.referrer)
    )
    rarest = named.order_by(func.sum(total.plays).desc(), total.referrer).offset(REFERRERS).limit(FOLDED_AT_ONCE)
    referrers = list(await transaction.scalars(rarest))
    if not referrers:
        return
    plays: Counter[Key] = Counter()
    for row in await transaction.scalars(select(total).where(*of_media, total.referrer.in_(referrers))):
        alike = {name: getattr(row, name) for name in ALIKE} | {"referrer": OTHERS}
        plays[tuple(alike.values())] += row.plays
        await transaction.delete(row)
    await _add(transaction, plays)


async def _add(transaction: Transaction, plays: Counter[Key]) -> None:
    ids = {key: _id(key) for key, count in plays.items() if count}
    found = await transaction.scalars(select(PlaybackTotal).where(PlaybackTotal.id.in_(ids.values())))
    known = {total.id: total for total in found}
    for key, id in ids.items():
        if id in known:
            known[id].plays += plays[key]
        else:
            transaction.add(PlaybackTotal(id=id, plays=plays[key], **dict(zip(ALIKE, key, strict=True))))


def _id(key: Key) -> str:
    """Of those that are alike: an index takes no address as long as a page's may be."""
    return hashlib.sha256("\0".join(key).encode()).hexdigest()
