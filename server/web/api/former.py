"""Operations that the dialect had once, and that clients of that time still call: account, raw sessions."""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import Field

from server.catalog import analytics
from server.catalog.control_models import PlaybackEvent, PlaybackSession
from server.errors import Problem
from server.web import validation
from server.web.api import live_streams, videos
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import Answer, Moment
from server.web.typed import Call, Operations

operations = Operations("Former operations")

Span = tuple[datetime | None, datetime | None]
_YEAR = re.compile(r"(\d{4})", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_WEEK = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Quota(Answer):
    """Nothing is limited."""

    quota_used: float
    quota_remaining: float | None
    quota_total: float | None


class Account(Answer):
    quota: Quota
    features: list[str]
    environment: str


class SessionQuery(PageQuery):
    period: Annotated[
        str | None, Field(max_length=32, description="2026, 2026-01, 2026-W01, 2026-01-31, or two days: day/day.")
    ] = None


class EventQuery(PageQuery):
    """Only the page can be chosen."""


class SessionPart(Answer):
    session_id: str
    loaded_at: Moment
    ended_at: Moment


class Location(Answer):
    country: str
    continent: str


class Referrer(Answer):
    url: str


class Named(Answer):
    name: str


class Device(Answer):
    type: str


class SessionAnswer(Answer):
    session: SessionPart
    location: Location
    referrer: Referrer
    device: Device
    os: Named
    client: Named


class SessionList(Answer):
    data: list[SessionAnswer]
    pagination: Pagination


class SessionEvent(Answer):
    """Places in seconds; `from` and `to` of a seek."""

    type: str
    emitted_at: Moment
    at: int | None
    since: Annotated[int | None, Field(serialization_alias="from")]
    to: int | None


class SessionEventList(Answer):
    data: list[SessionEvent]
    pagination: Pagination


@operations.get("/account", "Show the account", scope="account:read")
async def show_account(call: Call) -> Account:
    """There is no quota on a server of one's own."""
    quota = Quota(quota_used=0, quota_remaining=None, quota_total=None)
    return Account(quota=quota, features=[], environment="production")


@operations.get("/analytics/videos/{videoId}", "List the sessions of a video", scope="analytics:read")
async def list_of_video(call: Call, video_id: str, query: SessionQuery) -> SessionList:
    """Newest first."""
    async with call.services.database.read() as transaction:
        await videos.find(transaction, call, video_id)
    return await _sessions(call, video_id, query)


@operations.get("/analytics/live-streams/{liveStreamId}", "List the sessions of a live stream", scope="analytics:read")
async def list_of_live_stream(call: Call, live_stream_id: str, query: SessionQuery) -> SessionList:
    """Newest first."""
    async with call.services.database.read() as transaction:
        await live_streams.find(transaction, call, live_stream_id)
    return await _sessions(call, live_stream_id, query)


@operations.get("/analytics/sessions/{sessionId}/events", "List the events of a session", scope="analytics:read")
async def list_events(call: Call, session_id: str, query: EventQuery) -> SessionEventList:
    """As they came."""
    async with call.services.database.read() as transaction:
        if await analytics.session(transaction, call.project_id, session_id) is None:
            raise Problem("resource-not-found", name="sessionId")
        page = await analytics.events_of(transaction, session_id, query.paging(None))
    return SessionEventList(data=[_event(row) for row in page.rows], pagination=pagination(call.request, page))


async def _sessions(call: Call, media_id: str, query: SessionQuery) -> SessionList:
    since, until = period(query.period)
    async with call.services.database.read() as transaction:
        page = await analytics.sessions(transaction, call.project_id, media_id, since, until, query.paging(None))
    return SessionList(data=[_session(row) for row in page.rows], pagination=pagination(call.request, page))


def period(text: str | None) -> Span:
    """The first moment, and the one that follows the last. Raises Problem, 400."""
    if not text:
        return None, None
    try:
        days = [_days(part) for part in text.split("/", 1)]
        return _midnight(days[0][0]), _midnight(days[-1][1] + timedelta(days=1))
    except (ValueError, OverflowError):
        sentence = "This parameter must be a year, a month, a week, a day, or two days with a slash between them."
        raise validation.of_parameter("period", sentence) from None


def _days(text: str) -> tuple[date, date]:
    """The first and the last. Raises ValueError."""
    if found := _YEAR.fullmatch(text):
        return date(int(found[1]), 1, 1), date(int(found[1]), 12, 31)
    if found := _MONTH.fullmatch(text):
        year, month = int(found[1]), int(found[2])
        return date(year, month, 1), date(year, month, monthrange(year, month)[1])
    if found := _WEEK.fullmatch(text):
        first = date.fromisocalendar(int(found[1]), int(found[2]), 1)
        return first, first + timedelta(days=6)
    if _DAY.fullmatch(text):
        return date.fromisoformat(text), date.fromisoformat(text)
    raise ValueError(text)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _session(row: PlaybackSession) -> SessionAnswer:
    return SessionAnswer(
        session=SessionPart(session_id=row.id, loaded_at=row.loaded_at, ended_at=row.heard_at),
        location=Location(country=row.country, continent=row.continent),
        referrer=Referrer(url=row.referrer),
        device=Device(type=row.device_type),
        os=Named(name=row.operating_system),
        client=Named(name=row.browser),
    )


def _event(row: PlaybackEvent) -> SessionEvent:
    at, since, to = (None if value is None else value // 1000 for value in (row.at_ms, row.from_ms, row.to_ms))
    return SessionEvent(type=row.type, emitted_at=row.emitted_at, at=at, since=since, to=to)
