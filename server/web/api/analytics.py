"""`/data/*`: what was watched, as numbers; zeros and empty lists where nothing is recorded."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from server import clock, ids
from server.catalog import analytics
from server.catalog.analytics import DIMENSIONS, Interval, Metric, Scope
from server.catalog.listing import Page
from server.errors import Problem
from server.web import validation
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import Answer, DateTime, Moment, Query
from server.web.typed import Call, Operations

operations = Operations("Analytics")

DAY = timedelta(days=1)
LIVE = timedelta(seconds=20)  # how far back the aggregation `live` looks
VIEW_S = 5.0  # that a view lasts where it is not said
VALUES_LIMIT = 100  # of a filter

# metric -> aggregations that mean something
AGGREGATIONS: Mapping[str, frozenset[str]] = {
    "play": frozenset({"count", "rate", "total"}),
    "start": frozenset({"count"}),
    "end": frozenset({"count"}),
    "impression": frozenset({"count"}),
    "impression-time": frozenset({"average", "sum"}),
    "watch-time": frozenset({"average", "sum"}),
    "ccv": frozenset({"average", "peak", "live"}),
    "view": frozenset({"count"}),
}
SERIES = frozenset({"play", "play-rate", "start", "end", "impression", "ccv-peak", "ccv-average", "view"})
BUCKETS = SERIES | {"play-total"}

# the name of a filter -> the dimension; beside these, `tag`
FILTERS: Mapping[str, str] = {
    "mediaId": "media-id",
    "mediaType": "media-type",
    "continent": "continent",
    "country": "country",
    "deviceType": "device-type",
    "operatingSystem": "operating-system",
    "browser": "browser",
    "referrer": "referrer",
}


def _plus(value: Any) -> Any:
    """A plus that was not encoded comes as a space."""
    return value.replace(" ", "+") if isinstance(value, str) else value


def _filters(value: Any) -> Any:
    """filterBy[x]=a, filterBy[x][]=a and filterBy[x][0]=a alike."""
    if not isinstance(value, dict):
        raise PydanticCustomError("filter", "This parameter must be given as filterBy[dimension]=value.")
    found = {}
    for name, given in value.items():
        if name not in FILTERS and name != "tag":
            raise PydanticCustomError("filter", "There is no filter by {name}.", {"name": name[:40]})
        values = list(given.values()) if isinstance(given, dict) else given
        found[name] = values if isinstance(values, list) else [values]
    return found


def _few(value: dict[str, list[str]]) -> dict[str, list[str]]:
    if any(len(values) > VALUES_LIMIT for values in value.values()):
        raise PydanticCustomError("filter", "A filter takes 100 values at most.")
    return value


Time = Annotated[DateTime, BeforeValidator(_plus)]
FilterBy = Annotated[
    dict[str, list[str]],
    BeforeValidator(_filters),
    AfterValidator(_few),
    Field(description=f"{', '.join(FILTERS)} or tag: the session has one of the values of each."),
]


class DataQuery(Query):
    """The time is a day up to now unless it is given; `to` is not included."""

    since: Annotated[Time | None, Field(alias="from", description="A day before `to` unless given.")] = None
    to: Time | None = None
    unique: Annotated[bool, Field(description="Of view and ccv: a viewer counts once.")] = False
    view_duration: Annotated[
        Literal["3s", "5s", "10s", "30s"] | None, Field(description="Of view: how long one has to last.")
    ] = None
    filter_by: FilterBy = Field(default_factory=dict)


class BreakdownQuery(DataQuery, PageQuery):
    sort_by: Literal["metricValue", "dimensionValue"] | None = None


class SeriesQuery(DataQuery, PageQuery):
    interval: Interval = "hour"
    sort_by: Literal["metricValue", "emittedAt"] | None = None


class Timeframe(Answer):
    since: Annotated[Moment | None, Field(serialization_alias="from")]
    to: Moment


class AggregatedContext(Answer):
    metric: str
    aggregation: str
    timeframe: Timeframe | dict[str, Moment]


class Aggregated(Answer):
    context: AggregatedContext
    data: float


class BreakdownContext(Answer):
    metric: str
    breakdown: str
    timeframe: Timeframe | dict[str, Moment]


class Bucket(Answer):
    dimension_value: str
    metric_value: float


class Breakdown(Answer):
    context: BreakdownContext
    data: list[Bucket]
    pagination: Pagination


class SeriesContext(Answer):
    metric: str
    interval: Interval
    timeframe: Timeframe


class Point(Answer):
    emitted_at: Moment
    metric_value: float


class Series(Answer):
    context: SeriesContext
    data: list[Point]
    pagination: Pagination


@operations.get(
    "/data/metrics/{metric}/{aggregation}",
    "Show a metric",
    scope="analytics:read",
    errors=["unrecognized-request-url"],
)
async def show_metric(call: Call, metric: str, aggregation: str, query: DataQuery) -> Aggregated:
    """play (count, rate, total), start, end, impression and view (count), impression-time in milliseconds and
    watch-time in seconds (average, sum), or ccv, concurrent viewers (average, peak, live)."""
    if aggregation not in AGGREGATIONS.get(metric, ()):
        raise Problem("unrecognized-request-url", "There is no such metric, or it has no such aggregation.")
    total = aggregation == "total"
    scope = _scope(call, query, endless=total)
    if aggregation == "live":
        scope = Scope(scope.project_id, scope.until - LIVE, scope.until, scope.dimensions, scope.tag)
    async with call.services.database.read() as transaction:
        found = await analytics.value(transaction, scope, _aggregate(metric, aggregation, query))
    context = AggregatedContext(
        metric=_named(metric, query), aggregation=aggregation, timeframe={} if total else _timeframe(scope)
    )
    return Aggregated(context=context, data=found)


@operations.get(
    "/data/buckets/{metric}/{breakdown}",
    "Show a metric by a dimension",
    scope="analytics:read",
    errors=["unrecognized-request-url"],
)
async def show_breakdown(call: Call, metric: str, breakdown: str, query: BreakdownQuery) -> Breakdown:
    """play, play-rate, play-total, start, end, impression, ccv-peak, ccv-average or view, by media-id, media-type,
    continent, country, device-type, operating-system, browser or referrer; the largest first unless sorted. Of sessions
    that are not kept any more, a video's plays are told by the 100 referrers of the most, and `other`."""
    if metric not in BUCKETS or breakdown not in DIMENSIONS:
        raise Problem("unrecognized-request-url", "There is no such metric or dimension.")
    total = metric == "play-total"
    scope = _scope(call, query, endless=total)
    async with call.services.database.read() as transaction:
        rows = await analytics.buckets(transaction, scope, _metric(metric, query), breakdown)
    rows.sort()
    if query.sort_by != "dimensionValue":
        rows.sort(key=lambda row: row[1], reverse=query.sort_order != "asc")
    elif query.sort_order == "desc":
        rows.reverse()
    page = _page(query, rows)
    return Breakdown(
        context=BreakdownContext(
            metric=_named(metric, query), breakdown=breakdown, timeframe={} if total else _timeframe(scope)
        ),
        data=[Bucket(dimension_value=name, metric_value=number) for name, number in page.rows],
        pagination=pagination(call.request, page),
    )


