"""What was watched: the one place that asks the playback sessions.

A session counts for the time in which its player loaded; concurrent viewers for the time they watched.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Float, Select, cast, func, select

from server.catalog import listing, videos
from server.catalog.control_models import PlaybackEvent, PlaybackSession, PlaybackTotal
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import Video

Interval = Literal["minute", "hour", "day"]
SPANS_LIMIT = 200_000  # sessions that are looked at for concurrent viewers: some seconds of a core
CHUNK = 5_000  # rows that are held as rows at once

# the dialect's name of a dimension -> its column
DIMENSIONS: Mapping[str, Any] = {
    "media-id": PlaybackSession.media_id,
    "media-type": PlaybackSession.media_type,
    "continent": PlaybackSession.continent,
    "country": PlaybackSession.country,
    "device-type": PlaybackSession.device_type,
    "operating-system": PlaybackSession.operating_system,
    "browser": PlaybackSession.browser,
    "referrer": PlaybackSession.referrer,
}
STEPS: Mapping[str, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` is play, play-rate, start, end, impression, impression-time, watch-time, view, ccv-peak or ccv-average."""

    name: str
    mean: bool = False  # of impression-time and watch-time: the average instead of the sum
    unique: bool = False  # of view and ccv: a viewer counts once
    least_s: float = 0.0  # of view: how long it has to last

    @property
    def concurrent(self) -> bool:
        return self.name.startswith("ccv")


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose sessions. `until` is not included. `since` None: all there are; and of plays all there were."""

    project_id: str
    since: datetime | None
    until: datetime
    dimensions: Mapping[str, Sequence[str]] = field(default_factory=dict)  # any of the values of each
    tag: str | None = None  # of their videos


@dataclass(frozen=True, slots=True)
class Span:
    """That somebody watched: seconds since the epoch."""

    group: str
    viewer: str
    start: float
    end: float


async def value(transaction: Transaction, scope: Scope, metric: Metric) -> float:
    """The metric over all sessions in scope; 0 where there are none."""
    if metric.concurrent:
        spans = await _spans(transaction, scope, None)
        return await asyncio.to_thread(_concurrent, spans, metric, _length_s(scope))
    found = await transaction.scalar(_narrowed(transaction, select(_expression(metric)), scope, metric))
    if _goes_back(scope, metric):
        before = _in_scope(transaction, select(func.sum(PlaybackTotal.plays)), scope, PlaybackTotal)
        return float(found or 0) + float(await transaction.scalar(before) or 0)
    return float(found or 0)


async def buckets(
    transaction: Transaction, scope: Scope, metric: Metric, dimension: str
) -> list[tuple[str, float]]:
    """By the values of a dimension that there are."""
    column = DIMENSIONS[dimension]
    if metric.concurrent:
        spans = await _spans(transaction, scope, column)
        return await asyncio.to_thread(_concurrent_by_group, spans, metric, _length_s(scope))
    wanted = _narrowed(transaction, select(column, _expression(metric)), scope, metric).group_by(column)
    numbers = {str(each): float(found or 0) for each, found in await transaction.execute(wanted)}
    if _goes_back(scope, metric):
        column = getattr(PlaybackTotal, column.key)
        before = _in_scope(transaction, select(column, func.sum(PlaybackTotal.plays)), scope, PlaybackTotal)
        for each, found in await transaction.execute(before.group_by(column)):
            numbers[str(each)] = numbers.get(str(each), 0.0) + float(found)
    return list(numbers.items())


def _goes_back(scope: Scope, metric: Metric) -> bool:
    """Whether sessions count that are not kept any more."""
    return scope.since is None and metric.name == "play"


async def series(
    transaction: Transaction, scope: Scope, metric: Metric, interval: Interval
) -> list[tuple[datetime, float]]:
    """By the beginnings of the intervals in which anything happened."""
    if metric.concurrent:
        spans = await _spans(transaction, scope, None)
        step_s = STEPS[interval].total_seconds()
        found = await asyncio.to_thread(_concurrent_by_group, _cut(spans, step_s), metric, step_s)
        return [(datetime.fromtimestamp(float(start), UTC), number) for start, number in found]
    moment = _beginning(transaction, interval)
    wanted = _narrowed(transaction, select(moment, _expression(metric)), scope, metric).group_by(moment)
    rows = await transaction.execute(wanted)
    return [(datetime.fromisoformat(text).replace(tzinfo=UTC), float(found or 0)) for text, found in rows]


async def sessions(
    transaction: Transaction,
    project_id: str,
    media_id: str,
    since: datetime | None,
    until: datetime | None,
    paging: Paging,
) -> Page[PlaybackSession]:
    """Of a video or live stream, the newest first."""
    query = select(PlaybackSession).where(
        PlaybackSession.project_id == project_id, PlaybackSession.media_id == media_id
    )
    if since is not None:
        query = query.where(PlaybackSession.loaded_at >= since)
    if until is not None:
        query = query.where(PlaybackSession.loaded_at < until)
    paging = Paging(paging.page, paging.size, None, True)
    return await listing.fetch(transaction, query, paging, {}, PlaybackSession.loaded_at, PlaybackSession.id)


async def session(transaction: Transaction, project_id: str, session_id: str) -> PlaybackSession | None:
    row = await transaction.get(PlaybackSession, session_id)
    return row if row is not None and row.project_id == project_id else None


async def events_of(transaction: Transaction, session_id: str, paging: Paging) -> Page[PlaybackEvent]:
    """As they came."""
    query = select(PlaybackEvent).where(PlaybackEvent.session_id == session_id)
    paging = Paging(paging.page, paging.size)
    return await listing.fetch(transaction, query, paging, {}, PlaybackEvent.position, PlaybackEvent.position)


def _expression(metric: Metric) -> ColumnElement[Any]:
    row = PlaybackSession
    match metric.name:
        case "play":
            return func.sum(row.plays)
        case "play-rate":
            return cast(func.sum(row.plays), Float) / func.count(row.id)
        case "start":
            return func.sum(row.starts)
        case "end":
            return func.sum(row.ends)
        case "impression":
            return func.count(row.id)
        case "impression-time":
            return func.avg(row.waited_ms) if metric.mean else func.sum(row.waited_ms)
        case "watch-time":
            return func.avg(row.watched_s) if metric.mean else func.sum(row.watched_s)
        case "view":
            return func.count(row.viewer.distinct()) if metric.unique else func.count(row.id)
        case _:
            raise LookupError(metric.name)


def _narrowed(transaction: Transaction, query: Select[Any], scope: Scope, metric: Metric) -> Select[Any]:
    query = _in_scope(transaction, query, scope).where(PlaybackSession.loaded_at < scope.until)
    if scope.since is not None:
        query = query.where(PlaybackSession.loaded_at >= scope.since)
    if metric.name == "view":
        query = query.where(PlaybackSession.plays > 0, PlaybackSession.watched_s >= metric.least_s)
    return query


def _in_scope(transaction: Transaction, query: Select[Any], scope: Scope, of: Any = PlaybackSession) -> Select[Any]:
    """`of`: the sessions, or the totals of those that are gone."""
    query = query.where(of.project_id == scope.project_id)
    for name, wanted in scope.dimensions.items():
        query = query.where(getattr(of, DIMENSIONS[name].key).in_(wanted))
    if scope.tag is not None:
        tagged = select(Video.id).where(
            Video.project_id == scope.project_id, videos.has_tag(transaction, scope.tag)
        )
        query = query.where(of.media_id.in_(tagged))
    return query


def _beginning(transaction: Transaction, interval: Interval) -> ColumnElement[Any]:
    """Of the interval a session lies in, as ISO-8601 text in UTC."""
    if transaction.get_bind().dialect.name == "sqlite":
        form = {"minute": "%Y-%m-%dT%H:%M:00", "hour": "%Y-%m-%dT%H:00:00", "day": "%Y-%m-%dT00:00:00"}[interval]
        return func.strftime(form, PlaybackSession.loaded_at)
    begun = func.date_trunc(interval, func.timezone("UTC", PlaybackSession.loaded_at))
    return func.to_char(begun, 'YYYY-MM-DD"T"HH24:MI:SS')


# --- concurrent viewers


async def _spans(transaction: Transaction, scope: Scope, column: Any) -> list[Span]:
    """That lie in the scope's time at least in part, cut to it."""
    row = PlaybackSession
    query = select(row.media_id if column is None else column, row.viewer, row.id, row.played_at, row.heard_at)
    query = _in_scope(transaction, query, scope).where(row.played_at < scope.until)
    if scope.since is not None:
        query = query.where(row.heard_at > scope.since)
    since = scope.since.timestamp() if scope.since else 0.0
    until = scope.until.timestamp()
    found: list[Span] = []
    rows = await transaction.execute(query.limit(SPANS_LIMIT))
    for some in rows.partitions(CHUNK):
        for group, viewer, id, played_at, heard_at in some:
            start, end = max(played_at.timestamp(), since), min(heard_at.timestamp(), until)
            found.append(Span("" if column is None else str(group), viewer or id, start, end))
        await asyncio.sleep(0)  # others get their turn
    return found


