"""What was watched, as rows: several numbers at once, by time and by what it was watched on."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, case, func, select

from server.catalog.control_models import PlaybackSession
from server.catalog.database import Transaction
from server.catalog.models import Video

Interval = Literal["hour", "day", "week", "month"]
ROWS_LIMIT = 10_000  # of an answer: some MiB

_PLAYED = case((PlaybackSession.plays > 0, 1), else_=0)
NUMBERS: Mapping[str, Any] = {
    "view": func.sum(_PLAYED),
    "unique_view": func.count(case((PlaybackSession.plays > 0, PlaybackSession.viewer)).distinct()),
    "play": func.sum(PlaybackSession.plays),
    "ended": func.sum(PlaybackSession.ends),
    "player_load": func.count(PlaybackSession.id),
    "watch_time": func.sum(PlaybackSession.watched_s),
    "duration": func.sum(_PLAYED * func.coalesce(Video.duration_s, 0)),  # of what was viewed
}
DIMENSIONS: Mapping[str, Any] = {
    "video_id": PlaybackSession.media_id,
    "country_code": PlaybackSession.country,
    "device": PlaybackSession.device_type,
    "os": PlaybackSession.operating_system,
    "browser": PlaybackSession.browser,
    "referrer": PlaybackSession.referrer,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose sessions, that were loaded within the time; `until` is not included."""

    project_id: str
    since: datetime
    until: datetime
    media_id: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Of one beginning of an interval and one value of each dimension."""

    begun: datetime | None
    values: tuple[str, ...]
    numbers: Mapping[str, int]


async def lines(
    transaction: Transaction,
    scope: Scope,
    names: Sequence[str],
    interval: Interval | None,
    by: Sequence[str] = (),
    orders: Sequence[tuple[str, bool]] = (),
) -> list[Line]:
    """`names` of NUMBERS, `by` of DIMENSIONS; `orders`: names of NUMBERS, and whether the greatest come first.

    Those that the order puts first are there, where there are more than ROWS_LIMIT; what is alike, and all without an
    order, by time and dimensions.
    """
    moment = [_beginning(transaction, interval)] if interval else []
    columns = [*moment, *(DIMENSIONS[each] for each in by)]
    query = select(*columns, *(NUMBERS[each] for each in names)).select_from(PlaybackSession)
    query = _narrowed(query.outerjoin(Video, Video.id == PlaybackSession.media_id), scope)
    query = query.group_by(*columns).order_by(*(_order(*each) for each in orders), *columns).limit(ROWS_LIMIT)
    rows = (await transaction.execute(query)).all()
    return await asyncio.to_thread(lambda: [_line(tuple(row), names, bool(interval)) for row in rows])


def _order(name: str, falling: bool) -> ColumnElement[Any]:
    """By the number as it is told."""
    number: ColumnElement[Any] = func.round(func.coalesce(NUMBERS[name], 0))
    return number.desc() if falling else number.asc()


def _line(row: tuple[Any, ...], names: Sequence[str], timed: bool) -> Line:
    values, numbers = row[int(timed) : len(row) - len(names)], row[len(row) - len(names) :]
    begun = datetime.fromisoformat(row[0]).replace(tzinfo=UTC) if timed else None
    told = {name: round(number or 0) for name, number in zip(names, numbers, strict=True)}
    return Line(begun, tuple(str(each) for each in values), told)


def _narrowed(query: Select[Any], scope: Scope) -> Select[Any]:
    query = query.where(
        PlaybackSession.project_id == scope.project_id, PlaybackSession.loaded_at >= scope.since,
        PlaybackSession.loaded_at < scope.until,
    )  # fmt: skip
    return query if scope.media_id is None else query.where(PlaybackSession.media_id == scope.media_id)


def _beginning(transaction: Transaction, interval: Interval) -> ColumnElement[Any]:
    """Of the interval a session lies in, as ISO-8601 text in UTC; weeks begin on Monday."""
    at = PlaybackSession.loaded_at
    if transaction.get_bind().dialect.name != "sqlite":
        begun = func.date_trunc(interval, func.timezone("UTC", at))
        return func.to_char(begun, 'YYYY-MM-DD"T"HH24:MI:SS')
    if interval == "week":
        return func.strftime("%Y-%m-%dT00:00:00", at, "-6 days", "weekday 1")
    forms = {"hour": "%Y-%m-%dT%H:00:00", "day": "%Y-%m-%dT00:00:00", "month": "%Y-%m-01T00:00:00"}
    return func.strftime(forms[interval], at)
