"""What was watched: numbers by time and entity, and an overview."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any, Literal

import orjson
from aiohttp import web
from pydantic import Field

from server import ids
from server.catalog import viewing
from server.catalog.viewing import DIMENSIONS, NUMBERS, Line, Scope
from server.web import validation
from server.web.kinescope import identifiers
from server.web.kinescope.identifiers import kinescope_operations, uuid_of
from server.web.kinescope.shapes import Answer, GivenId, Moment
from server.web.kinescope.times import StretchQuery
from server.web.shapes import Text
from server.web.typed import JSON_HEADERS, Call

UNRECORDED = frozenset({"seek", "pause", "replay", "player_init", "buffering_time", "buffering_count"})
STANDARD = ("view", "play")
TOP = ("views", "player_loads")
OVERVIEW = {"views": "view", "duration": "duration", "watch_time": "watch_time", "player_loads": "player_load"}
MOST_VIEWED = (("view", True),)
WORDS_LIMIT = 400  # characters of a list

operations = kinescope_operations("Analytics")

Words = Annotated[Text | None, Field(max_length=WORDS_LIMIT)]


class CustomQuery(StretchQuery):
    """Lists are separated by commas."""

    group: Literal["hour", "day", "week", "month"] = "day"
    group_entities: Annotated[Words, Field(description=", ".join(DIMENSIONS))] = "video_id"
    fields: Annotated[Words, Field(description=", ".join([*NUMBERS, *sorted(UNRECORDED)]))] = None
    order: Annotated[Words, Field(description="Fields and directions, such as view.desc,play.desc.")] = None


class OverviewQuery(StretchQuery):
    group_time: Literal["hour", "day", "week", "month"] = "day"
    video_id: GivenId | None = None


class TimeMeta(Answer):
    since: Annotated[Moment, Field(serialization_alias="from")]
    to: Moment
    timezone: str = "UTC"


class CustomMeta(Answer):
    order: dict[str, str]
    time: TimeMeta


class CustomAnswer(Answer):
    """Each row has `workspace_id`, `date`, the entities and the fields."""

    meta: CustomMeta
    data: list[dict[str, Any]]


class Total(Answer):
    views: int
    duration: int
    watch_time: int
    player_loads: int


class Point(Total):
    date: Moment


class Rank(Answer):
    name: str
    views: int
    player_loads: int


class CountryRank(Rank):
    code: str


class Ranks(Answer):
    oses: list[Rank]
    devices: list[Rank]
    browsers: list[Rank]
    countries: list[CountryRank]


class OverviewData(Answer):
    total: Total
    timeline: list[Point]
    top: Ranks


class OverviewMeta(Answer):
    time: TimeMeta


class OverviewAnswer(Answer):
    meta: OverviewMeta
    data: OverviewData


@operations.get("/v1/analytics", "Show what was watched", scope="analytics:read")
async def custom(call: Call, query: CustomQuery) -> CustomAnswer | web.Response:
    """What players do not report is 0: seeks, pauses and waits among it. Of more rows than are told, those are that the
    order puts first."""
    since, until = query.stretch()
    by = _words(query.group_entities, DIMENSIONS, "group_entities")
    # an example of the dialect asks for an entity as a field
    fields = [each for each in _words(query.fields, {*NUMBERS, *UNRECORDED, *DIMENSIONS}, "fields") if each not in by]
    by = [*by, *(each for each in fields if each in DIMENSIONS)]
    names = [each for each in fields if each not in DIMENSIONS] or list(STANDARD)
    orders = _orders(query.order, names)
    async with call.services.database.read() as transaction:
        scope = Scope(call.project_id, since, until)
        wanted = [each for each in names if each in NUMBERS]
        by_numbers = [(name, direction == "desc") for name, direction in orders if name in NUMBERS]
        found = await viewing.lines(transaction, scope, wanted, query.group, by, by_numbers)
    meta = CustomMeta(order=dict(orders), time=TimeMeta(since=since, to=until)).model_dump(mode="json")
    body = await asyncio.to_thread(_answer, meta, call.project_id, found, by, names)
    return web.Response(body=body, headers=JSON_HEADERS)


@operations.get("/v1/analytics/overview", "Show what was watched at a glance", scope="analytics:read")
async def overview(call: Call, query: OverviewQuery) -> OverviewAnswer:
    since, until = query.stretch()
    media_id = identifiers.canonical("vi", query.video_id, "video_id") if query.video_id else None
    scope, names = Scope(call.project_id, since, until, media_id), list(OVERVIEW.values())
    async with call.services.database.read() as transaction:
        (total,) = await viewing.lines(transaction, scope, names, None)
        timeline = await viewing.lines(transaction, scope, names, query.group_time)
        tops = {by: await viewing.lines(transaction, scope, names, None, [by], MOST_VIEWED) for by in _TOPS}
    ranks = {name: _ranked(tops[by], by == "country_code") for by, name in _TOPS.items()}
    data = OverviewData(
        total=Total(**_numbers(total)),
        timeline=[Point(**_numbers(line), date=line.begun or since) for line in timeline],
        top=Ranks(**ranks),  # type: ignore[arg-type]
    )
    return OverviewAnswer(meta=OverviewMeta(time=TimeMeta(since=since, to=until)), data=data)


_TOPS = {"os": "oses", "device": "devices", "browser": "browsers", "country_code": "countries"}


def _words(text: str | None, known: Any, name: str) -> list[str]:
    """Raises Problem."""
    found = list(dict.fromkeys(each.strip() for each in (text or "").split(",") if each.strip()))
    for each in found:
        if each not in known:
            raise validation.of_parameter(name, f"There is no {each[:40]}.")
    return found


def _orders(text: str | None, names: Sequence[str]) -> list[tuple[str, str]]:
    """Raises Problem."""
    found: dict[str, str] = {}
    for each in (text or ",".join(f"{name}.desc" for name in names)).split(","):
        name, _, direction = each.strip().partition(".")
        if name not in names or direction not in ("", "asc", "desc"):
            raise validation.of_parameter("order", f"Sort by {' or '.join(names)}.")
        found.setdefault(name, direction or "asc")
    return list(found.items())


def _answer(
    meta: dict[str, Any], project_id: str, lines: Sequence[Line], by: Sequence[str], names: Sequence[str]
) -> bytes:
    """JSON of a CustomAnswer; on a thread, as 10,000 rows take longer than the loop may be held up."""
    always, uuids = {"workspace_id": uuid_of(project_id)}, cache(_uuid)
    return orjson.dumps({"meta": meta, "data": [{**always, **_row(line, by, names, uuids)} for line in lines]})


def _row(line: Line, by: Sequence[str], names: Sequence[str], uuids: Callable[[str], str]) -> dict[str, Any]:
    values = dict(zip(by, line.values, strict=True))
    if "video_id" in values:
        values["video_id"] = uuids(values["video_id"])
    begun = line.begun.strftime("%Y-%m-%dT%H:%M:%SZ") if line.begun else None
    return {"date": begun, **values, **{name: line.numbers.get(name, 0) for name in names}}


def _uuid(media_id: str) -> str:
    try:
        return uuid_of(media_id)
    except ids.InvalidId:  # what was reported may be anything
        return media_id


def _numbers(line: Line) -> dict[str, int]:
    return {name: line.numbers[own] for name, own in OVERVIEW.items()}


def _ranked(lines: Sequence[Line], coded: bool) -> list[Rank]:
    found = []
    for line in lines:
        numbers = {name: line.numbers[OVERVIEW[name]] for name in TOP}
        name = line.values[0] or "unknown"
        found.append(CountryRank(name=name, code=line.values[0], **numbers) if coded else Rank(name=name, **numbers))
    return found
