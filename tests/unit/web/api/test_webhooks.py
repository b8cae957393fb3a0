from datetime import timedelta
from typing import Any

import pytest

from server import clock, ids
from server.catalog import deliveries, events, keys, webhooks
from server.catalog.database import Database
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Project
from server.catalog.webhook_models import Webhook
from server.web.api import webhooks as module
from tests.unit.web.kit import Client, Connect, problem

EVENT = "video.encoding.quality.completed"
BODY = {"events": [EVENT], "url": "https://example.com/notif?myquery=query"}


async def make(client: Client, **more: Any) -> dict[str, Any]:
    answer = await client.post("/webhooks", json={**BODY, **more})
    assert answer.status == 201, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def deliver(database: Database, webhook_id: str, *objects: str) -> None:
    """As the sender makes deliveries of events."""
    async with database.write() as transaction:
        row = await webhooks.find(transaction, webhook_id)
        assert row
        found = [(row, await events.record(transaction, DEFAULT_PROJECT, id, "video.updated")) for id in objects]
        await deliveries.add_all(transaction, found, clock.now())


async def end(database: Database, webhook_id: str, state: str) -> None:
    async with database.write() as transaction:
        row = await webhooks.find(transaction, webhook_id)
        assert row
        await deliveries.bury(transaction, webhook_id, clock.now())
        page = await deliveries.page(transaction, webhook_id, deliveries.Filter(), Paging())
        entry = {"at": clock.now().isoformat(), "status": 500, "latencyMs": 7, "head": "no", "error": None}
        await deliveries.write(transaction, [{"id": row.id, "state": state, "log": [entry]} for row in page.rows])


async def test_as_in_the_dialect(client: Client) -> None:
    made = await make(client)

    assert (made["events"], made["url"]) == (BODY["events"], BODY["url"])
    assert made["webhookId"].startswith("webhook_")
    assert made["signatureSecret"].startswith("sig_sec_")
    assert made["createdAt"].endswith("+00:00")

    shown = await (await client.get(f"/webhooks/{made['webhookId']}")).json()
    assert shown == made

    other = await make(client, events=["video.source.recorded"])
    listed = await (await client.get("/webhooks")).json()
    assert [row["webhookId"] for row in listed["data"]] == [other["webhookId"], made["webhookId"]]
    assert listed["pagination"]["itemsTotal"] == 2
    assert "sig_sec_" not in await (await client.get("/webhooks")).text()  # no secret in a list
    narrowed = await (await client.get("/webhooks", params={"events": EVENT})).json()
    assert [row["webhookId"] for row in narrowed["data"]] == [made["webhookId"]]

    assert (await client.delete(f"/webhooks/{made['webhookId']}")).status == 204
    await problem(await client.get(f"/webhooks/{made['webhookId']}"), 404, "resource-not-found", "webhookId")
    await problem(await client.delete(f"/webhooks/{made['webhookId']}"), 404, "resource-not-found", "webhookId")


@pytest.mark.parametrize(
    ("body", "code", "name"),
    [
        ({}, "attribute-required", "url"),
        ({"url": BODY["url"]}, "attribute-required", "events"),
        ({**BODY, "events": []}, "invalid-attribute", "events"),
        ({**BODY, "events": "video.done"}, "invalid-attribute", "events"),
        ({**BODY, "events": ["video.dnoe"]}, "invalid-attribute", "events"),
        ({**BODY, "events": ["media.update.status"]}, "invalid-attribute", "events"),
        ({**BODY, "url": "ftp://example.com/"}, "invalid-attribute", "url"),
        ({**BODY, "url": "http://exa mple.com/"}, "invalid-attribute", "url"),
        ({**BODY, "url": "http://10.0.0.1/hook"}, "invalid-attribute", "url"),
        ({**BODY, "url": "http://[::1]/"}, "invalid-attribute", "url"),
        ({**BODY, "url": "https://example.com:22/"}, "invalid-attribute", "url"),
        ({**BODY, "format": "mux"}, "invalid-attribute", "format"),
        ({**BODY, "nonsense": 1}, "invalid-attribute", "nonsense"),
    ],
)
async def test_what_is_wrong_is_named(client: Client, body: dict[str, Any], code: str, name: str) -> None:
    await problem(await client.post("/webhooks", json=body), 400, code, name)


async def test_credentials_are_kept_and_never_shown(client: Client, database: Database) -> None:
    made = await make(client, url="https://user:pass%20word@example.com/hook")

    assert made["url"] == "https://example.com/hook"
    async with database.read() as transaction:
        row = await webhooks.find(transaction, made["webhookId"])
        assert row
        assert (row.login, row.password) == ("user", "pass word")
        told = await events.of_object(transaction, DEFAULT_PROJECT, row.id)
    for text in (await (await client.get("/webhooks")).text(), str([event.payload for event in told])):
        assert "pass word" not in text
        assert made["signatureSecret"] not in text


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"url": "https://example.com/other"}, ("user", "secret")),
        ({"url": "https://EXAMPLE.com:443/"}, ("user", "secret")),
        ({"url": "https://example.org/hook"}, (None, None)),
        ({"url": "http://example.com/hook"}, (None, None)),
        ({"url": "https://example.org/hook", "login": "me", "password": "new"}, ("me", "new")),
        ({"url": "https://you:mine@example.org/hook"}, ("you", "mine")),
        ({"events": ["video.*"]}, ("user", "secret")),
    ],
)
async def test_credentials_stay_with_their_host(
    client: Client, database: Database, changes: dict[str, Any], kept: tuple[str | None, str | None]
) -> None:
    made = await make(client, url="https://user:secret@example.com/hook")
    assert (await client.patch(f"/webhooks/{made['webhookId']}", json=changes)).status == 200

    async with database.read() as transaction:
        row = await webhooks.find(transaction, made["webhookId"])
    assert row
    assert (row.login, row.password) == kept


