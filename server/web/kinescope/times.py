"""Stretches of time in queries: dates, or dates with times."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from server import clock
from server.web import validation
from server.web.kinescope.shapes import Query
from server.web.shapes import DateTime

MONTH = timedelta(days=30)
DAYS_LIMIT = 732  # of a stretch: two years


def _dated(value: Any) -> Any:
    """A date is its beginning in UTC; a plus that was not encoded comes as a space."""
    if not isinstance(value, str):
        return value
    text = value.strip().replace(" ", "+")
    return text + "T00:00:00Z" if len(text) == len("2026-01-31") else text


Time = Annotated[DateTime, BeforeValidator(_dated)]


class StretchQuery(Query):
    """`to` is not included."""

    since: Annotated[Time | None, Field(alias="from", description="A date or a moment; a month before `to`.")] = None
    to: Annotated[Time | None, Field(description="A date or a moment; now.")] = None

    def stretch(self) -> tuple[datetime, datetime]:
        """Raises Problem."""
        until = self.to or clock.now()
        since = self.since or (until - MONTH if until.year > 1 else until)  # there is nothing before the year 1
        if since > until:
            raise validation.of_parameter("from", "This parameter must not be later than to.")
        if until - since > timedelta(days=DAYS_LIMIT):
            raise validation.of_parameter("from", f"At most {DAYS_LIMIT} days can be asked for.")
        return since, until