def _length_s(scope: Scope) -> float:
    return (scope.until - scope.since).total_seconds() if scope.since else 0.0


def _concurrent_by_group(spans: Iterable[Span], metric: Metric, length_s: float) -> list[tuple[str, float]]:
    groups: dict[str, list[Span]] = {}
    for span in spans:
        groups.setdefault(span.group, []).append(span)
    return [(group, _concurrent(some, metric, length_s)) for group, some in groups.items()]


def _concurrent(spans: Sequence[Span], metric: Metric, length_s: float) -> float:
    """At most at once, or on the average of `length_s` seconds."""
    if metric.unique:
        spans = _merged(spans)
    if metric.name == "ccv-average":
        return sum(span.end - span.start for span in spans) / length_s if length_s else 0.0
    steps = sorted([(span.start, 1) for span in spans] + [(span.end, -1) for span in spans])
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return float(most)


def _merged(spans: Sequence[Span]) -> list[Span]:
    """One viewer's joined where they meet."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.viewer, each.start)):
        last = found[-1] if found else None
        if last is not None and last.viewer == span.viewer and span.start <= last.end:
            found[-1] = Span(last.group, last.viewer, last.start, max(last.end, span.end))
        else:
            found.append(span)
    return found


def _cut(spans: Iterable[Span], step_s: float) -> Iterable[Span]:
    """In pieces that lie in one interval each, whose beginning is the group."""
    for span in spans:
        begin = span.start - span.start % step_s
        while begin < span.end:
            yield Span(str(begin), span.viewer, max(span.start, begin), min(span.end, begin + step_s))
            begin += step_s
