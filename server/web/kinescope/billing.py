"""Usage: what a bill would be made of. Of videos that are there; what was deleted is in no row any more."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

import orjson
from aiohttp import web
from pydantic import Field, PlainSerializer

from server.catalog import libraries, stored
from server.catalog.stored import Came
from server.web import validation
from server.web.kinescope.identifiers import kinescope_operations, uuid_of
from server.web.kinescope.shapes import All, Answer, Id
from server.web.kinescope.times import StretchQuery
from server.web.typed import JSON_HEADERS, Call

DAY = timedelta(days=1)
ROWS_LIMIT = 10_000  # days times projects of an answer: some MiB

operations = kinescope_operations("Billing")


def _day(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT00:00:00Z")


class UsageQuery(StretchQuery):
    group_by: Annotated[
        Literal["project_id", "product"] | None, Field(description="It is by both, whatever is asked.")
    ] = None


class UsageAnswer(Answer):
    day: Annotated[datetime, PlainSerializer(_day, return_type=str), Field(serialization_alias="date")]
    usage: Annotated[int, Field(description="Bytes that are stored, or minutes that came on that day.")]
    product: Literal["storage", "encoding"]
    project_id: Id


@operations.get("/v1/billing/usage", "Show the usage", scope="account:read")
async def usage(call: Call, query: UsageQuery) -> All[UsageAnswer] | web.Response:
    """By day, product and project: `storage` in bytes of files, `encoding` in minutes of video. Zeros are left out."""
    since, until = query.stretch()
    async with call.services.database.read() as transaction:
        came = await stored.by_day(transaction, call.project_id, since, until)
        named = await libraries.of_folders(transaction, call.project_id, list({each.folder_id for each in came}))
    days = (until.date() - since.date()).days + 1
    projects = len({named[each.folder_id] for each in came})
    if days * projects > ROWS_LIMIT:
        most = max(1, ROWS_LIMIT // projects - 1)
        raise validation.of_parameter("from", f"Of {projects} projects ask for {most} days at most.")
    body = await asyncio.to_thread(_answer, came, named, since, until)
    return web.Response(body=body, headers=JSON_HEADERS)


def _answer(came: Sequence[Came], named: Mapping[str | None, str], since: datetime, until: datetime) -> bytes:
    """JSON; on a thread, as the longest answer takes longer than the loop may be held up."""
    shown = {each: uuid_of(each) for each in named.values()}
    return orjson.dumps({"data": _rows([(shown[named[each.folder_id]], each) for each in came], since, until)})


def _rows(came: list[tuple[str, Came]], since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Of UsageAnswer."""
    found: list[dict[str, Any]] = []
    sizes: dict[str, int] = {}
    waiting = iter(came)
    following = next(waiting, None)
    day = datetime.combine(since.date(), time(), UTC)
    while day < until:
        seconds: dict[str, float] = {}
        while following is not None and following[1].day <= day:
            project, each = following
            sizes[project] = sizes.get(project, 0) + each.size
            if each.day == day:
                seconds[project] = seconds.get(project, 0) + each.seconds
            following = next(waiting, None)
        for project, made_s in seconds.items():
            found += [_row(day, -(-round(made_s) // 60), "encoding", project)] if made_s else []
        found += [_row(day, size, "storage", project) for project, size in sizes.items() if size]
        if day.date() == date.max:
            break
        day += DAY
    return found


def _row(day: datetime, amount: int, product: str, project: str) -> dict[str, Any]:
    return {"date": _day(day), "usage": amount, "product": product, "project_id": project}
