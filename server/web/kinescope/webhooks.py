"""Webhooks: the same that the API at the root has, in the dialect's format and with HTTP's basic authentication.

Those of other formats are not among them.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from server.catalog import webhooks
from server.catalog.database import Transaction
from server.catalog.webhook_models import Webhook
from server.errors import Problem
from server.outbound.target import Target
from server.protocols.webhook import new_secret
from server.web import validation
from server.web.api import webhook_urls
from server.web.api.webhook_shapes import EndpointUrl, EventNames, Login, unknown_events
from server.web.api.webhooks import WEBHOOKS_LIMIT
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.paging import PageQuery, listed
from server.web.kinescope.shapes import DONE, Answer, Body, Changes, Data, Done, Id, Listed, Moment
from server.web.kinescope.values import Name
from server.web.shapes import ABSENT
from server.web.typed import Call

FORMAT = "kinescope"
EXAMPLE = {
    "name": "webhook1", "endpoint": "https://example.io/kinescope/webhook", "login": "", "password": "",
    "events": ["media.update.status"],
}  # fmt: skip

operations = kinescope_operations("Webhooks")

Secret = Annotated[Login, Field(description='Of HTTP\'s basic authentication; never shown again. "": none.')]


class WebhookCreation(Body):
    name: Name
    endpoint: EndpointUrl
    login: Secret = ""
    password: Secret = ""
    events: EventNames


class WebhookChanges(Changes):
    name: Name = ABSENT
    endpoint: EndpointUrl = ABSENT
    login: Secret = ABSENT
    password: Secret = ABSENT
    events: EventNames = ABSENT


class WebhookAnswer(Answer):
    id: Id
    workspace_id: Id
    name: str
    endpoint: str
    events: list[str]
    enabled: bool
    created_at: Moment
    updated_at: Moment


class WebhookQuery(PageQuery):
    SORTABLE: ClassVar[Mapping[str, str]] = {"created_at": "createdAt"}


@operations.get("/v1/webhooks", "List webhooks", scope="webhooks:read")
async def list_all(call: Call, query: WebhookQuery) -> Listed[WebhookAnswer]:
    async with call.services.database.read() as transaction:
        page = await webhooks.page(transaction, call.project_id, query.paging(), format=FORMAT)
    return listed(query, page, [_answer(row) for row in page.rows])


@operations.post(
    "/v1/webhooks", "Make a webhook", scope="webhooks:write", errors=["limit-reached"], example=EXAMPLE
)
async def create(call: Call, body: WebhookCreation) -> Data[WebhookAnswer]:
    """Its endpoint is told of what happens from now on."""
    _check(body.events)
    webhook_urls.refuse(call, body.endpoint, "endpoint")
    row = Webhook(
        project_id=call.project_id, format=FORMAT, name=body.name, events=body.events, secret=new_secret(),
        **_address(body.endpoint, body.login, body.password),
    )  # fmt: skip
    async with call.services.database.write() as transaction:
        if await webhooks.count(transaction, call.project_id) >= WEBHOOKS_LIMIT:
            raise Problem("limit-reached", f"There are {WEBHOOKS_LIMIT} webhooks at most.")
        return Data(data=_answer(await webhooks.add(transaction, row)))


@operations.put("/v1/webhooks/{webhook_id}", "Change a webhook", scope="webhooks:write", example=EXAMPLE)
async def change(call: Call, webhook_id: str, body: WebhookChanges) -> Data[WebhookAnswer]:
    """What is left out stays as it is; but a login and a password are forgotten where the endpoint moves to another
    host. One that was disabled since it took nothing is enabled again."""
    given = body.model_fields_set
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, webhook_id)
        if "events" in given:
            _check(body.events)
            row.events = body.events
        if "name" in given:
            row.name = body.name
        if "endpoint" in given:
            webhook_urls.refuse(call, body.endpoint, "endpoint")
        for name, value in _readdressed(row, body, given).items():
            setattr(row, name, value)
        await webhooks.enable(transaction, row)
        await webhooks.tell(transaction, row, "updated", changed=sorted(given))
        return Data(data=_answer(row))


@operations.delete("/v1/webhooks/{webhook_id}", "Delete a webhook", scope="webhooks:write")
async def delete(call: Call, webhook_id: str) -> Done:
    """What was on its way to it goes nowhere."""
    async with call.services.database.write() as transaction:
        await webhooks.remove(transaction, await _find(transaction, call, webhook_id))
    return DONE


def _check(names: list[str]) -> None:
    """Raises Problem."""
    if unknown := unknown_events(FORMAT, names):
        raise validation.of_attribute("events", f"There is no event {unknown[0]}.")


def _readdressed(row: Webhook, body: WebhookChanges, given: set[str]) -> Mapping[str, Any]:
    """Where it leads to and with which credentials, after the change."""
    url = body.endpoint if "endpoint" in given else row.url
    stays = Target.parse(url).origin == Target.parse(row.url).origin
    known = (row.login, row.password) if stays else (None, None)
    login = body.login if "login" in given else known[0]
    password = body.password if "password" in given else known[1]
    return _address(url, login, password)


def _address(url: str, login: str | None, password: str | None) -> Mapping[str, Any]:
    """Credentials in the URL are kept apart from it."""
    target = Target.parse(url)
    if target.username is not None:
        return {"url": target.url, "login": target.username, "password": target.password}
    return {"url": url, "login": login or None, "password": password or None}


async def _find(transaction: Transaction, call: Call, webhook_id: str) -> Webhook:
    row = await webhooks.get(transaction, call.project_id, webhook_id)
    if row is None or row.format != FORMAT:
        raise Problem("resource-not-found", name="webhook_id")
    return row


def _answer(row: Webhook) -> WebhookAnswer:
    return WebhookAnswer(
        id=row.id,
        workspace_id=row.project_id,
        name=row.name,
        endpoint=row.url,
        events=row.events,
        enabled=row.disabled_at is None,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
