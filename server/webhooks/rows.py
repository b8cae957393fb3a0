"""Between rows and the values that decisions are made of."""

from datetime import datetime
from typing import Any

from server import clock
from server.catalog import deliveries
from server.catalog.models import Event
from server.catalog.webhook_models import Delivery, Webhook
from server.webhooks.formats import PING, Told, message
from server.webhooks.post import Endpoint
from server.webhooks.verdicts import Attempt, Verdict


def asked_for(webhook: Webhook, event: Event) -> bool:
    """Whether the event becomes a delivery to the endpoint; a ping has its own."""
    if event.project_id != webhook.project_id or event.position <= webhook.since or event.type == PING:
        return False
    return message(webhook.format, webhook.events, told_of(event)) is not None


def told_of(event: Event) -> Told:
    return Told(
        event.id, event.type, event.project_id, event.object_id, event.sequence, event.created_at, event.payload
    )


def endpoint_of(webhook: Webhook, now: datetime) -> Endpoint:
    until = webhook.old_secret_until
    old = webhook.old_secret if until is not None and until > now else None
    return Endpoint(
        webhook.id, webhook.url, webhook.format, tuple(webhook.events), webhook.secret, old, webhook.login,
        webhook.password,
    )  # fmt: skip


def columns(row: Delivery, attempt: Attempt, verdict: Verdict) -> dict[str, Any]:
    """What a delivery is after the attempt."""
    entry = {
        "at": attempt.at.isoformat(timespec="milliseconds"), "status": attempt.status,
        "latencyMs": attempt.latency_ms, "head": attempt.head, "error": attempt.error,
    }  # fmt: skip
    return {
        "id": row.id, "state": verdict.state, "in_line": verdict.in_line, "due_at": verdict.due_at, "worker": None,
        "leased_until": None, "failures": verdict.failures, "failing_since": verdict.failing_since,
        "attempts": row.attempts + 1, "log": [*row.log, entry][-deliveries.LOG_ENTRIES :],
        "ended_at": None if verdict.due_at else clock.now(),
    }  # fmt: skip
