"""Webhooks and deliveries as JSON."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from server.catalog.webhook_models import Delivery, Webhook
from server.outbound.target import MAX_CHARS, BadUrl, Target
from server.web.pagination import PageQuery, Pagination
from server.web.shapes import ABSENT, Answer, Body, Changes, DateTime, Moment, Text
from server.webhooks.formats import is_name

EVENTS_LIMIT = 100  # names an endpoint asks for: there are patterns
FormatName = Literal["api.video", "native", "kinescope", "cinema8"]
State = Literal["pending", "retrying", "delivered", "dead"]


def _url(text: str) -> str:
    try:
        Target.parse(text)
    except BadUrl as error:
        raise PydanticCustomError("url", "{sentence}", {"sentence": str(error)}) from None
    return text


EndpointUrl = Annotated[Text, StringConstraints(min_length=1, max_length=MAX_CHARS), AfterValidator(_url)]
EventNames = Annotated[
    list[Annotated[Text, StringConstraints(min_length=1, max_length=64)]],
    Field(
        min_length=1,
        max_length=EVENTS_LIMIT,
        description="Names of the format or of ours; * stands for any characters: video.*, or * for all.",
    ),
]
Login = Annotated[Text, StringConstraints(max_length=255)]


class WebhookBody(Body):
    url: EndpointUrl
    events: EventNames
    format: Annotated[FormatName, Field(description="What calls look like.")] = "api.video"
    name: Annotated[Text, StringConstraints(max_length=255)] = ""
    login: Annotated[Login | None, Field(description="Of HTTP's basic authentication; null: none.")] = None
    password: Annotated[Login | None, Field(description="Never shown again.")] = None


class WebhookChanges(Changes):
    url: EndpointUrl = ABSENT
    events: EventNames = ABSENT
    format: FormatName = ABSENT
    name: Annotated[Text, StringConstraints(max_length=255)] = ABSENT
    login: Login | None = ABSENT
    password: Login | None = ABSENT


class RotationBody(Body):
    overlap: Annotated[
        int, Field(ge=0, le=7 * 86_400, description="Seconds for which calls are signed with the old secret too.")
    ] = 86_400


class RedeliveryBody(Body):
    """The time is that of the events."""

    since: DateTime = Field(alias="from")
    until: DateTime | None = Field(alias="to", default=None, description="Now, if it is left out.")
    states: Annotated[
        list[Literal["delivered", "dead"]], Field(min_length=1, max_length=2, description="What they ended as.")
    ] = ["dead"]  # noqa: RUF012  # pydantic copies defaults


class WebhookItem(Answer):
    """As in a list: without its secret."""

    webhook_id: str
    created_at: Moment
    events: list[str]
    url: str
    name: str
    format: FormatName
    enabled: bool
    disabled_at: Moment | None
    disabled_reason: str | None
    failing_since: Annotated[Moment | None, Field(description="Nothing was delivered from then on.")]
    old_secret_until: Annotated[Moment | None, Field(description="Calls are signed with the old secret too.")]


class WebhookAnswer(WebhookItem):
    signature_secret: Annotated[str, Field(description="What calls are signed with.")]


class WebhookList(Answer):
    data: list[WebhookItem]
    pagination: Pagination


class WebhookQuery(PageQuery):
    events: Annotated[str | None, Field(max_length=64, description="Only those that ask for this, word by word.")] = (
        None
    )


class AttemptAnswer(Answer):
    at: Moment
    status: Annotated[int | None, Field(description="Of the answer; null where there was none.")]
    latency_ms: int
    head: Annotated[str, Field(description="Some headers of the answer and the first 512 bytes of its body.")]
    error: Annotated[str | None, Field(description="Why there was no answer.")]


class DeliveryAnswer(Answer):
    """Kept for `webhooks.keep_days` after its end."""

    delivery_id: str
    webhook_id: str
    event_id: str
    type: str
    object_id: str
    sequence: Annotated[int, Field(description="Of the event among those of its object.")]
    state: State
    attempts: int
    next_attempt_at: Annotated[Moment | None, Field(description="Null while it waits for those before it, or ended.")]
    created_at: Moment
    ended_at: Moment | None
    log: Annotated[list[AttemptAnswer], Field(description="The last attempts, the oldest first.")]


class DeliveryList(Answer):
    data: list[DeliveryAnswer]
    pagination: Pagination


class DeliveryQuery(PageQuery):
    state: State | None = None
    object_id: Annotated[str | None, Field(max_length=40, description="Only those of events of this object.")] = None
    type: Annotated[str | None, Field(max_length=64, description="Only those of events of this type.")] = None


class RedeliveryAnswer(Answer):
    redelivered: Annotated[int, Field(description="Deliveries that are on their way again.")]


def unknown_events(format: str, events: list[str]) -> list[str]:
    return [name for name in events if not is_name(format, name)]


def item(row: Webhook) -> WebhookItem:
    return WebhookItem(**_fields(row))


def answer(row: Webhook) -> WebhookAnswer:
    return WebhookAnswer(**_fields(row), signature_secret=row.secret)


def _fields(row: Webhook) -> dict[str, Any]:
    return {
        "webhook_id": row.id, "created_at": row.created_at, "events": row.events, "url": row.url, "name": row.name,
        "format": row.format, "enabled": row.disabled_at is None, "disabled_at": row.disabled_at,
        "disabled_reason": row.disabled_reason, "failing_since": row.failing_since,
        "old_secret_until": row.old_secret_until,
    }  # fmt: skip


def delivery(row: Delivery, event_id: str) -> DeliveryAnswer:
    return DeliveryAnswer(
        delivery_id=row.id,
        webhook_id=row.webhook_id,
        event_id=event_id,
        type=row.type,
        object_id=row.object_id,
        sequence=row.sequence,
        state=row.state,  # type: ignore[arg-type]
        attempts=row.attempts,
        next_attempt_at=row.due_at,
        created_at=row.created_at,
        ended_at=row.ended_at,
        log=[_attempt(entry) for entry in row.log],
    )


def _attempt(entry: dict[str, Any]) -> AttemptAnswer:
    return AttemptAnswer(
        at=datetime.fromisoformat(entry["at"]),
        status=entry["status"],
        latency_ms=entry["latencyMs"],
        head=entry["head"],
        error=entry["error"],
    )