async def test_changes(client: Client) -> None:
    made = await make(client)
    path = f"/webhooks/{made['webhookId']}"

    body = {"format": "kinescope", "events": ["media.update.status"], "name": "done"}
    changed = await (await client.patch(path, json=body)).json()

    assert {key: changed[key] for key in body} == body
    assert changed["signatureSecret"] == made["signatureSecret"]
    await problem(await client.patch(path, json={"format": "native"}), 400, "invalid-attribute", "events")
    await problem(await client.patch(path, json={"url": None}), 400, "invalid-attribute", "url")
    await problem(await client.patch(path, json={"url": "http://127.0.0.1/"}), 400, "invalid-attribute", "url")


async def test_rotation(client: Client) -> None:
    made = await make(client)

    rotated = await (await client.post(f"/webhooks/{made['webhookId']}/rotate-secret", json={"overlap": 60})).json()

    assert rotated["signatureSecret"] != made["signatureSecret"]
    assert rotated["oldSecretUntil"] is not None
    assert made["oldSecretUntil"] is None


async def test_a_ping_is_a_delivery(client: Client) -> None:
    made = await make(client)

    answer = await client.post(f"/webhooks/{made['webhookId']}/ping")

    assert answer.status == 201
    ping = await answer.json()
    assert (ping["type"], ping["state"], ping["attempts"]) == ("webhook.ping", "pending", 0)
    path = f"/webhooks/{made['webhookId']}/deliveries"
    assert (await (await client.get(f"{path}/{ping['deliveryId']}")).json())["eventId"] == ping["eventId"]
    assert [row["deliveryId"] for row in (await (await client.get(path)).json())["data"]] == [ping["deliveryId"]]


async def test_deliveries_are_listed_and_redelivered(client: Client, database: Database) -> None:
    made = await make(client)
    id, begun = made["webhookId"], clock.now() - timedelta(seconds=5)
    await deliver(database, id, "vi1", "vi1", "vi2")
    path = f"/webhooks/{id}/deliveries"

    waiting = (await (await client.get(path, params={"objectId": "vi1", "sortOrder": "asc"})).json())["data"]
    assert [(row["sequence"], row["nextAttemptAt"] is None) for row in waiting] == [(1, False), (2, True)]

    await end(database, id, "dead")
    dead = (await (await client.get(path, params={"state": "dead"})).json())["data"]
    assert len(dead) == 3
    assert dead[0]["log"][0] | {"at": ""} == {"at": "", "status": 500, "latencyMs": 7, "head": "no", "error": None}

    again = await (await client.post(f"{path}/{dead[0]['deliveryId']}/redeliver")).json()
    assert (again["state"], again["nextAttemptAt"] is None, again["endedAt"]) == ("pending", False, None)
    body = {"from": begun.isoformat()}
    answer = await client.post(f"/webhooks/{id}/redeliver", json=body)
    assert (answer.status, await answer.json()) == (202, {"redelivered": 2})
    before = {"from": "2020-01-01T00:00:00+00:00", "to": "2020-01-02T00:00:00+00:00"}
    assert await (await client.post(f"/webhooks/{id}/redeliver", json=before)).json() == {"redelivered": 0}


async def test_nothing_is_redelivered_to_a_disabled_one(client: Client, database: Database) -> None:
    made = await make(client)
    id = made["webhookId"]
    await deliver(database, id, "vi1")
    await end(database, id, "dead")
    async with database.write() as transaction:
        row = await webhooks.find(transaction, id)
        assert row
        await webhooks.disable(transaction, row, "It was away.")
    (dead,) = (await (await client.get(f"/webhooks/{id}/deliveries")).json())["data"]

    shown = await (await client.get(f"/webhooks/{id}")).json()
    assert (shown["enabled"], shown["disabledReason"]) == (False, "It was away.")
    path = f"/webhooks/{id}/deliveries/{dead['deliveryId']}/redeliver"
    await problem(await client.post(path), 409, "conflict")
    await problem(await client.post(f"/webhooks/{id}/redeliver", json={"from": shown["createdAt"]}), 409, "conflict")

    assert (await (await client.post(f"/webhooks/{id}/enable")).json())["enabled"]
    assert (await client.post(path)).status == 200


async def test_there_are_so_many_at_most(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WEBHOOKS_LIMIT", 1)
    await make(client)
    await problem(await client.post("/webhooks", json=BODY), 400, "webhook-limit-reached")


async def test_those_of_others_are_not_there(client: Client, database: Database) -> None:
    async with database.write() as transaction:
        other = Project(name="other")
        transaction.add(other)
        await transaction.flush()
        row = await webhooks.add(
            transaction,
            Webhook(project_id=other.id, url="http://example.com/", events=["*"], secret="s", format="native"),
        )
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("POST", "/ping"), ("POST", "/enable"), ("GET", "/deliveries"),
        ("GET", f"/deliveries/{ids.new('de')}"), ("PATCH", ""),
    ):  # fmt: skip
        answer = await client.request(method, f"/webhooks/{row.id}{path}")
        await problem(answer, 404, "resource-not-found", "webhookId")


async def test_scopes(connect: Connect, database: Database) -> None:
    async with database.write() as transaction:
        await keys.create(transaction, DEFAULT_PROJECT, "reader", ["webhooks:read"], "reader")
    reader = await connect(key="reader")

    assert (await reader.get("/webhooks")).status == 200
    await problem(await reader.post("/webhooks", json=BODY), 403, "forbidden")
    await problem(await reader.get("/events"), 403, "forbidden")
