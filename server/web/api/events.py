"""What happened: the feed that webhooks are delivered from, to be read at one's own pace."""

from typing import Annotated, Any, Literal

from aiohttp import hdrs, web
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from server import ids
from server.catalog import event_names, events
from server.catalog.database import Transaction
from server.catalog.events import Wanted
from server.errors import Problem
from server.web import validation
from server.web.event_feed import FEED, Listener, shown
from server.web.shapes import WHOLE, Answer, DateTime, Query, QueryList
from server.web.typed import Call, Operations

PAGE_LIMIT = 1000
PAGE = 100
TYPES_LIMIT = 50
EVENT_STREAM = "text/event-stream"
GONE = "There is no such event, or not any more: begin without it, at the oldest that is kept."
LAST_EVENT_ID = "Last-Event-ID"

_STREAM = {
    "type": "string",
    "description": "`id`, `event` and `data`, an event in JSON.",
    "examples": ["id: ev3qvJ5d7YxG2cZQk9TnW8sH\nevent: video.created\ndata: {…}\n\n"],
}

operations = Operations("Events")


def _type(text: str) -> str:
    """Raises PydanticCustomError for what would find nothing for ever."""
    if not event_names.names_any(text):
        raise PydanticCustomError("event_type", "There is no event of this name, and none that this pattern names.")
    return text


class EventAnswer(Answer):
    id: Annotated[str, Field(description="By which a receiver knows that it has had the event.")]
    type: str
    created_at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    project_id: str
    object_id: Annotated[str, Field(description="What it happened to.")]
    sequence: Annotated[int, Field(description="1, 2, … among the events of the object.")]
    data: Annotated[dict[str, Any], Field(description="Ids of all that it is about, `metadata`, and what changed.")]


class EventList(Answer):
    data: list[EventAnswer]
    next: Annotated[str | None, Field(description="The `after` of the next call; null while there was no event.")]
    has_more: Annotated[bool, Field(description="Whether the next call gives more at once.")]


class EventQuery(Query):
    after: Annotated[str | None, Field(max_length=64, description="An event: give those behind it.")] = None
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT, description="Events at most."), WHOLE] = PAGE
    sort_order: Annotated[Literal["asc", "desc"], Field(description="Oldest or newest first.")] = "asc"
    types: Annotated[
        QueryList[Annotated[str, Field(max_length=64), AfterValidator(_type)]],
        Field(max_length=TYPES_LIMIT, description="Only those; * stands for any characters: video.*"),
    ] = []  # noqa: RUF012  # pydantic copies defaults
    object_id: Annotated[str | None, Field(max_length=40, description="Only those of this object.")] = None
    since: Annotated[DateTime | None, Field(alias="from", description="Only those from then on.")] = None
    until: Annotated[DateTime | None, Field(alias="to", description="Only those until then.")] = None

    def wanted(self) -> Wanted:
        return Wanted(tuple(self.types), self.object_id, self.since, self.until)


@operations.get(
    "/events",
    "List events",
    scope="events:read",
    answers={EVENT_STREAM: _STREAM},
    errors=["unavailable"],
)
async def list_all(call: Call, query: EventQuery) -> EventList | web.StreamResponse:
    """In the order in which they happened. With `Accept: text/event-stream` they come as they happen, from the one in
    `Last-Event-ID` or `after` on, or from now on. It is 400 where that event is kept no longer."""
    if call.request.method == hdrs.METH_GET and EVENT_STREAM in call.request.headers.get(hdrs.ACCEPT, ""):
        return await _stream(call, query)
    descending = query.sort_order == "desc"
    async with call.services.database.read() as transaction:
        position = await _position(transaction, call, query.after, "after")
        rows = await events.page(
            transaction, call.project_id, query.wanted(), position, query.limit + 1, descending
        )
    given = rows[: query.limit]
    return EventList(
        data=[EventAnswer(**_fields(shown(row))) for row in given],
        next=given[-1].id if given else query.after,
        has_more=len(rows) > len(given),
    )


async def _stream(call: Call, query: EventQuery) -> web.StreamResponse:
    last = call.request.headers.get(LAST_EVENT_ID) or query.after
    async with call.services.database.read() as transaction:
        position = await _position(transaction, call, last, "after")
        if position is None:
            position = await events.newest(transaction)

    async def still_may() -> bool:
        try:
            caller = await call.services.credentials.caller(call.request.headers)
        except Problem:
            return False
        return caller.project_id == call.project_id and caller.may("events:read")

    listener = Listener(call.project_id, position, query.wanted())
    return await call.request.app[FEED].listen(call.request, listener, still_may)


async def _position(transaction: Transaction, call: Call, event_id: str | None, name: str) -> int | None:
    """Raises Problem."""
    if event_id is None:
        return None
    try:
        row = await events.get(transaction, call.project_id, ids.canonical("ev", event_id))
    except ids.InvalidId:
        row = None
    if row is None:
        raise validation.of_parameter(name, GONE)
    return row.position


def _fields(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": told["id"], "type": told["type"], "created_at": told["createdAt"], "project_id": told["projectId"],
        "object_id": told["objectId"], "sequence": told["sequence"], "data": told["data"],
    }  # fmt: skip