@operations.get(
    "/data/timeseries/{metric}",
    "Show a metric over time",
    scope="analytics:read",
    errors=["unrecognized-request-url"],
)
async def show_series(call: Call, metric: str, query: SeriesQuery) -> Series:
    """play, play-rate, start, end, impression, ccv-peak, ccv-average or view, by the intervals in which anything
    happened; the earliest first unless sorted."""
    if metric not in SERIES:
        raise Problem("unrecognized-request-url", "There is no such metric.")
    scope = _scope(call, query)
    async with call.services.database.read() as transaction:
        rows = await analytics.series(transaction, scope, _metric(metric, query), query.interval)
    rows.sort(key=lambda row: row[1 if query.sort_by == "metricValue" else 0], reverse=query.sort_order == "desc")
    page = _page(query, rows)
    return Series(
        context=SeriesContext(metric=_named(metric, query), interval=query.interval, timeframe=_timeframe(scope)),
        data=[Point(emitted_at=moment, metric_value=number) for moment, number in page.rows],
        pagination=pagination(call.request, page),
    )


def _scope(call: Call, query: DataQuery, endless: bool = False) -> Scope:
    """Raises Problem, 400."""
    until = query.to or clock.now()
    since = None if endless else _day_before(until) if query.since is None else query.since
    if since is not None and since >= until:
        raise validation.of_parameter("from", "This parameter must lie before `to`.")
    dimensions = {FILTERS[name]: values for name, values in query.filter_by.items() if name != "tag"}
    if "media-id" in dimensions:
        dimensions["media-id"] = [_media_id(each) for each in dimensions["media-id"]]
    tags = query.filter_by.get("tag", [])
    if len(tags) > 1:
        raise validation.of_parameter("filterBy[tag]", "This parameter takes one value.")
    return Scope(call.project_id, since, clock.now() if endless else until, dimensions, tags[0] if tags else None)


def _day_before(until: datetime) -> datetime:
    try:
        return until - DAY
    except OverflowError:
        raise validation.of_parameter("to", "This parameter is out of range.") from None


def _media_id(text: str) -> str:
    """Canonical where it is an id, in any spelling that says of what."""
    for prefix in ("vi", "li"):
        try:
            if text.startswith(prefix):
                return ids.canonical(prefix, text)
        except ids.InvalidId:
            pass
    return text


def _aggregate(metric: str, aggregation: str, query: DataQuery) -> Metric:
    if metric == "ccv":
        return Metric("ccv-average" if aggregation == "average" else "ccv-peak", unique=query.unique)
    if aggregation == "rate":
        return Metric("play-rate")
    return Metric(metric, aggregation == "average", query.unique, _view_s(query))


def _metric(name: str, query: DataQuery) -> Metric:
    return Metric("play" if name == "play-total" else name, unique=query.unique, least_s=_view_s(query))


def _view_s(query: DataQuery) -> float:
    return float(query.view_duration[:-1]) if query.view_duration else VIEW_S


def _named(metric: str, query: DataQuery) -> str:
    """As answers have it: view-5, unique-ccv-peak."""
    if metric == "view":
        metric = f"view-{int(_view_s(query))}"
    may = metric.startswith(("view", "ccv"))
    return f"unique-{metric}" if query.unique and may else metric


def _timeframe(scope: Scope) -> Timeframe:
    return Timeframe(since=scope.since, to=scope.until)


Row = TypeVar("Row")


def _page(query: PageQuery, rows: Sequence[Row]) -> Page[Row]:
    paging = query.paging(None)
    start = (paging.page - 1) * paging.size
    return Page(rows[start : start + paging.size], len(rows), paging)
