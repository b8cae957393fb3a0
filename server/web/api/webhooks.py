"""Webhooks: endpoints that are told of events, and what was delivered to them.

What is made, shown, listed and deleted is api.video's; formats, changes, secrets, deliveries and pings are beside it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from server import clock
from server.catalog import deliveries, events, webhooks
from server.catalog.database import Transaction
from server.catalog.deliveries import Filter
from server.catalog.webhook_models import Delivery, Webhook
from server.errors import Problem
from server.outbound.target import Target
from server.protocols.webhook import new_secret
from server.web import validation
from server.web.api import webhook_urls
from server.web.api.webhook_shapes import (
    DeliveryAnswer,
    DeliveryList,
    DeliveryQuery,
    RedeliveryAnswer,
    RedeliveryBody,
    RotationBody,
    WebhookAnswer,
    WebhookBody,
    WebhookChanges,
    WebhookList,
    WebhookQuery,
    answer,
    delivery,
    item,
    unknown_events,
)
from server.web.pagination import pagination
from server.web.typed import Call, Operations
from server.webhooks.formats import PING

WEBHOOKS_LIMIT = 100  # of a project: each event is looked at for each of them
EXAMPLE = {"url": "https://example.com/webhooks", "events": ["video.encoding.quality.completed"]}

operations = Operations("Webhooks")


@operations.post(
    "/webhooks",
    "Make a webhook",
    scope="webhooks:write",
    status=201,
    errors=["webhook-limit-reached"],
    example=EXAMPLE,
)
async def create(call: Call, body: WebhookBody) -> WebhookAnswer:
    """Its endpoint is told of what happens from now on."""
    _check_events(body.format, body.events)
    webhook_urls.refuse(call, body.url)
    row = Webhook(
        project_id=call.project_id, format=body.format, events=body.events, secret=new_secret(), name=body.name,
        **_address(body.url, body.login, body.password),
    )  # fmt: skip
    async with call.services.database.write() as transaction:
        if await webhooks.count(transaction, call.project_id) >= WEBHOOKS_LIMIT:
            raise Problem("webhook-limit-reached", f"A project has at most {WEBHOOKS_LIMIT} webhooks.")
        return answer(await webhooks.add(transaction, row))


@operations.get("/webhooks", "List webhooks", scope="webhooks:read")
async def list_all(call: Call, query: WebhookQuery) -> WebhookList:
    """Newest first. The secrets are not in it."""
    async with call.services.database.read() as transaction:
        page = await webhooks.page(transaction, call.project_id, query.paging(None), query.events)
    return WebhookList(data=[item(row) for row in page.rows], pagination=pagination(call.request, page))


@operations.get("/webhooks/{webhookId}", "Show a webhook", scope="webhooks:read")
async def show(call: Call, webhook_id: str) -> WebhookAnswer:
    """With the secret that its calls are signed with."""
    async with call.services.database.read() as transaction:
        return answer(await _find(transaction, call, webhook_id))


@operations.patch(
    "/webhooks/{webhookId}", "Change a webhook", scope="webhooks:write", example={"events": ["video.*"]}
)
async def change(call: Call, webhook_id: str, body: WebhookChanges) -> WebhookAnswer:
    """It counts for what is on its way, too. A login and a password that are not given anew are forgotten where the URL
    leads to another scheme, host or port."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, webhook_id)
        values = {name: getattr(body, name) for name in body.model_fields_set}
        _check_events(values.get("format", row.format), values.get("events", row.events))
        if "url" in values:
            webhook_urls.refuse(call, values["url"])
            known = (row.login, row.password) if _same_origin(row.url, values["url"]) else (None, None)
            login, password = values.get("login", known[0]), values.get("password", known[1])
            values |= _address(values["url"], login, password)
        for name, value in values.items():
            setattr(row, name, value)
        await webhooks.tell(transaction, row, "updated", changed=sorted(body.model_fields_set))
    return answer(row)


@operations.delete("/webhooks/{webhookId}", "Delete a webhook", scope="webhooks:write", status=204)
async def delete(call: Call, webhook_id: str) -> None:
    """What was on its way to it goes nowhere."""
    async with call.services.database.write() as transaction:
        await webhooks.remove(transaction, await _find(transaction, call, webhook_id))


@operations.post(
    "/webhooks/{webhookId}/rotate-secret", "Rotate the secret of a webhook", scope="webhooks:write",
    example={"overlap": 3600},
)  # fmt: skip
async def rotate(call: Call, webhook_id: str, body: RotationBody) -> WebhookAnswer:
    """For the overlap `Sluice-Signature` holds a signature with each secret, and `X-Api-Video-Signature`, which holds
    one, is made with the old."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, webhook_id)
        await webhooks.rotate(transaction, row, new_secret(), clock.now() + timedelta(seconds=body.overlap))
    return answer(row)


@operations.post("/webhooks/{webhookId}/enable", "Enable a webhook", scope="webhooks:write", command=True)
async def enable(call: Call, webhook_id: str) -> WebhookAnswer:
    """One that was disabled since it took nothing. What it missed is dead, and can be redelivered."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, webhook_id)
        await webhooks.enable(transaction, row)
    return answer(row)


