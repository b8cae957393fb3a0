"""What a project uses, by the day or the month."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import Field

from server import clock
from server.catalog import stored, usage
from server.catalog.usage import Usage
from server.web import validation
from server.web.api.projects import named_project
from server.web.shapes import Answer, Query
from server.web.typed import Call, Operations

DAYS_LIMIT = 366  # of one answer
MONTH = 30  # days back that are shown when nothing is said

Interval = Literal["day", "month", "total"]

operations = Operations("Usage")


class UsagePeriod(Answer):
    from_: Annotated[date, Field(alias="from", description="The first day.")]
    to: Annotated[date, Field(description="The last day.")]
    delivered_bytes: int = Field(description="Sent to those who watch, headers included.")
    encoded_minutes: float = Field(description="Of each picture and sound that was encoded.")
    live_minutes: float = Field(description="On air, of broadcasts that ended.")


class UsageAnswer(Answer):
    project_id: str
    interval: Annotated[Interval, Field(examples=["month"])]
    stored_bytes: int = Field(
        description="Now: of files as they came or were recorded, of renditions, and of what is kept beside them."
    )
    data: list[UsagePeriod]


class UsageQuery(Query):
    from_: Annotated[
        date | None, Field(alias="from", description="The first day, UTC; 30 days ago if it is left out.")
    ] = None
    to: Annotated[date | None, Field(description="The last day, UTC; today if it is left out.")] = None
    interval: Interval = "day"
    project_id: Annotated[
        str | None, Field(description="Another project's, with a key of the default project.")
    ] = None


@operations.get("/usage", "Show what a project uses", scope="usage:read")
async def show(call: Call, query: UsageQuery) -> UsageAnswer:
    """A year at once at most. Delivered bytes are up to a minute late."""
    last = query.to or clock.now().date()
    first = query.from_ or last - timedelta(days=min(MONTH - 1, (last - date.min).days))
    if first > last:
        raise validation.of_parameter("from", "This day is behind the last one.")
    if (last - first).days >= DAYS_LIMIT:
        raise validation.of_parameter("from", f"At most {DAYS_LIMIT} days are shown at once.")
    async with call.services.database.read() as transaction:
        project_id = await named_project(transaction, call, query.project_id, validation.of_parameter)
        known = await usage.days(transaction, project_id, first, last)
        size = await stored.total(transaction, project_id)
    data = [_period(days, known) for days in _periods(first, last, query.interval)]
    return UsageAnswer(project_id=project_id, interval=query.interval, stored_bytes=size, data=data)


def _periods(first: date, last: date, interval: Interval) -> Sequence[tuple[date, date]]:
    """The first and the last day of each."""
    if interval == "total":
        return [(first, last)]
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    if interval == "day":
        return [(day, day) for day in days]
    months: dict[tuple[int, int], list[date]] = {}
    for day in days:
        months.setdefault((day.year, day.month), []).append(day)
    return [(of_month[0], of_month[-1]) for of_month in months.values()]


def _period(days: tuple[date, date], known: Sequence[Usage]) -> UsagePeriod:
    within = [one for one in known if days[0] <= one.day <= days[1]]
    return UsagePeriod.model_validate(
        {
            "from": days[0],
            "to": days[1],
            "deliveredBytes": sum(one.delivered_bytes for one in within),
            "encodedMinutes": round(sum(one.encoded_ms for one in within) / 60_000, 3),
            "liveMinutes": round(sum(one.live_ms for one in within) / 60_000, 3),
        }
    )