@operations.post("/webhooks/{webhookId}/ping", "Try a webhook", scope="webhooks:write", status=201)
async def ping(call: Call, webhook_id: str) -> DeliveryAnswer:
    """Sends it the event `webhook.ping`, once; the delivery shows what came of it."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, webhook_id)
        event = await events.record(transaction, row.project_id, row.id, PING, {"webhookId": row.id})
        made = await deliveries.add_ping(transaction, row, event, clock.now())
    return delivery(made, event.id)


@operations.get("/webhooks/{webhookId}/deliveries", "List deliveries", scope="webhooks:read")
async def list_deliveries(call: Call, webhook_id: str, query: DeliveryQuery) -> DeliveryList:
    """Newest first."""
    wanted = Filter(query.state, query.object_id, query.type)
    async with call.services.database.read() as transaction:
        await _find(transaction, call, webhook_id)
        page = await deliveries.page(transaction, webhook_id, wanted, query.paging(None))
        named = await deliveries.event_ids(transaction, page.rows)
    rows = [delivery(row, named[row.position]) for row in page.rows]
    return DeliveryList(data=rows, pagination=pagination(call.request, page))


@operations.get("/webhooks/{webhookId}/deliveries/{deliveryId}", "Show a delivery", scope="webhooks:read")
async def show_delivery(call: Call, webhook_id: str, delivery_id: str) -> DeliveryAnswer:
    """With all that was tried: when, the status, how long it took, and the head of the answer."""
    async with call.services.database.read() as transaction:
        return await _shown(transaction, await _find_delivery(transaction, call, webhook_id, delivery_id))


@operations.post(
    "/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver", "Redeliver an event", scope="webhooks:write",
    errors=["conflict"], command=True,
)  # fmt: skip
async def redeliver(call: Call, webhook_id: str, delivery_id: str) -> DeliveryAnswer:
    """At once, whatever else is on its way to the endpoint."""
    async with call.services.database.write() as transaction:
        _check_enabled(await _find(transaction, call, webhook_id))
        row = await _find_delivery(transaction, call, webhook_id, delivery_id)
        await deliveries.redeliver(transaction, row, clock.now())
        return await _shown(transaction, row)


@operations.post(
    "/webhooks/{webhookId}/redeliver", "Redeliver events of a time", scope="webhooks:write", status=202,
    errors=["conflict"], example={"from": "2026-01-31T10:00:00+00:00", "to": "2026-01-31T12:00:00+00:00"},
)  # fmt: skip
async def redeliver_range(call: Call, webhook_id: str, body: RedeliveryBody) -> RedeliveryAnswer:
    """Those of one object in their order."""
    now = clock.now()
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, webhook_id)
        _check_enabled(row)
        count = await deliveries.redeliver_range(
            transaction, row.id, body.states, body.since, body.until or now, now
        )
    return RedeliveryAnswer(redelivered=count)


def _check_events(format: str, names: list[str]) -> None:
    """Raises Problem."""
    if unknown := unknown_events(format, names):
        raise validation.of_attribute("events", f"There is no event {unknown[0]} in the format {format}.")


def _check_enabled(row: Webhook) -> None:
    if row.disabled_at is not None:
        raise Problem("conflict", "The webhook is disabled; enable it first.")


def _same_origin(known: str, given: str) -> bool:
    """Credentials for the one are for the other, too."""
    return Target.parse(known).origin == Target.parse(given).origin


def _address(url: str, login: str | None, password: str | None) -> Mapping[str, Any]:
    """Credentials in the URL are kept apart from it, and not shown."""
    target = Target.parse(url)
    if target.username is not None:
        login, password = target.username, target.password
        url = target.url
    return {"url": url, "login": login, "password": password}


async def _shown(transaction: Transaction, row: Delivery) -> DeliveryAnswer:
    return delivery(row, (await deliveries.event_ids(transaction, [row]))[row.position])


async def _find(transaction: Transaction, call: Call, webhook_id: str) -> Webhook:
    row = await webhooks.get(transaction, call.project_id, webhook_id)
    if row is None:
        raise Problem("resource-not-found", name="webhookId")
    return row


async def _find_delivery(transaction: Transaction, call: Call, webhook_id: str, delivery_id: str) -> Delivery:
    webhook = await _find(transaction, call, webhook_id)
    row = await deliveries.get(transaction, webhook.id, delivery_id)
    if row is None:
        raise Problem("resource-not-found", name="deliveryId")
    return row
